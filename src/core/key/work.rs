//! What all statements on a table do under a layout, on average over their calls.

use super::access::writes_table;
use super::context::Weighed;
use super::cut::Level;
use super::subject::{Basis, Subject};
use super::visits::{Visits, visits};
use super::{retention, scan};
use crate::model::Method;
use crate::model::workload::Work;

/// Of a table without statements: of the look-ups that its definition suggests.
pub fn work(subject: &Subject<'_>, levels: &[Level<'_>]) -> Work {
    let by = |method: Method| levels.iter().filter(move |l| l.method == method);
    let ranges: Vec<&str> = by(Method::Range).flat_map(|l| l.key.first()).map(String::as_str).collect();
    let mut sum = Work::default();
    let mut calls = 0.0;
    let found = subject.statements.iter().filter(|w| !retention::is_spared(subject, &w.statement, &ranges));
    for Weighed { statement, weight, .. } in found {
        let times = if subject.basis == Basis::Assumed { *weight } else { statement.calls };
        let visits = visits(subject, statement, levels);
        sum.further += times * visits.further;
        sum.changes += if writes_table(subject, statement) { times } else { 0.0 };
        sum.ms += statement.total_ms;
        if scan::reads_all(subject, statement) {
            sum.spared_ms += statement.total_ms * (1.0 - scan::left(&visits, levels));
        }
        calls += times;
    }
    // Rows to come in the order of the key fill its last range.
    let leaves: u32 = by(Method::Hash).map(|l| l.count).product();
    for statement in subject.inserts() {
        let rows = if statement.calls > 0.0 { statement.rows / statement.calls } else { 0.0 };
        sum.leaves += statement.calls * Visits::of_values(rows.clamp(1.0, MOST_ROWS).round() as u32, leaves).further;
        sum.ms += statement.total_ms;
        calls += statement.calls;
    }
    if calls <= 0.0 {
        return Work::default();
    }
    Work {
        ms: sum.ms / calls,
        spared_ms: sum.spared_ms / calls,
        changes: sum.changes / calls,
        further: sum.further / calls,
        leaves: sum.leaves / calls,
    }
}

/// Rows of one INSERT or COPY that surely reach every shard.
const MOST_ROWS: f64 = 1e6;
