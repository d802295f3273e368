//! Rows and their fields, from the bytes of COPY text or CSV.
//!
//! A [`RowReader`] takes the bytes in chunks cut anywhere and calls back with each whole [`Row`], so that a caller can send
//! the same chunks to COPY and look at the rows on the way. A row lies in the caller's chunk where it can; only a row that
//! is cut by a chunk's end, and values with escapes in them, are copied. What it reads is what COPY FROM would read of the
//! same bytes; `\.` alone on a line ends the data.

mod csv;
mod format;
mod text;

pub use format::RowFormat;
pub use text::{Fields, split_row, write_row};

use super::script::ROW_LIMIT;
use crate::model::Problem;
use std::ops::Range;

/// Fields of one row at most: MaxHeapAttributeNumber of PostgreSQL. A gigabyte of delimiters must not become a gigabyte of
/// fields.
const MAX_FIELDS: usize = 1600;
/// Bytes that a buffer keeps from row to row; one huge row must not hold its memory until the end.
const KEPT_CAPACITY: usize = 1 << 20;

/// Rows count from 1, a header line apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("unterminated quoted field in row {row}")]
    Unterminated { row: u64 },
    #[error("row {row} is too long")]
    TooLong { row: u64 },
    /// `found` counts no further than one beyond what a table can have.
    #[error("row {row} has {found} fields where {expected} are expected")]
    FieldCount { row: u64, expected: usize, found: usize },
}

impl RowError {
    /// The error as a pre-check reports it.
    pub fn problem(&self) -> Problem {
        let (sqlstate, detail, hint) = match self {
            Self::Unterminated { .. } => (
                "22P04",
                "The data ends before the quote that closes the field.".to_owned(),
                "Check that the file is complete, and the quote and escape characters given.",
            ),
            Self::TooLong { .. } => (
                "54000",
                format!("There is no end of the row within {ROW_LIMIT} bytes."),
                "Check the format, and the quote and escape characters given.",
            ),
            Self::FieldCount { .. } => (
                "22P04",
                "Every row must have one field for each column.".to_owned(),
                "Check the delimiter and the list of columns given.",
            ),
        };
        Problem::new(sqlstate, self.to_string()).detail(detail).hint(hint)
    }
}

/// One row, for as long as the callback runs.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    number: u64,
    line: &'a [u8],
    decoded: &'a [u8],
    fields: &'a [Field],
}

impl<'a> Row<'a> {
    /// From 1, a header line apart.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The row as it stands in the data, without its line end.
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The values, decoded; None for NULL.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Option<&'a [u8]>> + use<'a> {
        let Self { line, decoded, fields, .. } = *self;
        fields.iter().map(move |field| match field {
            Field::Null => None,
            Field::InLine(range) => Some(line.get(range.clone()).unwrap_or_default()),
            Field::Decoded(range) => Some(decoded.get(range.clone()).unwrap_or_default()),
        })
    }
}

/// Where a field's value lies.
#[derive(Debug, Clone)]
enum Field {
    Null,
    InLine(Range<usize>),
    Decoded(Range<usize>),
}

/// Cuts a stream into rows; see the head of this file.
#[derive(Debug, Clone)]
pub struct RowReader {
    format: RowFormat,
    expected: Option<usize>,
    header: Option<Vec<String>>,
    /// The begin of a row whose end has not come yet.
    pending: Vec<u8>,
    boundary: Boundary,
    rows: u64,
    ended: bool,
    fields: Vec<Field>,
    decoded: Vec<u8>,
}

/// What must be known, at a place within a row, of the bytes before it to see where the row ends.
#[derive(Debug, Default, Clone, Copy)]
struct Boundary {
    /// Text: an odd number of backslashes stands before. CSV: the escape character does, and is not itself escaped.
    escaped: bool,
    in_quote: bool,
}

impl RowReader {
    /// `columns`: number of fields that every row must have, where known. With a header it is the header's by default.
    pub fn new(format: RowFormat, columns: Option<usize>) -> Self {
        Self {
            format,
            expected: columns,
            header: None,
            pending: Vec::new(),
            boundary: Boundary::default(),
            rows: 0,
            ended: false,
            fields: Vec::new(),
            decoded: Vec::new(),
        }
    }

    /// Rows seen so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Names in the header line, once it was seen.
    pub fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    /// Takes the next bytes and calls `sink` with each row that they complete.
    pub fn push(&mut self, mut chunk: &[u8], mut sink: impl FnMut(Row<'_>)) -> Result<(), RowError> {
        while !self.ended {
            let Some(end) = self.format.row_end(&mut self.boundary, chunk) else {
                if self.pending.len() + chunk.len() > ROW_LIMIT {
                    return Err(RowError::TooLong { row: self.rows + 1 });
                }
                self.pending.extend_from_slice(chunk);
                break;
            };
            let (line, rest) = chunk.split_at_checked(end).unwrap_or((chunk, &[]));
            chunk = rest.get(1..).unwrap_or_default();
            self.boundary = Boundary::default();
            if self.pending.is_empty() {
                self.line(line, &mut sink)?;
            } else {
                self.pending.extend_from_slice(line);
                self.pending_line(&mut sink)?;
            }
        }
        Ok(())
    }

    /// The data has ended: a last row may lack its line end.
    pub fn finish(&mut self, mut sink: impl FnMut(Row<'_>)) -> Result<(), RowError> {
        if self.ended || self.pending.is_empty() {
            return Ok(());
        }
        if self.boundary.in_quote {
            return Err(RowError::Unterminated { row: self.rows + 1 });
        }
        self.ended = true;
        self.pending_line(&mut sink)
    }

    fn pending_line(&mut self, sink: &mut impl FnMut(Row<'_>)) -> Result<(), RowError> {
        let mut line = std::mem::take(&mut self.pending);
        let result = self.line(&line, sink);
        line.clear();
        line.shrink_to(KEPT_CAPACITY);
        self.pending = line;
        result
    }

    /// One row without its line feed.
    fn line(&mut self, line: &[u8], sink: &mut impl FnMut(Row<'_>)) -> Result<(), RowError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line == b"\\." {
            self.ended = true;
            return Ok(());
        }
        self.fields.clear();
        self.decoded.clear();
        self.decoded.shrink_to(KEPT_CAPACITY);
        self.format.split(line, &mut self.fields, &mut self.decoded);
        // The row of a table without columns is an empty line, not a line with one empty field.
        if self.expected == Some(0) && line.is_empty() {
            self.fields.clear();
        }
        let mut row = Row { number: 0, line, decoded: &self.decoded, fields: &self.fields };
        if self.format.header && self.header.is_none() {
            let name = |field: Option<&[u8]>| String::from_utf8_lossy(field.unwrap_or_default()).into_owned();
            let names: Vec<String> = row.fields().map(name).collect();
            self.expected = self.expected.or(Some(names.len()));
            self.header = Some(names);
            return Ok(());
        }
        self.rows += 1;
        row.number = self.rows;
        let found = row.fields.len();
        let fits = self.expected.map_or(found <= MAX_FIELDS, |expected| found == expected);
        if !fits {
            return Err(RowError::FieldCount { row: self.rows, expected: self.expected.unwrap_or(MAX_FIELDS), found });
        }
        sink(row);
        Ok(())
    }
}
