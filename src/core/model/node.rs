//! Places where shards live.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub location: Location,
    /// Relative share of data and load that the node takes; 1.0 is the ordinary node.
    pub capacity: f64,
    /// Nodes of one zone fail together; empty when not declared.
    pub zone: String,
    /// Applications that are near this node.
    pub serves: Vec<String>,
    /// Shards may be placed here (false while it is drained).
    pub active: bool,
    /// Free bytes, where known.
    pub free_bytes: Option<u64>,
    /// What it was found to bear; None for a node that was never calibrated here.
    pub measured: Option<NodeCapacity>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// A tablespace of this server; `pg_default` stands for the database's own.
    Tablespace(String),
    /// A postgres_fdw server.
    Server(String),
}

/// What a node bears at its best number of clients.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeCapacity {
    /// Point look-ups.
    pub reads_per_second: Option<f64>,
    /// Single-row writes.
    pub writes_per_second: Option<f64>,
    /// Clients beyond which it does less, where that was seen.
    pub clients: Option<f64>,
    /// As text, for people.
    pub measured_at: Option<String>,
}

/// What one node bears of a load, on average over the nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerNode {
    pub statements: f64,
    pub clients: f64,
    /// All nodes were measured.
    pub measured: bool,
}
