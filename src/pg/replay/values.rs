//! Values for the parameters of one run: rows of the sample that fit together.
//!
//! Each reference to a table gets a row; tied columns have one value wherever the sample has rows for it. The choice
//! depends on the seed, the statement and the number of the run only, so that every candidate is asked the same.

use super::facts;
use super::sources::{Place, Reference, Source, Sources};
use foreshard_core::backup::checksum::RowHasher;
use foreshard_core::model::TableName;
use pgrx::pg_sys;
use std::collections::BTreeMap;

type Row = Vec<Option<String>>;

/// The sample of one table, in the order of its columns.
#[derive(Debug, Default)]
pub struct Pool {
    /// In the table.
    pub rows: Vec<Row>,
    /// Kept out of it, to be inserted.
    pub fresh: Vec<Row>,
}

/// What a picker asks of the sample beside its rows.
pub trait Known {
    /// The column's values in its type's order.
    fn sorted(&self, table: &TableName, column: usize) -> std::rc::Rc<Vec<String>>;
    /// The family of the column, where it is one by which tables are cut: such columns have one value in a statement where
    /// that can be.
    fn family(&self, table: &TableName, column: usize) -> Option<usize>;
}

#[derive(Debug)]
pub struct Picker<'a, K> {
    pub pools: &'a BTreeMap<TableName, Pool>,
    pub known: &'a K,
    pub seed: u64,
    pub statement: i64,
    pub run: u32,
}

/// Items of an array whose length the log does not tell: as many as the planner assumes.
const LISTED_ITEMS: usize = 4;
/// Part of the values that a range with two ends spans at most. Assumed: applications page through a few neighbours.
const SPAN: f64 = 0.05;
/// Characters of a value that a pattern begins with. Assumed.
const PREFIX: usize = 3;
const LIMIT: &str = "10";
const OFFSET: &str = "1";

