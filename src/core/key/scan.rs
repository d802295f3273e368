//! Statements that read the table from end to end to return a part of it: what shards spare them.

use super::cut::Level;
use super::subject::Subject;
use super::visits::{ROW_MS, Visits};
use crate::model::workload::StatementUse;

/// Part of the time of reading the whole table that a statement must take to have read it all. Assumed: half, since machines and
/// rows differ.
const MOST_OF_IT: f64 = 0.5;
/// Milliseconds of finding a row by index and returning it. Assumed: five times those of reading the next one.
const FOUND_ROW_MS: f64 = 5.0 * ROW_MS;
/// Rows below which reading all of them tells nothing of how they were found. Assumed: a few hundred pages at most.
const MANY_ROWS: u64 = 10_000;

/// By its time the statement reads all rows, and by its rows it needs far fewer: no index finds them. Of an aggregate nobody
/// knows how many it needs.
pub(super) fn reads_all(subject: &Subject<'_>, statement: &StatementUse) -> bool {
    let Some(rows) = subject.profile.map(|p| p.rows).filter(|r| *r >= MANY_ROWS) else { return false };
    if statement.calls <= 0.0 || statement.tables.len() != 1 {
        return false;
    }
    let (ms, returned) = (statement.total_ms / statement.calls, statement.rows / statement.calls);
    let aggregate = (returned - 1.0).abs() < 0.001;
    !aggregate && ms >= MOST_OF_IT * rows as f64 * ROW_MS && returned * FOUND_ROW_MS <= ms / 2.0
}

/// The part of the table that such a statement still reads.
pub(super) fn left(visits: &Visits, levels: &[Level<'_>]) -> f64 {
    let shards = levels.iter().fold(1.0, |n, l| n * f64::from(l.count.max(1)));
    ((1.0 + visits.further) / shards).min(1.0)
}
