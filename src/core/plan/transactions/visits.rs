//! What each statement of a transaction does to each table, under each choice of that table.

use crate::key::{Context, KeyValues, Level, Place, Reach, Subject, moves, reach, runs};
use crate::model::Method;
use crate::model::schema::ForeignKey;
use crate::model::workload::{StatementUse, TableUse};
use crate::plan::joint::{Value, Variable};
use std::collections::{BTreeMap, BTreeSet};

/// Runs per transaction up to which a statement is not a loop: a log that was read at work counts a little more of some.
const ONCE: f64 = 1.05;

/// What one statement of a transaction does to one table under one choice of that table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Visit {
    /// No shard.
    Nothing,
    /// One plain table's place.
    Here,
    /// Every shard, or every copy.
    All,
    Shards {
        layout: usize,
        count: f64,
        /// Probability of every shard by its own condition, and, of the other runs, of more than one.
        scattered: f64,
        several: f64,
        /// Values of the key beyond the first that a loop brings.
        further: f64,
    },
}

impl Visit {
    /// Probability of every shard.
    pub(super) fn scattered(self) -> f64 {
        match self {
            Self::All => 1.0,
            Self::Shards { scattered, .. } => scattered,
            Self::Nothing | Self::Here => 0.0,
        }
    }
}

/// The foreign keys that the server checks when a statement writes: it looks the referenced row up.
pub(super) fn checked<'a>(
    context: &Context<'a>,
    found: &'a TableUse,
) -> impl Iterator<Item = (&'a TableUse, &'a ForeignKey)> {
    let keys = context.schema.get(&found.table).map(|t| t.foreign_keys.as_slice()).unwrap_or_default();
    let set = |key: &&ForeignKey| !found.rewritten && key.columns.iter().any(|c| found.updated.contains(c));
    keys.iter().filter(move |key| found.inserted || set(key)).map(move |key| (found, key))
}

/// Rows that one run inserts.
pub(super) fn rows_inserted(statement: &StatementUse, found: &TableUse) -> f64 {
    if found.inserted && statement.calls > 0.0 { (statement.rows / statement.calls).max(1.0) } else { 1.0 }
}

/// What the statements of a transaction say of its values: families that it fixes once, and those that its loops vary.
pub(super) struct Meaning {
    fixed: BTreeSet<usize>,
    varied: BTreeSet<usize>,
    /// By any statement but an INSERT.
    pinned: BTreeSet<usize>,
}

impl Meaning {
    pub(super) fn of(context: &Context<'_>, members: &[(&StatementUse, f64)]) -> Self {
        let family = |found: &TableUse, column: &str| context.families.of(&found.table, column);
        let mut meaning = Self { fixed: BTreeSet::new(), varied: BTreeSet::new(), pinned: BTreeSet::new() };
        let mut pinning: BTreeMap<usize, usize> = BTreeMap::new();
        let uses = || members.iter().flat_map(|(s, times)| s.tables.iter().map(move |u| (*s, u, *times)));
        for (statement, found, times) in uses() {
            let once = times * rows_inserted(statement, found) <= ONCE;
            let columns: Vec<&str> = match context.schema.get(&found.table).filter(|_| found.inserted) {
                Some(table) => table.columns.iter().map(|c| c.name.as_str()).collect(),
                None => found.pinned.iter().map(String::as_str).collect(),
            };
            let families: BTreeSet<usize> = columns.iter().filter_map(|c| family(found, c)).collect();
            for f in families {
                if once {
                    meaning.fixed.insert(f);
                }
                if !found.inserted {
                    meaning.pinned.insert(f);
                    *pinning.entry(f).or_default() += 1;
                }
            }
        }
        for (_, found, _) in uses().filter(|(_, u, times)| !u.inserted && *times > ONCE) {
            meaning.varied.extend(meaning.least(context, found, &pinning));
        }
        meaning
    }

