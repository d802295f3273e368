//! How large the rows of each table of a backup are, from what the backup stores.
//!
//! A script's rows are counted; an archive tells how many bytes each table takes in it. Where those are compressed, the
//! table that was read shows by how much, and the others are taken to compress alike.

use crate::model::profile::TableSize;
use crate::model::{TableName, TableProfile};
use std::collections::BTreeMap;

/// Stored bytes from which a table shows how well rows compress: below, the frame around them counts for much. Assumed.
const ENOUGH_TO_TELL: u64 = 16 << 10;
/// Bytes that an archive stores for no rows at most: a block's head and the end of a compressed stream.
const EMPTY: u64 = 64;
/// Bytes of text for one byte stored, where no table shows it. Assumed: zlib makes a half of random digits, a tenth of words that
/// repeat.
const USUAL_RATIO: f64 = 4.0;
/// What is believed of a table's ratio: a table of one repeated row would make all others seem a hundred times larger.
const RATIOS: std::ops::RangeInclusive<f64> = 1.0..=20.0;

/// What a backup stores of its tables' rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    pub compressed: bool,
    pub tables: BTreeMap<TableName, StoredRows>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredRows {
    pub bytes: u64,
    /// Counted in a script; an archive does not say.
    pub rows: Option<u64>,
}

impl Stored {
    /// What an archive tells: bytes alone.
    pub fn of_archive(compressed: bool, sizes: BTreeMap<TableName, u64>) -> Self {
        let tables = sizes.into_iter().map(|(table, bytes)| (table, StoredRows { bytes, rows: None }));
        Self { compressed, tables: tables.collect() }
    }

    /// Counts whole lines of a script's COPY section.
    pub fn count(&mut self, table: &TableName, lines: &[u8]) {
        if !self.tables.contains_key(table) {
            self.tables.insert(table.clone(), StoredRows::default());
        }
        if let Some(rows) = self.tables.get_mut(table) {
            rows.bytes += lines.len() as u64;
            *rows.rows.get_or_insert(0) += memchr::memchr_iter(b'\n', lines).count() as u64;
        }
    }

    /// The stored rows of a table by those of its parts (itself and its partitions); None where none of them is known.
    pub fn sum<'a>(&self, parts: impl IntoIterator<Item = &'a TableName>) -> Option<StoredRows> {
        let known = parts.into_iter().filter_map(|part| self.tables.get(part)).copied();
        known.reduce(|a, b| StoredRows {
            bytes: a.bytes.saturating_add(b.bytes),
            rows: a.rows.zip(b.rows).map(|(a, b)| a + b),
        })
    }

    /// As far as the backup tells: an empty section takes a few bytes in an archive.
    pub fn has_rows(&self, table: &TableName) -> bool {
        self.tables.get(table).is_some_and(|rows| rows.bytes > EMPTY)
    }

    /// Bytes of text for one stored byte, as the table that was read shows; else the usual.
    pub fn ratio(&self, read: Option<(StoredRows, &TableProfile)>) -> f64 {
        match read {
            _ if !self.compressed => 1.0,
            Some((stored, profile)) if stored.bytes >= ENOUGH_TO_TELL => {
                (profile.text_bytes as f64 / stored.bytes as f64).clamp(*RATIOS.start(), *RATIOS.end())
            }
            _ => USUAL_RATIO,
        }
    }
}

impl StoredRows {
    /// The size of the rows' text.
    pub fn size(self, ratio: f64) -> TableSize {
        TableSize { rows: self.rows, bytes: Some((self.bytes as f64 * ratio).round() as u64) }
    }
}
