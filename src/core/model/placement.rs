//! Where the shards of a plan are, and how well that is balanced.

use super::node::NodeCapacity;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacementDecision {
    /// On disk with indexes, after the restore; None where the size is not known.
    pub bytes: Option<u64>,
    /// What each node takes, in the order of the nodes; empty for a table that is not sharded.
    pub nodes: Vec<NodeShare>,
    /// The fullest node over the mean, of bytes or load, whichever is worse; 1.0 is even.
    pub evenness: f64,
    /// No placement of these shards on these nodes is evener.
    pub lower_bound: f64,
    /// Share of the load that is near the application that brings it, where the config names applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<f64>,
    /// A full sentence.
    pub because: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeShare {
    pub node: String,
    pub zone: String,
    pub serves: Vec<String>,
    /// Against the other nodes, as it was balanced; 1.0 is the ordinary node.
    pub capacity: f64,
    /// What it was taken to bear; without a date, the defaults.
    pub bears: NodeCapacity,
    pub shards: u32,
    /// Copies of other nodes' shards.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copies: u32,
    /// Of its shards and copies.
    pub bytes: Option<u64>,
    /// Of the rows and of the load, 0..=1.
    pub share: f64,
    pub load: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}