    /// What a loop over a statement varies: of the columns that it fixes the one that matters least to the transaction, and
    /// then to the load.
    fn least(&self, context: &Context<'_>, found: &TableUse, pinning: &BTreeMap<usize, usize>) -> Option<usize> {
        let families: BTreeSet<usize> =
            found.pinned.iter().filter_map(|c| context.families.of(&found.table, c)).collect();
        let rank = |f: &usize| (self.fixed.contains(f), pinning.get(f).copied().unwrap_or(0));
        families
            .into_iter()
            .min_by(|a, b| rank(a).cmp(&rank(b)).then(context.home(*a).total_cmp(&context.home(*b))).then(b.cmp(a)))
    }

    pub(super) fn visits(
        &self,
        subject: &Subject<'_>,
        variable: &Variable<'_>,
        (statement, found): (&StatementUse, &TableUse),
        times: f64,
    ) -> Vec<Visit> {
        let of = |value: &Value| match &value.place {
            Place::Here if found.written => Visit::Here,
            Place::Everywhere if found.written => Visit::All,
            Place::Here | Place::Everywhere => Visit::Nothing,
            Place::Cut { key, layout, .. } => {
                let count = f64::from(value.count.max(1));
                let one = found.inserted || reach(found, key, value.method) == Reach::Single;
                let moved = moves(subject, found, key);
                let level = Level { key, method: value.method, count: value.count };
                let (scattered, several) = match () {
                    () if value.count <= 1 => (0.0, 0.0),
                    () if one && moved => (0.0, 1.0 - 1.0 / count),
                    () if one => (0.0, 0.0),
                    () => {
                        let runs = runs(subject, statement, found, level);
                        let few = runs.single + runs.multi;
                        (runs.scatter, if few > 0.0 { runs.multi / few } else { 0.0 })
                    }
                };
                // What is inserted at one time is at one end of a key that grows.
                let at_the_end = match KeyValues::of(subject, key).growth {
                    Some(growth) if found.inserted && value.method == Method::Range => growth,
                    _ => 0.0,
                };
                let further =
                    if one { self.further(subject.context, found, key, times) * (1.0 - at_the_end) } else { 0.0 };
                Visit::Shards { layout: *layout, count, scattered, several, further }
            }
        };
        variable.values.iter().map(of).collect()
    }

    /// What the check of a foreign key visits in the table that it refers to. A key that does not contain the shard key has
    /// no unique constraint to refer to, and is not there.
    pub(super) fn checks(
        &self,
        context: &Context<'_>,
        variable: &Variable<'_>,
        key: &ForeignKey,
        times: f64,
    ) -> Vec<Visit> {
        let row = TableUse { inserted: true, ..TableUse::of(key.references.clone()) };
        let of = |value: &Value| match &value.place {
            Place::Cut { key: columns, layout, .. } if columns.iter().all(|c| key.referenced_columns.contains(c)) => {
                let further = self.further(context, &row, columns, times);
                let count = f64::from(value.count.max(1));
                Visit::Shards { layout: *layout, count, scattered: 0.0, several: 0.0, further }
            }
            _ => Visit::Nothing,
        };
        variable.values.iter().map(of).collect()
    }

    fn further(&self, context: &Context<'_>, found: &TableUse, key: &[String], times: f64) -> f64 {
        if times <= ONCE {
            return 0.0;
        }
        let families: BTreeSet<usize> = key.iter().filter_map(|c| context.families.of(&found.table, c)).collect();
        let nothing_else = !found.inserted && found.pinned.iter().all(|c| key.contains(c));
        let varies = if nothing_else {
            true
        } else if families.is_subset(&self.fixed) {
            false
        } else if found.inserted {
            !families.is_disjoint(&self.varied) || !families.is_subset(&self.pinned)
        } else {
            !families.is_disjoint(&self.varied)
        };
        if varies { times - 1.0 } else { 0.0 }
    }
}
