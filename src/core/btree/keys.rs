//! From the columns of a row to a word that sorts as they do, and back.

use crate::heap::Kind;
use crate::route::HashType;
use smallvec::SmallVec;

/// One column of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Which column of the table it is.
    pub column: usize,
    pub(super) bytes: usize,
    order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Signed,
    Unsigned,
    /// Byte by byte, as a UUID.
    Bytes,
}

impl Key {
    /// Ascending, by the type's usual operators. None for a type whose values are no words, or sort in another way.
    pub fn new(column: usize, kind: &Kind) -> Option<Self> {
        let order = match kind {
            Kind::Uuid => Order::Bytes,
            Kind::Scalar(HashType::Oid | HashType::Boolean | HashType::Char) => Order::Unsigned,
            // Zero has two forms, and is not a number has many.
            Kind::Scalar(HashType::Real | HashType::Double) => return None,
            Kind::Scalar(_) => Order::Signed,
            _ => return None,
        };
        Some(Self { column, bytes: kind.length()?, order })
    }

    fn bits(self) -> u32 {
        8 * self.bytes as u32
    }

    /// The word of a value's little-endian bytes.
    fn word(self, value: &[u8]) -> Option<u128> {
        let mut bytes = [0; 16];
        bytes.get_mut(..self.bytes)?.copy_from_slice(value);
        Some(match self.order {
            Order::Unsigned => u128::from_le_bytes(bytes),
            Order::Signed => u128::from_le_bytes(bytes) ^ 1 << (self.bits() - 1),
            Order::Bytes => u128::from_be_bytes(bytes),
        })
    }

    /// Appends the value of a word, of which only the last bits are its own.
    fn value(self, word: u128, out: &mut Vec<u8>) {
        let bytes = match self.order {
            Order::Unsigned => word.to_le_bytes(),
            Order::Signed => (word ^ 1 << (self.bits() - 1)).to_le_bytes(),
            Order::Bytes => word.to_be_bytes(),
        };
        out.extend(bytes.get(..self.bytes).unwrap_or_default());
    }
}

/// The columns of an index, the first one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(SmallVec<[Key; 2]>);

/// Bytes of a key at most: two machine words.
const MOST: usize = 16;
const WORD: usize = 8;

impl Keys {
    /// None where they do not fit.
    pub fn new(keys: &[Key]) -> Option<Self> {
        let bytes: usize = keys.iter().map(|k| k.bytes).sum();
        (1..=MOST).contains(&bytes).then(|| Self(keys.into()))
    }

    /// The columns of the table that they are.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|k| k.column)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// No entries yet, of the size that these keys need.
    pub fn entries(&self) -> Entries {
        let bytes: usize = self.0.iter().map(|k| k.bytes).sum();
        let words = if bytes <= WORD { Words::Narrow(Vec::new()) } else { Words::Wide(Vec::new()) };
        Entries { words, nulls: Vec::new() }
    }

    /// Adds a row at `tid`; `value` gives the little-endian bytes of a column, None for NULL. None where a row cannot be in such an
    /// index: one of several columns is NULL.
    pub fn add<'a>(&self, entries: &mut Entries, tid: Tid, value: impl Fn(usize) -> Option<&'a [u8]>) -> Option<()> {
        let mut word = 0_u128;
        for key in &self.0 {
            match value(key.column) {
                // The first key takes all bits where it is as wide as they are.
                Some(value) => word = word.unbounded_shl(key.bits()) | key.word(value)?,
                None if self.count() == 1 => {
                    entries.nulls.push(tid);
                    return Some(());
                }
                None => return None,
            }
        }
        match &mut entries.words {
            Words::Narrow(words) => words.push((word as u64, tid)),
            Words::Wide(words) => words.push((word, tid)),
        }
        Some(())
    }

    /// The values of a word, aligned as in an index tuple.
    pub(super) fn values(&self, word: u128, out: &mut Vec<u8>) {
        let start = out.len();
        let mut behind: u32 = self.0.iter().map(|k| k.bits()).sum();
        for key in &self.0 {
            behind -= key.bits();
            let alignment = if key.order == Order::Bytes { 1 } else { key.bytes };
            out.resize(start + (out.len() - start).next_multiple_of(alignment), 0);
            let own = if key.bits() == u128::BITS { u128::MAX } else { (1 << key.bits()) - 1 };
            key.value(word >> behind & own, out);
        }
    }
}

/// A row's place: its block, and its number there in the last 16 bits.
pub type Tid = u64;

/// Rows of one table for one index.
#[derive(Debug, Clone)]
pub struct Entries {
    pub(super) words: Words,
    /// Rows whose key is NULL, which sort last.
    pub(super) nulls: Vec<Tid>,
}

#[derive(Debug, Clone)]
pub(super) enum Words {
    Narrow(Vec<(u64, Tid)>),
    Wide(Vec<(u128, Tid)>),
}

impl Entries {
    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        let words = match &self.words {
            Words::Narrow(words) => words.len() * size_of::<(u64, Tid)>(),
            Words::Wide(words) => words.len() * size_of::<(u128, Tid)>(),
        };
        words + self.nulls.len() * size_of::<Tid>()
    }

    /// Takes what another part of the table has.
    pub fn append(&mut self, mut other: Self) {
        match (&mut self.words, &mut other.words) {
            (Words::Narrow(all), Words::Narrow(more)) => all.append(more),
            (Words::Wide(all), Words::Wide(more)) => all.append(more),
            // Both are of the same keys.
            (Words::Narrow(_), Words::Wide(_)) | (Words::Wide(_), Words::Narrow(_)) => {}
        }
        self.nulls.append(&mut other.nulls);
    }

    pub(super) fn sort(&mut self) {
        match &mut self.words {
            Words::Narrow(words) => words.sort_unstable(),
            Words::Wide(words) => words.sort_unstable(),
        }
        self.nulls.sort_unstable();
    }
}
