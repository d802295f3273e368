//! The hash by which PostgreSQL picks a hash partition: of one value, of a key, and the remainder that decides.
//!
//! Equal to the server's own on little-endian machines, under any deterministic collation, for text in the server's
//! encoding. A column under a nondeterministic collation must not be asked about here: its text does not say.

use super::lookup3::{hash_bytes, hash_word};
use super::types::HashType;
use super::value::Value;

/// Seed of every partition hash, fixed in PostgreSQL since 11 because stored rows depend on it.
pub const HASH_PARTITION_SEED: u64 = 0x7A5B_2236_7996_DCFD;

/// PostgreSQL's extended hash of a value's COPY text (already unescaped) under [`HASH_PARTITION_SEED`]; None where
/// the text alone does not tell.
pub fn hash_value(hash_type: HashType, text: &[u8]) -> Option<u64> {
    Some(of_value(&Value::read(hash_type, text)?))
}

/// Hash of a whole key. NULLs (None) contribute nothing, so a key of NULLs hashes to 0. None as in [`hash_value`].
pub fn row_hash<'a>(key: impl IntoIterator<Item = (HashType, Option<&'a [u8]>)>) -> Option<u64> {
    key.into_iter().try_fold(0, |row, (hash_type, text)| match text {
        Some(text) => Some(combine(row, hash_value(hash_type, text)?)),
        None => Some(row),
    })
}

/// Remainder of the partition that a row hash belongs to; None for modulus 0, which no partition has.
pub fn remainder(hash: u64, modulus: u32) -> Option<u32> {
    hash.checked_rem(u64::from(modulus)).and_then(|r| u32::try_from(r).ok())
}

pub(super) fn of_key(key: &[Option<Value<'_>>]) -> u64 {
    key.iter().flatten().fold(0, |row, value| combine(row, of_value(value)))
}

fn of_value(value: &Value<'_>) -> u64 {
    const SEED: u64 = HASH_PARTITION_SEED;
    match value {
        Value::Int(int) => hash_word(fold(*int), SEED),
        // Both zeros hash alike, and so do reals and doubles of one value.
        Value::Float(float) if float.0 == 0.0 => SEED,
        Value::Float(float) => hash_bytes(&float.0.to_le_bytes(), SEED),
        Value::Decimal(decimal) => decimal.hash(SEED),
        Value::Bytes(bytes) => hash_bytes(bytes, SEED),
    }
}

/// 64 bits to 32 such that an int8 hashes like the int4 or int2 of the same value.
fn fold(int: i64) -> u32 {
    let (high, low) = ((int >> 32) as u32, int as u32);
    low ^ if int < 0 { !high } else { high }
}

/// `hash_combine64`: order matters, so that (1, 2) and (2, 1) part.
fn combine(row: u64, value: u64) -> u64 {
    row ^ value.wrapping_add(0x49a0_f4dd_15e5_a8e3).wrapping_add(row << 54).wrapping_add(row >> 7)
}
