//! Rows that are deleted because they are old.
//!
//! A DELETE that finds its rows by a limit on one column alone is retention. Every row that it takes away is found, marked
//! and vacuumed by itself; where that column cuts the table into ranges, a whole range is dropped instead.

use super::access::writes_table;
use super::context::Weighed;
use super::subject::{Basis, Subject};
use crate::model::statement::StatementKind;
use crate::model::workload::StatementUse;
use std::collections::BTreeMap;

/// Time of deleting rows and of vacuuming them away, in that of deleting them. Measured: half of a million rows with two
/// indexes took 1.02 s and 0.92 s.
const WITH_VACUUM: f64 = 1.9;
/// Milliseconds of dropping a shard and of making one for values to come. Measured: 1.7 and 3.5 with two indexes.
const SHARD_REPLACED_MS: f64 = 5.2;

/// Old rows, as they are deleted by one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Retention {
    /// The column that tells their age.
    pub(super) column: String,
    /// What deleting them costs: its share of the time of all statements that find rows of the table.
    pub(super) cost: f64,
    ms_a_row: f64,
}

/// The column by whose limit alone the statement deletes rows of the table.
fn limit<'s>(subject: &'s Subject<'_>, statement: &'s StatementUse) -> Option<&'s String> {
    let mut uses = subject.uses(statement);
    let (found, None) = (uses.next()?, uses.next()) else { return None };
    let alone = statement.tables.len() == 1
        && found.pinned.is_empty()
        && found.listed.is_empty()
        && found.matched.is_empty()
        && found.joined.is_empty();
    match found.ranged.as_slice() {
        [column] if alone && statement.kind == StatementKind::Delete && writes_table(subject, statement) => {
            Some(column)
        }
        _ => None,
    }
}

/// Every retention of the log, by column.
pub(super) fn find(subject: &Subject<'_>) -> Vec<Retention> {
    let mut found: BTreeMap<&String, (f64, f64)> = BTreeMap::new();
    for Weighed { statement, .. } in subject.statements.iter().filter(|_| subject.basis == Basis::Log) {
        if let Some(column) = limit(subject, statement).filter(|_| statement.rows > 0.0 && statement.total_ms > 0.0) {
            let (rows, ms) = found.entry(column).or_default();
            (*rows, *ms) = (*rows + statement.rows, *ms + statement.total_ms);
        }
    }
    let total: f64 = subject.statements.iter().map(|w| w.statement.total_ms).sum();
    let retention = |(column, (rows, ms)): (&String, (f64, f64))| Retention {
        column: column.clone(),
        cost: WITH_VACUUM * ms / total,
        ms_a_row: WITH_VACUUM * ms / rows,
    };
    found.into_iter().map(retention).collect()
}

/// The statement deletes what these ranges let be dropped: it need not run any more.
pub(super) fn is_spared(subject: &Subject<'_>, statement: &StatementUse, ranges: &[&str]) -> bool {
    limit(subject, statement)
        .is_some_and(|c| ranges.contains(&c.as_str()) && subject.retention.iter().any(|r| r.column == *c))
}

/// What a layout with these ranges leaves of it: all of it for other columns, and for its own the time of dropping ranges,
/// each of so many shards.
pub(super) fn cost(subject: &Subject<'_>, ranges: &[&str], shards: u32) -> f64 {
    let per_shard = subject.profile.map_or(f64::INFINITY, |p| p.rows as f64 / f64::from(shards.max(1)));
    let left = |old: &Retention| {
        let ranged = ranges.contains(&old.column.as_str());
        old.cost * if ranged { (SHARD_REPLACED_MS / (old.ms_a_row * per_shard)).min(1.0) } else { 1.0 }
    };
    subject.retention.iter().map(left).sum()
}
