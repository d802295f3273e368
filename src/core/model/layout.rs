//! How a table is cut: by one key, or by one key and within each part by another.
//!
//! A shard is one leaf partition at either depth, with a bound for each level. Shards with one `bound` are one part of the
//! first level, an inner partition that has no rows of its own. Documents of one level are written without the second.

use super::plan::{KeyColumns, Method};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    pub method: Method,
    pub key: KeyColumns,
    /// The second level, the same for every part of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Empty for `reference` and `none`.
    pub shards: Vec<Shard>,
}

/// The cut of every part of a first level.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Within {
    pub method: Method,
    pub key: KeyColumns,
    /// Shards that a part was planned with.
    pub count: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// 0, 1, …: part of the shard's name.
    pub ordinal: u32,
    /// Of the first level.
    pub bound: Bound,
    /// Of the second level, where the layout has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Bound>,
    /// Name of the node it lives on.
    pub node: String,
    /// Nodes with a copy of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// Expected share of the table's rows, 0..=1.
    pub share: f64,
}

impl Shard {
    /// Of one level, without copies, of an unknown share.
    pub fn new(ordinal: u32, bound: Bound, node: &str) -> Self {
        Self { ordinal, bound, within: None, node: node.to_owned(), copies: Vec::new(), share: 0.0 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    Hash {
        modulus: u32,
        remainder: u32,
    },
    /// Inclusive lower, exclusive upper bound, one text per key column; None is MINVALUE / MAXVALUE.
    Range {
        from: Option<Vec<String>>,
        to: Option<Vec<String>>,
    },
    /// Values of the single key column; None is NULL.
    List {
        values: Vec<Option<String>>,
    },
    Default,
}

/// A partition of the first level with its shards. Its number is its place among the parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'a> {
    pub bound: &'a Bound,
    pub shards: Vec<&'a Shard>,
}

impl Layout {
    /// The columns of all levels: a unique constraint holds over the whole table only if it contains every one of them.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        self.key.iter().chain(self.within.iter().flat_map(|w| &w.key))
    }

    /// The parts of the first level, in the order of their shards. With one level every shard is a part.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let mut out: Vec<Part<'_>> = Vec::new();
        for shard in &self.shards {
            match out.iter_mut().find(|p| *p.bound == shard.bound) {
                Some(part) => part.shards.push(shard),
                None => out.push(Part { bound: &shard.bound, shards: vec![shard] }),
            }
        }
        out
    }

    /// The level by which rows and inserts are spread: a hash before a list before a range. Its shards have the nodes, and
    /// tables that are cut alike agree on it.
    pub fn spread(&self) -> Self {
        let Some(within) = &self.within else { return self.clone() };
        let second = spreads_more(within.method, self.method);
        let (method, key) = if second { (within.method, &within.key) } else { (self.method, &self.key) };
        let mut shards: Vec<Shard> = Vec::new();
        for shard in &self.shards {
            let Some(bound) = (if second { shard.within.as_ref() } else { Some(&shard.bound) }) else { continue };
            match shards.iter_mut().find(|s| s.bound == *bound) {
                Some(known) => known.share += shard.share,
                None => {
                    let ordinal = u32::try_from(shards.len()).unwrap_or(u32::MAX);
                    shards.push(Shard { ordinal, bound: bound.clone(), within: None, ..shard.clone() });
                }
            }
        }
        Self { method, key: key.clone(), within: None, shards }
    }
}

/// The second of two levels spreads rows better than the first.
pub fn spreads_more(second: Method, first: Method) -> bool {
    let rank = |m: Method| match m {
        Method::Hash => 2,
        Method::List => 1,
        _ => 0,
    };
    rank(second) > rank(first)
}
