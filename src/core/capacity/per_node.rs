//! What one node bears of a load: as it was measured, or what an ordinary one does.

use super::relative::{DEFAULT_CLIENTS, DEFAULT_READS_PER_SECOND, DEFAULT_WRITES_PER_SECOND};
use crate::model::node::{NodeCapacity, PerNode};

/// For a load of which `written` (0..=1) are writes. Each node with its relative capacity and what was measured on it; a
/// node that was not measured bears as much as an ordinary one, times its relative capacity.
pub fn per_node<'a>(nodes: impl IntoIterator<Item = (f64, Option<&'a NodeCapacity>)>, written: f64) -> PerNode {
    let written = written.clamp(0.0, 1.0);
    let known = |x: Option<f64>| x.filter(|x| x.is_finite() && *x > 0.0);
    let (mut count, mut statements, mut clients, mut measured) = (0.0, 0.0, 0.0, true);
    for (relative, found) in nodes {
        let reads = known(found.and_then(|f| f.reads_per_second));
        let writes = known(found.and_then(|f| f.writes_per_second));
        let at_once = known(found.and_then(|f| f.clients));
        measured &= reads.is_some() && writes.is_some();
        let reads = reads.unwrap_or(DEFAULT_READS_PER_SECOND * relative);
        let writes = writes.unwrap_or(DEFAULT_WRITES_PER_SECOND * relative);
        statements += 1.0 / ((1.0 - written) / reads + written / writes);
        clients += at_once.unwrap_or(DEFAULT_CLIENTS * relative);
        count += 1.0;
    }
    if count == 0.0 {
        return per_node([(1.0, None)], written);
    }
    PerNode { statements: statements / count, clients: clients / count, measured }
}
