//! A row as a tuple of a heap (`htup_details.h`, `heap_fill_tuple`), already frozen.

use super::field::Kind;
use super::page::{Page, aligned, word};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub kind: Kind,
    pub not_null: bool,
    /// A short value may have a short header (all storage kinds but `plain`).
    pub packable: bool,
}

/// What the tuples of a table look like, and its shards, which are all alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    pub columns: Vec<Column>,
    /// Bytes that a page keeps free for later updates (`fillfactor`).
    pub spare: usize,
    /// The transaction that makes the rows; they are frozen all the same.
    pub xid: u32,
}

/// Bytes of a tuple's header before its bitmap of NULLs.
const HEADER: usize = 23;
const HAS_NULL: u16 = 0x0001;
const HAS_VARIABLE: u16 = 0x0002;
const HAS_EXTERNAL: u16 = 0x0004;
/// HEAP_XMIN_COMMITTED, HEAP_XMIN_INVALID: both together are "frozen"; HEAP_XMAX_INVALID.
const FROZEN: u16 = 0x0100 | 0x0200 | 0x0800;
/// HEAP_NATTS_MASK.
const COLUMNS: u16 = 0x07FF;
/// TOAST_TUPLE_THRESHOLD: a longer tuple goes through the toaster.
pub(super) const LONGEST: usize = 2032;
/// Longest value with a one-byte header.
const SHORT: usize = 126;

/// The values of one row in the canonical form, which checksums are made of: for each column 0 for NULL, or 1, the length
/// as u32 little-endian, and the value's bytes. See `backup::checksum::RowHasher`.
#[derive(Debug, Default, Clone)]
pub struct Values {
    canonical: Vec<u8>,
    /// Where each value is; None for NULL.
    places: SmallVec<[Option<(usize, usize)>; 16]>,
}

impl Values {
    fn clear(&mut self) {
        self.canonical.clear();
        self.places.clear();
    }

    /// The bytes of a column's value; None for NULL.
    pub fn get(&self, column: usize) -> Option<&[u8]> {
        let (start, length) = (*self.places.get(column)?)?;
        self.canonical.get(start..start + length)
    }

    pub(super) fn hash(&self) -> u128 {
        xxh3_128(&self.canonical)
    }

    fn null(&mut self) {
        self.canonical.push(0);
        self.places.push(None);
    }

    fn value(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
        self.canonical.extend([1, 0, 0, 0, 0]);
        let start = self.canonical.len();
        write(&mut self.canonical)?;
        let length = self.canonical.len() - start;
        self.canonical.get_mut(start - 4..start)?.copy_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
        self.places.push(Some((start, length)));
        Some(())
    }
}

