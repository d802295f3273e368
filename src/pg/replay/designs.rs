//! The layouts that are compared: the plan's choice, its runner-up, and one plain table.
//!
//! The plan says how the other tables go with its choice. With the runner-up it does not: there, tables that have columns of
//! the key's families are cut alike, and all others are plain.

use foreshard_core::backup::profile::{Profiler, ValueOrder};
use foreshard_core::key::{Cutting, Families, Level, split};
use foreshard_core::model::layout::spreads_more;
use foreshard_core::model::{Bound, Candidate, Layout, Method, Plan, Schema, Table, TableName};
use std::collections::{BTreeMap, BTreeSet};

/// How a table is cut; a table without one is plain.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    pub method: Method,
    pub key: Vec<String>,
    pub bounds: Vec<Bound>,
    /// How each part is cut once more.
    pub within: Option<Box<Cut>>,
}

impl Cut {
    fn new(method: Method, key: &[String], bounds: Vec<Bound>) -> Self {
        Self { method, key: key.to_vec(), bounds, within: None }
    }

    /// The columns of all levels.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        self.key.iter().chain(self.within.iter().flat_map(|w| &w.key))
    }

    /// The level that spreads the rows, which is what other tables follow.
    fn spread(&self) -> Self {
        match &self.within {
            Some(within) if spreads_more(within.method, self.method) => Self::clone(within),
            _ => Self { within: None, ..self.clone() },
        }
    }
}

/// How each table is cut that is not plain.
pub type Design = BTreeMap<TableName, Cut>;

/// Places in the plan's candidates: chosen, runner-up, plain table; each once.
pub fn compared(plan: &Plan) -> Vec<usize> {
    let permitted = |at: &usize| plan.candidates.get(*at).is_some_and(|c| c.rejected.is_none());
    let runner_up = (0..plan.candidates.len()).find(|at| *at != plan.chosen && permitted(at));
    let plain = plan.candidates.iter().position(|c| c.method == Method::None);
    let mut out: Vec<usize> = Vec::new();
    for at in [Some(plan.chosen), runner_up, plain].into_iter().flatten() {
        if !out.contains(&at) {
            out.push(at);
        }
    }
    out
}

/// The layout by whose key the sample is taken: the first one that has a key.
pub fn leading(plan: &Plan, compared: &[usize]) -> Option<Cutting> {
    compared.iter().filter_map(|at| plan.candidates.get(*at)).find(|c| c.method.shards()).map(Cutting::from)
}

/// The columns of another table that mean what the key means, one for each of its columns; the one nearest to the root of
/// its family where there are several.
pub fn follow(families: &Families, source: &TableName, key: &[String], other: &Table) -> Option<Vec<String>> {
    let of = |column: &String| {
        let family = families.of(source, column)?;
        let alike = other.columns.iter().filter(|c| families.of(&other.name, &c.name) == Some(family));
        alike.min_by_key(|c| families.depth(&other.name, &c.name)).map(|c| c.name.clone())
    };
    key.iter().map(of).collect()
}

/// What designs are made from.
#[derive(Debug)]
pub struct Making<'a> {
    pub plan: &'a Plan,
    pub schema: &'a Schema,
    pub families: &'a Families,
    /// The tables that are replayed.
    pub tables: &'a BTreeSet<TableName>,
    /// The target's rows in the sample, in the order of its columns.
    pub rows: &'a [Vec<Option<String>>],
}

impl Making<'_> {
    /// None where the sample does not have the values to cut it.
    pub fn design(&self, at: usize) -> Option<Design> {
        let candidate = self.plan.candidates.get(at)?;
        let mut cuts = Design::new();
        if candidate.method.shards() {
            let cut = match at == self.plan.chosen {
                true => laid_out(&self.plan.layout),
                false => self.cut(candidate)?,
            };
            let followed = cut.spread();
            for table in self.tables.iter().filter(|t| **t != self.plan.source) {
                if let Some(other) = self.other(at, table, &followed) {
                    cuts.insert(table.clone(), other);
                }
            }
            cuts.insert(self.plan.source.clone(), cut);
        }
        Some(cuts)
    }

    fn other(&self, at: usize, table: &TableName, target: &Cut) -> Option<Cut> {
        let told = self.plan.joint.as_ref().filter(|_| at == self.plan.chosen);
        if let Some(choice) = told.and_then(|j| j.tables.iter().find(|t| t.table == *table)) {
            if !choice.method.shards() {
                return None;
            }
            if choice.together {
                return Some(Cut { key: choice.key.to_vec(), ..target.clone() });
            }
            // By a key of its own; its bounds are not part of the plan, and by hash it has as many shards.
            return Some(by_hash(choice.key.to_vec(), target.bounds.len()));
        }
        let key = follow(self.families, &self.plan.source, &target.key, self.schema.get(table)?)?;
        (at != self.plan.chosen).then(|| Cut { key, ..target.clone() })
    }

    /// The cut of a candidate that was not laid out.
    fn cut(&self, candidate: &Candidate) -> Option<Cut> {
        let cutting = Cutting::from(candidate);
        let cut = |level: &Level<'_>| Some(Cut::new(level.method, level.key, self.bounds(level)?));
        let mut levels = cutting.levels().into_iter();
        let first = cut(&levels.next()?)?;
        let within = match levels.next() {
            Some(level) => Some(Box::new(cut(&level)?)),
            None => None,
        };
        Some(Cut { within, ..first })
    }

    fn bounds(&self, level: &Level<'_>) -> Option<Vec<Bound>> {
        let count = level.count;
        let pieces = match level.method {
            Method::Hash => split::hash(count),
            method => {
                let table = self.schema.get(&self.plan.source)?;
                let key = level.key.first()?;
                let at = table.columns.iter().position(|c| c.name == *key)?;
                let type_name = &table.columns.get(at)?.type_name;
                let mut profiler = Profiler::new(&[(key.clone(), ValueOrder::of_type(type_name))]);
                for row in self.rows {
                    profiler.row([row.get(at).and_then(|v| v.as_deref()).map(str::as_bytes)]);
                }
                let profile = profiler.finish();
                let column = profile.column(key)?;
                // The sample may have fewer values than the table.
                (2..=count).rev().find_map(|count| match method {
                    Method::Range => split::range(column, type_name, count, split::Even::Rows),
                    _ => split::list(column, profile.rows, count, split::Even::Rows),
                })?
            }
        };
        Some(pieces.into_iter().map(|p| p.0).collect())
    }
}

fn by_hash(key: Vec<String>, count: usize) -> Cut {
    let count = u32::try_from(count).unwrap_or(1);
    Cut::new(Method::Hash, &key, split::hash(count).into_iter().map(|p| p.0).collect())
}

/// The plan's own layout. Every part has the same second level.
fn laid_out(layout: &Layout) -> Cut {
    let parts = layout.parts();
    let first = Cut::new(layout.method, &layout.key, parts.iter().map(|p| p.bound.clone()).collect());
    let within = layout.within.as_ref().map(|w| {
        let shards = parts.first().into_iter().flat_map(|p| &p.shards);
        Box::new(Cut::new(w.method, &w.key, shards.filter_map(|s| s.within.clone()).collect()))
    });
    Cut { within, ..first }
}
