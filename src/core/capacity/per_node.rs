//! What one node bears of a load: as it was measured, or what an ordinary one does.

use super::relative::{DEFAULT_CLIENTS, DEFAULT_READS_PER_SECOND, DEFAULT_WRITES_PER_SECOND};
use crate::model::node::{NodeCapacity, PerNode};

/// For a load of which `written` (0..=1) are writes. Each node with its relative capacity and what was measured on it; a
/// node that was not measured bears as much as an ordinary one, times its relative capacity.
pub fn per_node<'a>(nodes: impl IntoIterator<Item = (f64, Option<&'a NodeCapacity>)>, written: f64) -> PerNode {
    let (mut count, mut statements, mut clients, mut measured) = (0.0, 0.0, 0.0, true);
    for (relative, found) in nodes {
        let reads = positive(found.and_then(|f| f.reads_per_second));
        let writes = positive(found.and_then(|f| f.writes_per_second));
        let at_once = positive(found.and_then(|f| f.clients));
        measured &= reads.is_some() && writes.is_some();
        let reads = reads.unwrap_or(DEFAULT_READS_PER_SECOND * relative);
        let writes = writes.unwrap_or(DEFAULT_WRITES_PER_SECOND * relative);
        statements += mix(reads, writes, written);
        clients += at_once.unwrap_or(DEFAULT_CLIENTS * relative);
        count += 1.0;
    }
    if count == 0.0 {
        return per_node([(1.0, None)], written);
    }
    PerNode { statements: statements / count, clients: clients / count, measured }
}

/// What was measured, if it is a figure at all.
pub(super) fn positive(rate: Option<f64>) -> Option<f64> {
    rate.filter(|r| r.is_finite() && *r > 0.0)
}

/// Statements a second of which `written` (0..=1) are writes: each statement takes its time.
pub(super) fn mix(reads: f64, writes: f64, written: f64) -> f64 {
    let written = written.clamp(0.0, 1.0);
    1.0 / ((1.0 - written) / reads + written / writes)
}
