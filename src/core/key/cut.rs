//! The ways to cut a table, as far as a cost depends on them: by one key, or by one key and each part by another.

use crate::model::layout::spreads_more;
use crate::model::plan::Within;
use crate::model::{Candidate, KeyColumns, Method};
use smallvec::SmallVec;

/// How one key is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    pub method: Method,
    pub count: u32,
    /// Rows of the fullest shard over the mean, where known.
    pub skew: Option<f64>,
}

/// One level, as pruning sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level<'a> {
    pub key: &'a [String],
    pub method: Method,
    pub count: u32,
}

/// A whole way to cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Cutting {
    pub key: KeyColumns,
    /// Of the first level; `skew` is that of all shards.
    pub cut: Cut,
    pub within: Option<Within>,
}

impl Cutting {
    pub fn of(key: &KeyColumns, cut: Cut) -> Self {
        Self { key: key.clone(), cut, within: None }
    }

    pub fn levels(&self) -> SmallVec<[Level<'_>; 2]> {
        let first = Level { key: &self.key, method: self.cut.method, count: self.cut.count };
        let second = self.within.iter().map(|w| Level { key: &w.key, method: w.method, count: w.count });
        std::iter::once(first).chain(second).collect()
    }

    /// The columns of all levels.
    pub fn columns(&self) -> KeyColumns {
        self.levels().iter().flat_map(|l| l.key).cloned().collect()
    }

    /// Shards of all parts together.
    pub fn shards(&self) -> u32 {
        self.levels().iter().fold(1, |n, l| n.saturating_mul(l.count))
    }

    /// The level that spreads rows and inserts; see [`crate::model::Layout::spread`].
    pub fn spread(&self) -> Level<'_> {
        let first = Level { key: &self.key, method: self.cut.method, count: self.cut.count };
        self.levels().into_iter().skip(1).fold(first, |a, b| if spreads_more(b.method, a.method) { b } else { a })
    }
}

impl From<&Candidate> for Cutting {
    fn from(candidate: &Candidate) -> Self {
        let each = candidate.within.as_ref().map_or(1, |w| w.count.max(1));
        let count = candidate.shard_count / each;
        let cut = Cut { method: candidate.method, count, skew: candidate.evidence.skew };
        Self { key: candidate.key.clone(), cut, within: candidate.within.clone() }
    }
}
