//! What two tables cost each other: joins whose sides are not on one shard, and transactions that visit both.
//!
//! These are the only terms of the objective that depend on the keys of two tables; all others belong to one.

use super::context::{Context, LOOKUP_SIZE, Weighed};
use crate::model::workload::TableUse;
use crate::model::{KeyColumns, TableName};
use std::collections::{BTreeMap, BTreeSet};

/// A row fetched for a join from a shard elsewhere. Measured: a point look-up through postgres_fdw takes 4.7 times a
/// local one.
const FAR_ROW: f64 = 3.7;
/// The same where whole sides travel: sent once and received once, at the speed of reading it. Measured: COPY moves
/// 50–100 MB/s a core on each end, a plain disk reads 70 MB/s.
const FAR_BULK: f64 = 2.0;
/// Relative size below which a join's smaller side is not sent any cheaper: asking for it costs what it costs, however few
/// rows come back. Assumed: that of a look-up table of which nothing is known.
const LEAST_SIZE: f64 = LOOKUP_SIZE;
/// A statement whose transaction has its other statements on another shard. Measured: a transaction on two nodes takes
/// 3.2 times as long as on one.
pub const APART: f64 = 2.2;

/// Where a table's rows are.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Cut by a key. Rows with equal keys are in shards of one number where `cut` is equal; tables of one `layout`
    /// moreover have keys that mean the same.
    Cut { key: KeyColumns, layout: usize, cut: usize },
    /// A copy wherever it is needed.
    Everywhere,
    /// One plain table.
    Here,
}

/// Joins between two tables (or of one with itself) that are alike: on these pairs of columns, and in families that
/// both sides pin.
type Shape = (BTreeSet<(String, String)>, BTreeSet<usize>);

/// What joins cost when their sides are apart: rows fetched one by one, and whole sides.
#[derive(Debug, Clone, Copy, Default)]
struct Fetched {
    rows: f64,
    bulk: f64,
}

impl Fetched {
    fn add(&mut self, weight: f64, overhead: f64) {
        self.rows += weight * overhead * FAR_ROW;
        self.bulk += weight * (1.0 - overhead) * FAR_BULK;
    }

    /// One side is sent so many times.
    fn sent(self, times: f64) -> f64 {
        self.rows + self.bulk * times
    }
}

/// All joins between two tables, by shape.
#[derive(Debug, Clone, Default)]
pub struct Joins {
    shapes: BTreeMap<Shape, Fetched>,
    /// Of them those of statements that use a further table which is no look-up table, and so is where the work is done.
    beside_another: Fetched,
}

impl Joins {
    /// For every pair of tables, smaller name first. Sizes enter by the square root of the smaller side against the
    /// largest table of the statement: counting joins instead would make a date the best key of every star.
    pub fn all<'a>(context: &Context<'a>) -> BTreeMap<(&'a TableName, &'a TableName), Joins> {
        let mut out: BTreeMap<(&'a TableName, &'a TableName), Joins> = BTreeMap::new();
        for Weighed { statement, weight, overhead } in &context.statements {
            let mut edges: BTreeMap<(&TableName, &TableName), BTreeSet<(String, String)>> = BTreeMap::new();
            for found in statement.tables.iter().filter(|u| !u.inserted) {
                for edge in &found.joined {
                    let (pair, columns) = if found.table <= edge.other {
                        ((&found.table, &edge.other), (edge.column.clone(), edge.other_column.clone()))
                    } else {
                        ((&edge.other, &found.table), (edge.other_column.clone(), edge.column.clone()))
                    };
                    edges.entry(pair).or_default().insert(columns);
                }
            }
            for ((a, b), columns) in edges {
                let Some((left, right)) = context.schema.get(a).zip(context.schema.get(b)) else { continue };
                let size = context.relative_size(a, statement).min(context.relative_size(b, statement));
                let size = size.max(LEAST_SIZE);
                let pinned = |table: &TableName| -> BTreeSet<usize> {
                    let uses = statement.tables.iter().filter(|u| u.table == *table && !u.inserted);
                    let columns = |u: &'_ TableUse| u.pinned.clone();
                    uses.flat_map(columns).filter_map(|c| context.families.of(table, &c)).collect()
                };
                let both: BTreeSet<usize> = pinned(a).intersection(&pinned(b)).copied().collect();
                let joins = out.entry((&left.name, &right.name)).or_default();
                let weight = weight * size.sqrt();
                joins.shapes.entry((columns, both)).or_default().add(weight, *overhead);
                let further = |u: &TableUse| u.table != *a && u.table != *b && !context.copyable.contains(&u.table);
                if statement.tables.iter().any(further) {
                    joins.beside_another.add(weight, *overhead);
                }
            }
        }
        out
    }

    /// Cost of the joins whose sides are apart when the tables are in these places. A plain table that is joined with a
    /// cut one as a whole is sent to each of the nodes; so is one that is joined with a copy, where it is the copy beside
    /// the shards of a third table.
    pub fn cost(
        &self,
        context: &Context<'_>,
        nodes: usize,
        left: (&TableName, &Place),
        right: (&TableName, &Place),
    ) -> f64 {
        let nodes = nodes.max(2) as f64;
        let all = |times: f64| self.shapes.values().map(|j| j.sent(times)).sum();
        let (a, b) = match (left.1, right.1) {
            (Place::Everywhere, Place::Here) | (Place::Here, Place::Everywhere) => {
                return self.beside_another.sent(nodes);
            }
            (Place::Everywhere, _) | (_, Place::Everywhere) | (Place::Here, Place::Here) => return 0.0,
            (Place::Cut { key: a, cut: x, .. }, Place::Cut { key: b, cut: y, .. }) => {
                if x != y || a.len() != b.len() {
                    return all(1.0);
                }
                (a, b)
            }
            _ => return all(nodes),
        };
        let near = |(edges, pinned): &Shape| {
            a.iter().zip(b).all(|(x, y)| {
                edges.iter().any(|(p, q)| p == x && q == y)
                    || context
                        .families
                        .of(left.0, x)
                        .is_some_and(|f| pinned.contains(&f) && context.families.of(right.0, y) == Some(f))
            })
        };
        self.shapes.iter().filter(|(shape, _)| !near(shape)).map(|(_, j)| j.sent(1.0)).sum()
    }
}

/// What the transactions of two tables gain when these places keep them together: a statement's transaction has its
/// other statements where the rest of the log finds its rows, so that the home of a key is the share of the log on
/// tables with the same layout that fixes it. `weight` is that of the table's statements, `homed` see [`Context::homed`].
pub fn together(left: (f64, f64, &Place), right: (f64, f64, &Place)) -> f64 {
    match (left.2, right.2) {
        (Place::Cut { layout: x, .. }, Place::Cut { layout: y, .. }) if x == y => {
            APART * (left.0 * right.1 + right.0 * left.1)
        }
        _ => 0.0,
    }
}
