//! Looking at the rows of a section while they pass: decoding, splitting, bringing the fields into the table's order.

use super::{LoadColumn, encoding};
use crate::pg::archive::Section;
use crate::pg::error::Result;
use crate::pg::ffi;
use foreshard_core::backup::rows::{RowFormat, RowReader};
use foreshard_core::model::Problem;
use foreshard_core::model::config::BackupFormat;

/// Splits the bytes of one section into rows in the database's encoding.
#[derive(Debug)]
pub struct Reading {
    reader: RowReader,
    /// Encoding of the bytes, where it is not the database's.
    foreign: Option<i32>,
    /// Bytes after the last line end, which may stop inside a character.
    held: Vec<u8>,
}

impl Reading {
    pub fn new(section: &Section, columns: Option<usize>) -> Result<Self> {
        let format = if section.csv { BackupFormat::Csv } else { BackupFormat::Text };
        let encoding = encoding(section.copy.encoding.as_deref())?;
        Ok(Self {
            reader: RowReader::new(RowFormat::of(format, &section.copy)?, columns),
            foreign: (encoding != ffi::database_encoding()).then_some(encoding),
            held: Vec::new(),
        })
    }

    pub fn push(&mut self, chunk: &[u8], sink: impl FnMut(foreshard_core::backup::rows::Row<'_>)) -> Result<()> {
        let Some(encoding) = self.foreign else {
            return self.reader.push(chunk, sink).map_err(|e| e.problem().into());
        };
        self.held.extend_from_slice(chunk);
        let whole = self.held.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
        let lines: Vec<u8> = self.held.drain(..whole).collect();
        self.reader.push(&ffi::to_server(&lines, encoding), sink).map_err(|e| e.problem().into())
    }

    pub fn finish(&mut self, mut sink: impl FnMut(foreshard_core::backup::rows::Row<'_>)) -> Result<()> {
        if let Some(encoding) = self.foreign {
            let rest = std::mem::take(&mut self.held);
            self.reader.push(&ffi::to_server(&rest, encoding), &mut sink).map_err(|e| e.problem())?;
        }
        self.reader.finish(sink).map_err(|e| e.problem().into())
    }
}

/// Place in the section's fields of each of `columns`; None when the section does not have them all.
pub fn places(section: &Section, columns: &[LoadColumn]) -> Option<Vec<usize>> {
    match &section.columns {
        None => Some((0..columns.len()).collect()),
        Some(names) => columns.iter().map(|c| names.iter().position(|n| *n == c.name)).collect(),
    }
}

/// A row of a section that lacks columns of the table cannot be compared value by value.
pub fn cannot_compare(section: &Section) -> Problem {
    Problem::new("0A000", "the backup does not have all columns of the table")
        .detail(format!("It has {}.", section.columns.as_deref().unwrap_or_default().join(", ")))
        .hint("Set {\"verify\": \"count\"} to compare the number of rows only.")
}
