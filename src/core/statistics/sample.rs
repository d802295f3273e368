//! A random sample of a table's rows: each draws a lot, and those with the lowest are the sample.
//!
//! A row's lot depends on its place alone, so that the sample is the same in whatever order, and by however many threads, the rows are read;
//! and the sample of several tables together is made of theirs.

use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Rows sampled for each unit of a column's statistics target (`std_typanalyze`, after Chaudhuri, Motwani and Narasayya).
const ROWS_PER_TARGET: usize = 300;
/// Rows sampled at least (`do_analyze_rel`).
const FEWEST: usize = 100;
/// A value of more bytes, its length among them, is counted and not looked at (WIDTH_THRESHOLD).
const WIDEST: usize = 1024;
/// Bytes of a value's length.
const LENGTH: usize = 4;
/// In place of a width: there is no value. In place of a length: the value is too wide.
const NONE: u32 = u32::MAX;

/// Rows to sample for columns with these statistics targets, of which 0 wants none.
pub fn rows_for(targets: impl Iterator<Item = usize>) -> usize {
    targets.map(|target| target * ROWS_PER_TARGET).fold(FEWEST, usize::max)
}

/// What the row at `tid` of the table with that number draws.
pub fn lot(table: u32, tid: u64) -> u64 {
    xxh3_64_with_seed(&tid.to_le_bytes(), table.into())
}

/// One row. `place`: its table's number, and its place there.
#[derive(Debug, Clone)]
pub struct Row {
    lot: u64,
    place: (u32, u64),
    values: Arc<[u8]>,
}

impl Row {
    /// `fields`: for each column its value, without a length, and the bytes that it takes in the table; None for NULL.
    pub fn new<'a>(
        place: (u32, u64),
        fields: impl Iterator<Item = Option<(&'a [u8], usize)>>,
        scratch: &mut Vec<u8>,
    ) -> Self {
        scratch.clear();
        for field in fields {
            let Some((value, width)) = field else {
                scratch.extend(NONE.to_le_bytes());
                continue;
            };
            scratch.extend(u32::try_from(width).unwrap_or(NONE - 1).to_le_bytes());
            match u32::try_from(value.len()) {
                Ok(length) if value.len() + LENGTH <= WIDEST => {
                    scratch.extend(length.to_le_bytes());
                    scratch.extend(value);
                }
                _ => scratch.extend(NONE.to_le_bytes()),
            }
        }
        Self { lot: lot(place.0, place.1), place, values: scratch.as_slice().into() }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.values.len()
    }
}

/// Rows with the lowest lots so far.
#[derive(Debug)]
pub struct Sample {
    most: usize,
    rows: Vec<Row>,
    limit: u64,
    bytes: usize,
}

impl Sample {
    /// A sample of so many rows at most.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), rows: Vec::new(), limit: u64::MAX, bytes: 0 }
    }

    /// Rows with a higher lot are not wanted any more.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn add(&mut self, row: Row) {
        if row.lot > self.limit {
            return;
        }
        self.bytes += row.bytes();
        self.rows.push(row);
        // A quarter too many, so that choosing costs little for each row.
        if self.rows.len() > self.most + self.most / 4 {
            self.cut();
        }
    }

    /// Adds those of another sample that belong here as well.
    pub fn add_all(&mut self, rows: &Rows) {
        rows.rows.iter().for_each(|row| self.add(row.clone()));
    }

    fn cut(&mut self) {
        if self.rows.len() > self.most {
            let (_, last, _) = self.rows.select_nth_unstable_by_key(self.most - 1, |row| (row.lot, row.place));
            self.limit = last.lot;
            self.rows.truncate(self.most);
            self.bytes = self.rows.iter().map(Row::bytes).sum();
        }
    }

    /// The sample, in the order of the tables. `columns`: how many each row has.
    pub fn finish(mut self, columns: usize) -> Rows {
        self.cut();
        self.rows.sort_unstable_by_key(|row| row.place);
        let mut starts = Vec::with_capacity(self.rows.len() * columns);
        for row in &self.rows {
            let mut at = 0;
            for _ in 0..columns {
                starts.push(u32::try_from(at).unwrap_or(NONE));
                at += match read(&row.values, at) {
                    Field::Null => LENGTH,
                    Field::Wide { .. } => 2 * LENGTH,
                    Field::Value { value, .. } => 2 * LENGTH + value.len(),
                };
            }
        }
        Rows { rows: self.rows, columns, starts }
    }
}

/// A finished sample.
#[derive(Debug)]
pub struct Rows {
    rows: Vec<Row>,
    columns: usize,
    /// Where each field of each row starts.
    starts: Vec<u32>,
}

/// A column of a row. `width`: the bytes that it takes in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Null,
    /// A value that is too wide to be looked at.
    Wide {
        width: usize,
    },
    Value {
        value: &'a [u8],
        width: usize,
    },
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = Field<'_>> {
        let starts = self.starts.iter().skip(column).step_by(self.columns.max(1));
        self.rows.iter().zip(starts).map(|(row, start)| read(&row.values, *start as usize))
    }
}

fn read(values: &[u8], at: usize) -> Field<'_> {
    let word = |at: usize| {
        let bytes = values.get(at..at + LENGTH).and_then(|b| b.try_into().ok());
        bytes.map_or(NONE, u32::from_le_bytes)
    };
    let (width, length) = (word(at), word(at + LENGTH));
    if width == NONE {
        return Field::Null;
    }
    let width = width as usize;
    let value = (length != NONE).then(|| values.get(at + 2 * LENGTH..at + 2 * LENGTH + length as usize)).flatten();
    value.map_or(Field::Wide { width }, |value| Field::Value { value, width })
}
