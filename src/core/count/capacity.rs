//! What a node bears: as it was measured, or what two slow cores were measured to bear.

use crate::model::node::NodeCapacity;

/// Point look-ups and updates by key that an ordinary node bears in a second. Measured on two busy cores: 127 µs a look-up on
/// each, and 3,700 updates a second. A floor rather than a guess: few servers are slower.
const READS_PER_SECOND: f64 = 15_000.0;
const WRITES_PER_SECOND: f64 = 3_700.0;
/// Clients that an ordinary node bears. PostgreSQL's max_connections as it is shipped.
const CLIENTS: f64 = 100.0;

/// What one node bears of a load, on average over the nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerNode {
    pub statements: f64,
    pub clients: f64,
    /// All nodes were measured.
    pub measured: bool,
}

impl PerNode {
    /// For a load of which `written` (0..=1) are writes. Each node with its relative capacity and what was measured on it; a
    /// node that was not measured bears as much as an ordinary one, times its relative capacity.
    pub fn of<'a>(nodes: impl IntoIterator<Item = (f64, Option<&'a NodeCapacity>)>, written: f64) -> Self {
        let written = written.clamp(0.0, 1.0);
        let known = |x: Option<f64>| x.filter(|x| x.is_finite() && *x > 0.0);
        let (mut count, mut statements, mut clients, mut measured) = (0.0, 0.0, 0.0, true);
        for (relative, found) in nodes {
            let reads = known(found.and_then(|f| f.reads_per_second));
            let writes = known(found.and_then(|f| f.writes_per_second));
            let at_once = known(found.and_then(|f| f.clients));
            measured &= reads.is_some() && writes.is_some();
            let reads = reads.unwrap_or(READS_PER_SECOND * relative);
            let writes = writes.unwrap_or(WRITES_PER_SECOND * relative);
            statements += 1.0 / ((1.0 - written) / reads + written / writes);
            clients += at_once.unwrap_or(CLIENTS * relative);
            count += 1.0;
        }
        if count == 0.0 {
            return Self::of([(1.0, None)], written);
        }
        Self { statements: statements / count, clients: clients / count, measured }
    }
}
