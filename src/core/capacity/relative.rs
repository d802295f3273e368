//! What nodes bear, absolutely and against each other.

use super::per_node::{mix, positive};
use crate::model::Node;
use crate::model::node::{Location, NodeCapacity};
use crate::model::words::{counted, list};
use std::collections::BTreeMap;

/// Point look-ups and single-row writes a second that a node bears that was never calibrated. Measured (benches/calibrate.sh):
/// calibrations of two busy cores with a virtual disk, PostgreSQL 15, said 39,000 to 48,000 and 1,700 to 3,400, and pgbench got
/// 20,000 to 31,000 and 2,300 to 2,700; the careful side of it.
pub const DEFAULT_READS_PER_SECOND: f64 = 20_000.0;
pub const DEFAULT_WRITES_PER_SECOND: f64 = 1_700.0;
/// Clients beyond which such a node gets slower. PostgreSQL's max_connections as it is shipped: no fewer were seen to be too many.
pub const DEFAULT_CLIENTS: f64 = 100.0;
/// Measured capacities that differ by less than this factor are alike. Measured: two calibrations of one node were up to
/// 1.6 times apart in look-ups, on a machine that others used as well.
pub const ALIKE: f64 = 2.0;

/// What the node bears, with the defaults for what was not measured.
pub fn bears(node: &Node) -> NodeCapacity {
    let known = node.measured.clone().unwrap_or_default();
    NodeCapacity {
        reads_per_second: known.reads_per_second.or(Some(DEFAULT_READS_PER_SECOND)),
        writes_per_second: known.writes_per_second.or(Some(DEFAULT_WRITES_PER_SECOND)),
        clients: known.clients.or(Some(DEFAULT_CLIENTS)),
        measured_at: known.measured_at,
    }
}

/// Capacities of nodes beside each other, 1.0 the ordinary one; 0 takes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Relative {
    pub capacities: Vec<f64>,
    /// A full sentence.
    pub because: String,
}

/// What each node can take of a load of which so large a share are writes. What was declared is the user's word. Where all
/// nodes were declared alike, servers count by what was measured of them, if all of them were; the nodes of one server
/// share it evenly: its tablespaces have the same processors, cache and log, and what was measured of one and of another
/// differs by chance.
pub fn relative(nodes: &[Node], written: f64) -> Relative {
    let declared: Vec<f64> = nodes.iter().map(|n| if usable(n) { n.capacity } else { 0.0 }).collect();
    let said = |because: String| Relative { capacities: declared.clone(), because };
    if range(&declared) > 1.0 {
        return said("Nodes take data and load by their declared capacities.".to_owned());
    }
    let mut servers: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
    for node in nodes.iter().filter(|n| usable(n)) {
        servers.entry(server(node)).or_default().push(mixed(node, written));
    }
    if servers.len() < 2 {
        return said(format!("{} of one server share it evenly.", counted(nodes.len() as u64, "node")));
    }
    let known = |rates: &Vec<Option<f64>>| {
        let rates: Vec<f64> = rates.iter().copied().flatten().collect();
        (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
    };
    let unknown: Vec<&str> = nodes
        .iter()
        .filter(|n| usable(n) && servers.get(server(n)).and_then(known).is_none())
        .map(|n| n.name.as_str())
        .collect();
    if !unknown.is_empty() {
        return said(format!("All nodes count alike, since nothing was measured of {}.", list(&unknown, 3)));
    }
    let rates: Vec<f64> = servers.values().filter_map(known).collect();
    let alike = range(&rates) <= ALIKE;
    let share = |node: &Node| {
        let of = servers.get(server(node)).filter(|_| usable(node));
        of.map_or(0.0, |of| if alike { 1.0 } else { known(of).unwrap_or_default() } / of.len() as f64)
    };
    let shares: Vec<f64> = nodes.iter().map(share).collect();
    let mean = shares.iter().sum::<f64>() / shares.iter().filter(|s| **s > 0.0).count().max(1) as f64;
    Relative {
        capacities: shares.iter().map(|s| (s / mean * 100.0).round() / 100.0).collect(),
        because: match alike {
            true => "The servers were measured and bear about the same; nodes of one server share it.",
            false => "Nodes take data and load by what was measured of their servers.",
        }
        .to_owned(),
    }
}

fn usable(node: &Node) -> bool {
    node.active && node.capacity.is_finite() && node.capacity > 0.0
}

/// The foreign server, or nothing for this one.
fn server(node: &Node) -> &str {
    match &node.location {
        Location::Server(name) => name,
        Location::Tablespace(_) => "",
    }
}

/// Largest over smallest; 1 without any.
fn range(amounts: &[f64]) -> f64 {
    let known = || amounts.iter().copied().filter(|a| *a > 0.0);
    (known().fold(0.0, f64::max) / known().fold(f64::INFINITY, f64::min)).max(1.0)
}

/// Statements a second of a mixed load on a node that was measured.
fn mixed(node: &Node, written: f64) -> Option<f64> {
    let measured = node.measured.as_ref()?;
    Some(mix(positive(measured.reads_per_second)?, positive(measured.writes_per_second)?, written))
}