impl Shape {
    /// The values of a row from their texts; None where one is not understood, or missing.
    pub(super) fn read<'a>(&self, texts: impl Iterator<Item = Option<&'a [u8]>>, values: &mut Values) -> Option<()> {
        values.clear();
        for (column, text) in self.columns.iter().zip(texts) {
            match text {
                Some(text) => values.value(|out| column.kind.encode(text, out))?,
                None if column.not_null => return None,
                None => values.null(),
            }
        }
        (values.places.len() == self.columns.len()).then_some(())
    }

    fn header(&self, nulls: bool) -> usize {
        aligned(HEADER + if nulls { self.columns.len().div_ceil(8) } else { 0 }, 8)
    }

    /// Adds the row to a page. None where the page is too full for it.
    pub(super) fn add(&self, values: &Values, page: &mut Page) -> Option<()> {
        let nulls = values.places.iter().any(Option::is_none);
        let header = self.header(nulls);
        let (tuple, number) = page.add(self.length(values), self.spare)?;
        let variable = self.columns.iter().any(|c| c.kind.length().is_none());
        let flags = FROZEN | if nulls { HAS_NULL } else { 0 } | if variable { HAS_VARIABLE } else { 0 };
        tuple.get_mut(0..4)?.copy_from_slice(&self.xid.to_le_bytes());
        tuple.get_mut(16..18)?.copy_from_slice(&number.to_le_bytes());
        tuple.get_mut(18..20)?.copy_from_slice(&(self.columns.len() as u16).to_le_bytes());
        tuple.get_mut(20..22)?.copy_from_slice(&flags.to_le_bytes());
        *tuple.get_mut(22)? = header as u8;
        if nulls {
            for (n, _) in values.places.iter().enumerate().filter(|(_, place)| place.is_some()) {
                *tuple.get_mut(HEADER + n / 8)? |= 1 << (n % 8);
            }
        }
        let mut at = header;
        for (column, place) in self.columns.iter().zip(&values.places) {
            let Some((start, length)) = *place else { continue };
            let value = values.canonical.get(start..start + length)?;
            if let Some(length) = column.kind.length() {
                at = aligned(at, column.kind.alignment());
                match &column.kind {
                    Kind::Enum(labels) => {
                        tuple.get_mut(at..at + length)?.copy_from_slice(&labels.get(value)?.to_le_bytes())
                    }
                    _ => tuple.get_mut(at..at + length)?.copy_from_slice(value),
                }
                at += length;
                continue;
            }
            if column.short(length) {
                *tuple.get_mut(at)? = ((length + 1) << 1 | 1) as u8;
                at += 1;
            } else {
                at = aligned(at, 4) + 4;
                tuple.get_mut(at - 4..at)?.copy_from_slice(&(((length + 4) << 2) as u32).to_le_bytes());
            }
            tuple.get_mut(at..at + length)?.copy_from_slice(value);
            at += length;
        }
        Some(())
    }

    /// Bytes of the row's tuple.
    pub(super) fn length(&self, values: &Values) -> usize {
        let header = self.header(values.places.iter().any(Option::is_none));
        self.columns.iter().zip(&values.places).fold(header, |at, (column, place)| match *place {
            None => at,
            Some((_, length)) => match column.kind.length() {
                Some(length) => aligned(at, column.kind.alignment()) + length,
                None if column.short(length) => at + 1 + length,
                None => aligned(at, 4) + 4 + length,
            },
        })
    }

    /// The values of a row, each with the bytes that it takes in a tuple; None for NULL.
    pub fn fields<'a>(&'a self, values: &'a Values) -> impl Iterator<Item = Option<(&'a [u8], usize)>> {
        self.columns.iter().enumerate().map(|(n, column)| {
            let value = values.get(n)?;
            Some((value, column.kind.length().unwrap_or(value.len() + if column.short(value.len()) { 1 } else { 4 })))
        })
    }

    /// The values of a tuple; None where one is compressed or stored apart, or the tuple has other columns.
    pub(super) fn values(&self, tuple: &[u8], values: &mut Values) -> Option<()> {
        values.clear();
        let (columns, flags) = (word(tuple, 18)? & COLUMNS, word(tuple, 20)?);
        if usize::from(columns) != self.columns.len() || flags & HAS_EXTERNAL != 0 {
            return None;
        }
        let mut at = usize::from(*tuple.get(22)?);
        for (n, column) in self.columns.iter().enumerate() {
            if flags & HAS_NULL != 0 && tuple.get(HEADER + n / 8)? >> (n % 8) & 1 == 0 {
                values.null();
                continue;
            }
            let length = match column.kind.length() {
                Some(length) => {
                    at = aligned(at, column.kind.alignment());
                    length
                }
                None => {
                    let (start, length) = variable(tuple, at)?;
                    at = start;
                    length
                }
            };
            let value = tuple.get(at..at + length)?;
            values.value(|out| {
                out.extend_from_slice(column.kind.shown(value)?);
                Some(())
            })?;
            at += length;
        }
        Some(())
    }
}

impl Column {
    fn short(&self, length: usize) -> bool {
        self.packable && length <= SHORT
    }
}

/// Where the bytes of a value of variable length start, and how many they are.
fn variable(tuple: &[u8], at: usize) -> Option<(usize, usize)> {
    match *tuple.get(at)? {
        // A pointer to a value that is stored apart.
        1 => None,
        short if short & 1 == 1 => Some((at + 1, usize::from(short >> 1) - 1)),
        _ => {
            let at = aligned(at, 4);
            let header = u32::from_le_bytes(tuple.get(at..at + 4)?.try_into().ok()?);
            // The two bits tell whether it is compressed.
            (header & 3 == 0).then_some((at + 4, (header >> 2) as usize - 4))
        }
    }
}
