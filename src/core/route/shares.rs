//! The exact share of the rows that each remainder would get, where the key has few enough values to count them.
//!
//! A hundred equal values over sixteen shards are not equal shards: which shares come out is a fact of the hash, known
//! before the first row is sent, and no estimate.

use super::hash::{remainder, row_hash};
use super::types::HashType;

/// Shares of the rows, 0..=1, by remainder 0..modulus; their sum is 1. `frequencies` are a key column's values (None
/// for NULL), each with its number of rows. None if a value cannot be hashed from its text, or there are no rows.
pub fn shares<'a>(
    hash_type: HashType,
    frequencies: impl IntoIterator<Item = (Option<&'a [u8]>, u64)>,
    modulus: u32,
) -> Option<Vec<f64>> {
    let mut rows = vec![0_u64; usize::try_from(modulus).ok()?];
    for (value, count) in frequencies {
        let shard = remainder(row_hash([(hash_type, value)])?, modulus)?;
        let sum = rows.get_mut(usize::try_from(shard).ok()?)?;
        *sum = sum.saturating_add(count);
    }
    let total: f64 = rows.iter().map(|r| *r as f64).sum();
    (total > 0.0).then(|| rows.iter().map(|r| *r as f64 / total).collect())
}
