//! A checksum of a table's content that does not depend on the order of its rows.
//!
//! Every row is written in one canonical form and hashed; the hashes are added up. The backup's rows are summed while they
//! are read, each shard's rows where they lie, and the shards' sums merged: equal sums and counts mean equal content.
//! A sum, not an exclusive or: under xor, a row that is there twice cancels itself, so that losing both copies, or loading
//! four, would go unseen. Addition modulo 2^128 keeps the same freedom of order and counts every copy.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// Hashes rows; keeps its buffer from row to row.
#[derive(Debug, Default)]
pub struct RowHasher {
    canonical: Vec<u8>,
}

impl RowHasher {
    pub fn new() -> Self {
        Self::default()
    }

    /// xxh3-128 of the row's canonical bytes: for each field 0x00 if it is NULL, else 0x01, the length as u32 little-endian
    /// and the bytes of the value's text. Lengths are part of it so that ('a', 'bc') and ('ab', 'c') differ.
    pub fn hash<'a>(&mut self, fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> u128 {
        self.canonical.clear();
        for field in fields {
            match field {
                None => self.canonical.push(0),
                Some(value) => {
                    self.canonical.push(1);
                    // PostgreSQL's values stay below 1 GB.
                    self.canonical.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
                    self.canonical.extend_from_slice(value);
                }
            }
        }
        xxh3_128(&self.canonical)
    }
}

/// Number of rows and the sum of their hashes, modulo 2^128. Shown as the sum's 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    pub rows: u64,
    /// In documents 32 hexadecimal digits: JSON numbers of this size do not survive every reader.
    #[serde(serialize_with = "write_hex", deserialize_with = "read_hex")]
    pub sum: u128,
}

impl Checksum {
    /// Counts one row by its hash, see [`RowHasher::hash`].
    pub fn add(&mut self, row_hash: u128) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(row_hash);
    }

    /// Counts the rows of another part of the table.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}

fn write_hex<S: Serializer>(sum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{sum:032x}"))
}

fn read_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let text = String::deserialize(deserializer)?;
    u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}