impl<K: Known> Picker<'_, K> {
    /// One value for each parameter, of the type given; None is NULL.
    ///
    /// # Errors
    /// Why the statement is not replayed.
    pub fn values(&self, sources: &Sources, types: &[pg_sys::Oid]) -> Result<Vec<Option<String>>, String> {
        let rows = self.rows(sources);
        let mut out = Vec::with_capacity(types.len());
        for (number, ((source, column_type), type_oid)) in sources.parameters.iter().zip(types).enumerate() {
            let value = self.value(*source, sources, &rows);
            let fits = |v: &Option<String>| {
                *column_type == Some(*type_oid) || v.as_ref().is_none_or(|v| facts::reads(*type_oid, v))
            };
            out.push(match value.filter(fits) {
                Some(value) => value,
                None => Some(facts::neutral(*type_oid).map(str::to_owned).ok_or_else(|| {
                    format!("no value is known for parameter ${} of type {}", number + 1, facts::type_name(*type_oid))
                })?),
            });
        }
        Ok(out)
    }

    /// None: any constant will do.
    fn value(&self, source: Source, sources: &Sources, rows: &Rows<'_>) -> Option<Option<String>> {
        let of =
            |place: Place, nth: usize| -> Option<Option<String>> { rows.get(&(place.0, nth))?.get(place.1).cloned() };
        match source {
            Source::Row(place, nth) => of(place, nth),
            Source::Lower(place) => self.end(place, sources, rows, 0.0),
            Source::Upper(place) => self.end(place, sources, rows, SPAN),
            Source::Pattern(place) => {
                let value = of(place, 0)??;
                Some(Some(format!("{}%", value.chars().take(PREFIX).collect::<String>())))
            }
            Source::Items(place) => {
                let values: Vec<String> = (0..LISTED_ITEMS).filter_map(|nth| of(place, nth)?).collect();
                let quoted: Vec<String> =
                    values.iter().map(|v| format!("\"{}\"", v.replace('\\', "\\\\").replace('"', "\\\""))).collect();
                Some(Some(format!("{{{}}}", quoted.join(","))))
            }
            Source::Limit => Some(Some(LIMIT.to_owned())),
            Source::Offset => Some(Some(OFFSET.to_owned())),
            Source::Constant => None,
        }
    }

    /// The row's value, or one up to `span` of all values later.
    fn end(&self, place: Place, sources: &Sources, rows: &Rows<'_>, span: f64) -> Option<Option<String>> {
        let table = &sources.references.get(place.0)?.table;
        let sorted = self.known.sorted(table, place.1);
        let value = rows.get(&(place.0, 0))?.get(place.1)?;
        let at = value.as_ref().and_then(|v| sorted.iter().position(|s| s == v));
        let at = at.unwrap_or_else(|| self.draw(place.0, place.1, sorted.len()));
        let most = (sorted.len() as f64 * span) as usize;
        let later = if span > 0.0 { 1 + self.draw(place.0, place.1 + 1, most.max(1)) } else { 0 };
        sorted.get((at + later).min(sorted.len().saturating_sub(1))).cloned().map(Some)
    }

    /// The rows that are asked for: of each reference the first, and as many more as its columns are compared with.
    fn rows(&self, sources: &Sources) -> Rows<'_> {
        let mut most = vec![0; sources.references.len()];
        for (source, _) in &sources.parameters {
            let (reference, nth) = match source {
                Source::Row(place, nth) => (place.0, *nth),
                Source::Items(place) => (place.0, LISTED_ITEMS - 1),
                _ => continue,
            };
            if let Some(most) = most.get_mut(reference) {
                *most = nth.max(*most);
            }
        }
        let classes = Classes::new(sources, self.known);
        // What is looked for by equality should have a value.
        let asked = |reference: usize| -> Vec<usize> {
            let columns = sources.parameters.iter().filter_map(|(source, _)| match source {
                Source::Row(place, _) | Source::Items(place) if place.0 == reference => Some(place.1),
                _ => None,
            });
            columns.collect()
        };
        let mut rows = Rows::new();
        for nth in 0..=most.iter().copied().max().unwrap_or(0) {
            let mut fixed: BTreeMap<(bool, usize), &str> = BTreeMap::new();
            for (at, reference) in sources.references.iter().enumerate().filter(|(at, _)| most.get(*at) >= Some(&nth)) {
                let Some(row) = self.row(at, nth, reference, &asked(at), &classes, &fixed) else { continue };
                for (column, value) in row.iter().enumerate() {
                    for class in classes.of((at, column)) {
                        if let Some(value) = value {
                            fixed.entry(class).or_insert(value);
                        }
                    }
                }
                rows.insert((at, nth), row);
            }
        }
        rows
    }

    /// The first row from a drawn place on that fits best: all ties, those of the statement itself, values at least.
    fn row(
        &self,
        at: usize,
        nth: usize,
        reference: &Reference,
        asked: &[usize],
        classes: &Classes,
        fixed: &BTreeMap<(bool, usize), &str>,
    ) -> Option<&Row> {
        let pool = self.pools.get(&reference.table)?;
        let rows = if reference.inserted && !pool.fresh.is_empty() { &pool.fresh } else { &pool.rows };
        if reference.inserted {
            let start = self.draw(at, 0, rows.len());
            return rows.get((start + nth) % rows.len().max(1));
        }
        let start = self.draw(at, nth, rows.len());
        let order = || rows.iter().cycle().skip(start).take(rows.len());
        let has_values = |row: &&Row| asked.iter().all(|c| row.get(*c).is_some_and(Option::is_some));
        let fits = |row: &&Row, soft: bool| {
            row.iter().enumerate().all(|(column, value)| {
                let mut classes = classes.of((at, column)).filter(|class| soft || !class.0);
                classes.all(|class| fixed.get(&class).is_none_or(|f| value.as_deref() == Some(*f)))
            })
        };
        order()
            .find(|row| has_values(row) && fits(row, true))
            .or_else(|| order().find(|row| has_values(row) && fits(row, false)))
            .or_else(|| order().find(has_values))
            .or_else(|| rows.get(start))
    }

    /// A number below `below` that looks drawn.
    fn draw(&self, reference: usize, nth: usize, below: usize) -> usize {
        let numbers = [self.seed, self.statement as u64, u64::from(self.run), reference as u64, nth as u64];
        let bytes: Vec<[u8; 8]> = numbers.iter().map(|n| n.to_le_bytes()).collect();
        let hash = RowHasher::new().hash(bytes.iter().map(|b| Some(b.as_slice())));
        (hash % below.max(1) as u128) as usize
    }
}

type Rows<'a> = BTreeMap<(usize, usize), &'a Row>;

/// Columns that have one value: (false, n) by the statement itself, (true, n) by what they mean.
struct Classes {
    hard: BTreeMap<Place, usize>,
    soft: BTreeMap<Place, usize>,
}

impl Classes {
    fn new(sources: &Sources, known: &impl Known) -> Self {
        let mut hard: BTreeMap<Place, usize> = BTreeMap::new();
        for (number, (a, b)) in sources.ties.iter().enumerate() {
            let found = hard.get(a).copied().into_iter().chain(hard.get(b).copied()).min().unwrap_or(number);
            let joined = [hard.get(a).copied(), hard.get(b).copied()];
            hard.values_mut().filter(|class| joined.contains(&Some(**class))).for_each(|class| *class = found);
            hard.insert(*a, found);
            hard.insert(*b, found);
        }
        let asked = sources.parameters.iter().filter_map(|(source, _)| match source {
            Source::Row(place, 0) => Some(*place),
            _ => None,
        });
        let soft = asked
            .filter_map(|place| {
                let table = &sources.references.get(place.0)?.table;
                Some((place, known.family(table, place.1)?))
            })
            .collect();
        Self { hard, soft }
    }

    fn of(&self, place: Place) -> impl Iterator<Item = (bool, usize)> {
        let hard = self.hard.get(&place).map(|class| (false, *class));
        hard.into_iter().chain(self.soft.get(&place).map(|class| (true, *class)))
    }
}
