//! Looking at the rows of a section while they pass: decoding, splitting, bringing the fields into the table's order.

use super::{LoadColumn, encoding};
use crate::pg::archive::Section;
use crate::pg::error::Result;
use crate::pg::ffi;
use foreshard_core::backup::rows::{RowFormat, RowReader};
use foreshard_core::model::Problem;
use foreshard_core::model::config::BackupFormat;
use pgrx::PgTryBuilder;
use std::panic::AssertUnwindSafe;

/// Splits the bytes of one section into rows in the database's encoding.
#[derive(Debug)]
pub struct Reading {
    reader: RowReader,
    /// Encoding of the bytes, where it is not the database's.
    foreign: Option<i32>,
    /// Bytes after the last line end, which may stop inside a character.
    held: Vec<u8>,
    /// Lines converted.
    lines: u64,
}

impl Reading {
    pub fn new(section: &Section, columns: Option<usize>) -> Result<Self> {
        let format = if section.csv { BackupFormat::Csv } else { BackupFormat::Text };
        let encoding = encoding(section.copy.encoding.as_deref())?;
        Ok(Self {
            reader: RowReader::new(RowFormat::of(format, &section.copy)?, columns),
            foreign: (encoding != ffi::database_encoding()).then_some(encoding),
            held: Vec::new(),
            lines: 0,
        })
    }

    pub fn push(&mut self, chunk: &[u8], sink: impl FnMut(foreshard_core::backup::rows::Row<'_>)) -> Result<()> {
        let Some(encoding) = self.foreign else {
            return self.reader.push(chunk, sink).map_err(|e| e.problem().into());
        };
        self.held.extend_from_slice(chunk);
        let whole = self.held.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
        let lines: Vec<u8> = self.held.drain(..whole).collect();
        let converted = self.convert(&lines, encoding)?;
        self.reader.push(&converted, sink).map_err(|e| e.problem().into())
    }

    pub fn finish(&mut self, mut sink: impl FnMut(foreshard_core::backup::rows::Row<'_>)) -> Result<()> {
        if let Some(encoding) = self.foreign {
            let rest = std::mem::take(&mut self.held);
            let converted = self.convert(&rest, encoding)?;
            self.reader.push(&converted, &mut sink).map_err(|e| e.problem())?;
        }
        self.reader.finish(sink).map_err(|e| e.problem().into())
    }

    /// Whole lines in the database's encoding. The server's error says which bytes it does not take, not where they are.
    fn convert(&mut self, lines: &[u8], encoding: i32) -> Result<Vec<u8>> {
        let attempt = |text: &[u8]| {
            PgTryBuilder::new(AssertUnwindSafe(|| Ok(ffi::to_server(text, encoding))))
                .catch_others(|error| Err(ffi::problem_of(&error)))
                .execute()
        };
        let converted = attempt(lines).map_err(|mut problem| {
            if let Some((number, _)) =
                (self.lines + 1..).zip(lines.split(|b| *b == b'\n')).find(|(_, l)| attempt(l).is_err())
            {
                problem.detail = Some(format!("At line {number} of the rows."));
            }
            problem
        })?;
        self.lines += lines.iter().filter(|b| **b == b'\n').count() as u64;
        Ok(converted)
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
