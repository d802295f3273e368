//! What can be done to the shards of a table while it is in use.

use serde::{Deserialize, Serialize};

/// How far the monitor may go by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    Off,
    Advise,
    On,
}

impl Auto {
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Advise => "advise",
            Self::On => "on",
        }
    }
}

/// Shards by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// Into two halves, beside each other.
    Split { shard: u32 },
    /// To another node.
    Move { shard: u32, from: String, to: String },
    /// Into one.
    Merge { shards: [u32; 2] },
    /// One value of the key into a shard of its own.
    Isolate { shard: u32, value: String },
}

impl Move {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Split { .. } => "split",
            Self::Move { .. } => "move",
            Self::Merge { .. } => "merge",
            Self::Isolate { .. } => "isolate",
        }
    }

    /// The shards that it concerns.
    pub fn shards(&self) -> Vec<u32> {
        match self {
            Self::Split { shard } | Self::Move { shard, .. } | Self::Isolate { shard, .. } => vec![*shard],
            Self::Merge { shards } => shards.to_vec(),
        }
    }

    /// It would undo the other.
    pub fn undoes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Move { shard, to, .. }, Self::Move { shard: moved, from, .. }) => shard == moved && to == from,
            (Self::Merge { shards }, Self::Split { shard }) => shards.contains(shard),
            (Self::Split { shard }, Self::Merge { shards }) => shards.contains(shard),
            _ => false,
        }
    }
}

/// A move with what speaks for it and what it costs, in seconds of an ordinary node's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The table, by its number.
    pub table: u32,
    pub action: Move,
    /// Overload that it avoids within the horizon.
    pub gain: f64,
    pub cost: f64,
    pub bytes: f64,
    /// Slots ahead after which the first overload is expected that it avoids; 0 for now.
    pub ahead: usize,
    /// A full sentence.
    pub because: String,
}
