//! What was measured of a table's load over time, as it was found: raw samples, not yet cleaned.

use serde::{Deserialize, Serialize};

/// What a series measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Statements per second.
    Rate,
    /// Milliseconds that a statement takes.
    MeanMs,
    /// Clients at work at a time.
    Sessions,
    /// Bytes on disk.
    Bytes,
    Rows,
    /// Anything else that is a load.
    Value,
}

impl Metric {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::MeanMs => "mean_ms",
            Self::Sessions => "sessions",
            Self::Bytes => "bytes",
            Self::Rows => "rows",
            Self::Value => "value",
        }
    }

    /// What is there adds up over time; what happens does not.
    pub fn is_size(self) -> bool {
        matches!(self, Self::Bytes | Self::Rows)
    }

    /// Names that columns of it usually have, the likeliest first.
    pub fn usual_names(self) -> &'static [&'static str] {
        match self {
            Self::Rate => &["rate", "calls_per_second", "statements_per_second", "queries_per_second", "tps", "qps"],
            Self::MeanMs => &["mean_ms", "mean_exec_time", "mean_time", "latency_ms"],
            Self::Sessions => &["sessions", "active_sessions", "active", "concurrency"],
            Self::Bytes => &["bytes", "size", "size_bytes", "total_bytes"],
            Self::Rows => &["rows", "row_count", "n_live_tup"],
            Self::Value => &[],
        }
    }
}

/// One series: unix time in seconds, value.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub metric: Metric,
    /// Of the column, or of what it was worked out from.
    pub name: String,
    pub samples: Vec<(i64, f64)>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadHistory {
    /// Where it was measured, in words.
    pub source: String,
    /// At most one of each metric but [`Metric::Value`].
    pub measured: Vec<Measured>,
    /// What had to be done to read it, and what it lacks; full sentences without the full stop.
    pub notes: Vec<String>,
}

/// What a server has counted of one shard since it began to count; or, as a difference of two looks, between these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ShardCounters {
    pub seq_scans: f64,
    pub index_scans: f64,
    pub rows_read: f64,
    pub inserted: f64,
    pub updated: f64,
    /// Of the updated ones, those that no index heard of.
    pub hot_updated: f64,
    pub deleted: f64,
    /// Blocks of the table and its indexes that were in the cache, and those that were not.
    pub blocks_hit: f64,
    pub blocks_read: f64,
}

impl ShardCounters {
    pub fn reads(&self) -> f64 {
        self.seq_scans + self.index_scans
    }

    pub fn writes(&self) -> f64 {
        self.inserted + self.updated + self.deleted
    }

    pub fn all(&self) -> [f64; 9] {
        [
            self.seq_scans,
            self.index_scans,
            self.rows_read,
            self.inserted,
            self.updated,
            self.hot_updated,
            self.deleted,
            self.blocks_hit,
            self.blocks_read,
        ]
    }

    pub fn of(all: [f64; 9]) -> Self {
        let [seq_scans, index_scans, rows_read, inserted, updated, hot_updated, deleted, blocks_hit, blocks_read] = all;
        Self { seq_scans, index_scans, rows_read, inserted, updated, hot_updated, deleted, blocks_hit, blocks_read }
    }
}

/// What is there of a shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ShardExtent {
    pub live_rows: f64,
    pub dead_rows: f64,
    /// None where it could not be measured without waiting for somebody.
    pub bytes: Option<f64>,
}
