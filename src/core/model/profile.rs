//! What is known of a table's rows: all that a pass over them, or the first of them, or a server's statistics tell, or their size alone.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableProfile {
    pub rows: u64,
    /// Bytes of the rows' text in the backup, decompressed.
    pub text_bytes: u64,
    /// In the order of the backup's column list.
    pub columns: Vec<ColumnProfile>,
    /// Of columns together, where that is known.
    pub pairs: Vec<PairProfile>,
}

/// Several columns together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairProfile {
    pub columns: Vec<String>,
    pub distinct: u64,
}

impl TableProfile {
    /// Distinct values of columns together, in any order.
    pub fn distinct_together(&self, columns: &[String]) -> Option<u64> {
        let same = |pair: &&PairProfile| {
            pair.columns.len() == columns.len() && columns.iter().all(|c| pair.columns.contains(c))
        };
        self.pairs.iter().find(same).map(|pair| pair.distinct)
    }

    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// How the rows were looked at before planning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profiled {
    pub kind: ProfileKind,
    /// Of the rows, 0..=1.
    pub share: f64,
    /// A full sentence.
    pub because: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileKind {
    Whole,
    /// The first rows, from which the others are told.
    Sample,
    /// What a server knew of a table without reading it.
    Statistics,
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    pub name: String,
    /// Distinct non-null values.
    pub distinct: u64,
    /// `distinct` is a count (few values), not a sketch's estimate; where the first rows were read, those are all that are
    /// expected.
    pub distinct_exact: bool,
    pub nulls: u64,
    /// Bytes of text per non-null value.
    pub mean_width: f64,
    pub max_width: u64,
    /// Most frequent values, most frequent first, at most [`ColumnProfile::HEAVY_LIMIT`]; counts are lower bounds
    /// unless `distinct_exact`.
    pub heavy: Vec<HeavyHitter>,
    /// Correlation of a value with its place in the stream, -1..=1: 1 for a key that always grows. 0 where the type
    /// has no order that the text shows.
    pub monotonicity: f64,
    /// Equi-depth bounds: 0 %, …, 100 % of the non-null values in the type's order, from a deterministic sample;
    /// empty where the type has no order that the text shows. Where the first rows were read, theirs.
    pub quantiles: Vec<String>,
}

impl ColumnProfile {
    pub const HEAVY_LIMIT: usize = 1024;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeavyHitter {
    pub value: String,
    pub count: u64,
}

/// Rows and text bytes of a table, as far as a backup or a catalog tells without reading the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TableSize {
    pub rows: Option<u64>,
    /// Bytes of the rows' text, decompressed.
    pub bytes: Option<u64>,
}
