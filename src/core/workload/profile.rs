//! OLTP, OLAP or mixed, from the statements.
//!
//! A statement is *point work* if it finds few rows by value and quickly: it inserts, or pins or lists some column; does
//! not group; gives at most [`MAX_POINT_ROWS`] rows and takes at most [`MAX_POINT_MS`] per call. The share of point work
//! is the mean of its share of the calls (what the log is made of) and of the time (what the server is busy with). COPY is
//! left out: loading and unloading says nothing of how the application works.

use crate::model::statement::StatementKind;
use crate::model::workload::{StatementUse, WorkloadProfile};

/// Rows per call, by estimate: a page of a list is tens of rows, a batch of a job some hundreds; a report reads on.
pub const MAX_POINT_ROWS: f64 = 1000.0;
/// Mean milliseconds per call, by estimate: an index lookup takes well under one, and an application that waits longer
/// than 100 for a single statement is already called slow.
pub const MAX_POINT_MS: f64 = 100.0;
/// At least this share of point work: OLTP. Three quarters, so that neither all calls alone (0.5) nor all time alone does.
pub const OLTP_POINT_SHARE: f64 = 0.75;
/// At most this share of point work: OLAP. The mirror image of [`OLTP_POINT_SHARE`].
pub const OLAP_POINT_SHARE: f64 = 0.25;

/// Mixed, where there are no calls to tell by.
pub(super) fn detect(statements: &[StatementUse]) -> WorkloadProfile {
    let statements: Vec<&StatementUse> = statements.iter().filter(|s| s.kind != StatementKind::Copy).collect();
    let shares: Vec<f64> = [calls as fn(&StatementUse) -> f64, total_ms]
        .into_iter()
        .filter_map(|weight| {
            let all: f64 = statements.iter().copied().map(weight).sum();
            let point: f64 = statements.iter().copied().filter(|s| is_point_work(s)).map(weight).sum();
            (all > 0.0).then_some(point / all)
        })
        .collect();
    if shares.is_empty() {
        return WorkloadProfile::Mixed;
    }
    let share = shares.iter().sum::<f64>() / shares.len() as f64;
    if share >= OLTP_POINT_SHARE {
        WorkloadProfile::Oltp
    } else if share <= OLAP_POINT_SHARE {
        WorkloadProfile::Olap
    } else {
        WorkloadProfile::Mixed
    }
}

fn calls(statement: &StatementUse) -> f64 {
    statement.calls
}

fn total_ms(statement: &StatementUse) -> f64 {
    statement.total_ms
}

fn is_point_work(statement: &StatementUse) -> bool {
    let tables = &statement.tables;
    let by_value =
        tables.iter().any(|t| t.inserted && tables.len() == 1 || !t.pinned.is_empty() || !t.listed.is_empty());
    by_value
        && tables.iter().all(|t| t.grouped.is_empty())
        && statement.rows <= MAX_POINT_ROWS * statement.calls
        && statement.total_ms <= MAX_POINT_MS * statement.calls
}
