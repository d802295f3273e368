//! How much a statement counts.
//!
//! A transaction-processing load is made of calls, an analytical one of time; a mixed one of both halves.

use crate::model::workload::{StatementUse, Workload, WorkloadProfile};

/// Milliseconds that one more shard adds to a statement that cannot be pruned. Measured: a point lookup takes
/// 0.127–0.144 ms, nearly all of it per shard; planning adds up to 0.04 ms a shard.
const SHARD_OVERHEAD_MS: f64 = 0.15;

/// Weight of each statement; the sum is 1, or all are 0 for an empty log.
pub(super) fn weights(workload: &Workload, kind: WorkloadProfile) -> Vec<f64> {
    let calls = shares(workload.statements.iter().map(|s| s.calls));
    let time = shares(workload.statements.iter().map(|s| s.total_ms));
    match kind {
        WorkloadProfile::Oltp => calls,
        // A log without times still counts calls.
        WorkloadProfile::Olap if time.iter().all(|w| *w == 0.0) => calls,
        WorkloadProfile::Olap => time,
        WorkloadProfile::Mixed => calls.iter().zip(&time).map(|(c, t)| (c + t) / 2.0).collect(),
    }
}

/// The part of a shard's overhead that is felt: all of it where calls count; where time counts, overhead over the
/// statement's own mean time, since ten seconds of work do not care for eight lookups more.
pub(super) fn overhead_felt(kind: WorkloadProfile, statement: &StatementUse) -> f64 {
    let mean_ms = if statement.calls > 0.0 { statement.total_ms / statement.calls } else { 0.0 };
    let of_time = if mean_ms > SHARD_OVERHEAD_MS { SHARD_OVERHEAD_MS / mean_ms } else { 1.0 };
    match kind {
        WorkloadProfile::Oltp => 1.0,
        WorkloadProfile::Olap => of_time,
        WorkloadProfile::Mixed => (1.0 + of_time) / 2.0,
    }
}

fn shares(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let figures: Vec<f64> = figures.map(|f| if f.is_finite() && f > 0.0 { f } else { 0.0 }).collect();
    let total: f64 = figures.iter().sum();
    if total > 0.0 { figures.iter().map(|f| f / total).collect() } else { figures }
}
