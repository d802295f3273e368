//! Looking at the rows of a section while they pass: decoding, splitting, bringing the fields into the table's order.

use super::{LoadColumn, encoding};
use crate::pg::archive::{Data, Section};
use crate::pg::error::Result;
use crate::pg::{ffi, progress};
use foreshard_core::backup::profile::{Profiler, ValueOrder};
use foreshard_core::backup::rows::{RowFormat, RowReader};
use foreshard_core::model::config::BackupFormat;
use foreshard_core::model::{Column, Problem, Table, TableProfile};

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

/// One pass over the rows.
///
/// # Errors
/// Those of the source, and 22P04 for rows that do not have the columns they should have.
pub fn profile(mut data: Data, table: &Table) -> Result<TableProfile> {
    let stored: Vec<_> = table.columns.iter().filter(|c| !c.generated).collect();
    let orders: Vec<(String, ValueOrder)> =
        stored.iter().map(|c| (c.name.clone(), ValueOrder::of_type(&c.type_name))).collect();
    let mut profiler = Profiler::new(&orders);
    let mut line: Vec<Option<Vec<u8>>> = Vec::new();
    let mut chunk = Vec::new();
    while let Some(section) = data.next_section()? {
        known_once(&section, &stored, table)?;
        let places: Vec<Option<usize>> = match &section.columns {
            None => (0..stored.len()).map(Some).collect(),
            Some(names) => stored.iter().map(|c| names.iter().position(|n| *n == c.name)).collect(),
        };
        let width = section.columns.as_ref().map_or(stored.len(), Vec::len);
        let mut reading = Reading::new(&section, Some(width))?;
        let in_order = places.iter().enumerate().all(|(i, p)| *p == Some(i)) && width == places.len();
        let mut look = |row: foreshard_core::backup::rows::Row<'_>| {
            if in_order {
                profiler.row(row.fields());
            } else {
                line.clear();
                line.extend(row.fields().map(|f| f.map(<[u8]>::to_vec)));
                profiler.row(places.iter().map(|p| p.and_then(|p| line.get(p)).and_then(|f| f.as_deref())));
            }
        };
        while data.next_chunk(&mut chunk)? {
            reading.push(&chunk, &mut look)?;
            progress::advance(chunk.len(), 0);
        }
        reading.finish(&mut look)?;
    }
    data.finish()?;
    Ok(profiler.finish())
}

/// The columns of a section are the table's, each of them once.
fn known_once(section: &Section, stored: &[&Column], table: &Table) -> Result<()> {
    let names = section.columns.as_deref().unwrap_or_default();
    let mut problems = Vec::new();
    for (i, name) in names.iter().enumerate() {
        if !stored.iter().any(|c| c.name == *name) {
            problems.push(
                Problem::new("42703", format!("column \"{name}\" of the rows is not in the table"))
                    .detail(format!(
                        "Values can be loaded into {} of {}.",
                        stored.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", "),
                        table.name
                    ))
                    .hint("Names are compared as they are, case included."),
            );
        } else if names.iter().take(i).any(|other| other == name) {
            problems.push(Problem::new("42701", format!("column \"{name}\" of the rows is named twice")));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

/// A row of a section that lacks columns of the table cannot be compared value by value.
pub fn cannot_compare(section: &Section) -> Problem {
    Problem::new("0A000", "the backup does not have all columns of the table")
        .detail(format!("It has {}.", section.columns.as_deref().unwrap_or_default().join(", ")))
        .hint("Set {\"verify\": \"count\"} to compare the number of rows only.")
}
