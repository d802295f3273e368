//! What the monitor concludes about a table.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The gravest last: of several that hold, it is the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Healthy,
    /// More shards than anything asks for.
    OverSharded,
    /// For a while already, some shards do much more than others, or are much larger.
    Skewed,
    /// What its nodes bear will not suffice within the horizon.
    Growing,
    /// Its shards are evenly busy, and too few for its nodes, or too large.
    UnderSharded,
    /// A copy of a shard is behind.
    Lagging,
    /// One shard does the work of many.
    HotShard,
    /// One value of the key does.
    HotValue,
    /// A disk is.
    Full,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::OverSharded => "over-sharded",
            Self::Skewed => "skewed",
            Self::Growing => "growing",
            Self::UnderSharded => "under-sharded",
            Self::Lagging => "lagging",
            Self::HotShard => "hot shard",
            Self::HotValue => "hot value",
            Self::Full => "full",
        }
    }
}

/// A verdict with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    pub verdict: Verdict,
    /// Unix time from which on what it says was seen.
    pub since: i64,
    /// The shards that it is about, by their numbers.
    pub shards: Vec<u32>,
    /// Full sentences.
    pub because: String,
    /// What is expected; None where nothing can be said.
    pub forecast: Option<String>,
    pub figures: BTreeMap<String, f64>,
}
