//! How rows are written: COPY's options, checked as COPY checks them.

use super::csv::Marks;
use super::{Boundary, Field, text};
use crate::model::Problem;
use crate::model::config::{BackupFormat, CopyOptions};

/// COPY text or CSV with its options.
#[derive(Debug, Clone)]
pub struct RowFormat {
    delimiter: u8,
    null: Vec<u8>,
    /// CSV, with its quote and escape.
    quoting: Option<(u8, u8)>,
    pub(super) header: bool,
}

impl RowFormat {
    /// COPY text as pg_dump writes it: tab, `\N`.
    pub fn text() -> Self {
        Self { delimiter: b'\t', null: b"\\N".to_vec(), quoting: None, header: false }
    }

    /// CSV as COPY writes it by default: comma, double quotes, NULL as nothing.
    pub fn csv() -> Self {
        Self { delimiter: b',', null: Vec::new(), quoting: Some((b'"', b'"')), header: false }
    }

    /// The format with the options of a config; CSV for [`BackupFormat::Csv`], else COPY text. All that COPY would refuse
    /// is refused, everything at once.
    pub fn of(format: BackupFormat, options: &CopyOptions) -> Result<Self, Vec<Problem>> {
        let csv = format == BackupFormat::Csv;
        let mut read = Self { header: options.header, ..if csv { Self::csv() } else { Self::text() } };
        let mut problems = Vec::new();
        let mut refuse = |option: &str, fact: &str| {
            problems.push(Problem::new("22023", format!("COPY {option} is not valid")).detail(fact));
        };
        let mut byte = |option: &str, given: &Option<String>, default: u8| match given.as_deref().map(str::as_bytes) {
            None => default,
            Some(&[byte]) if byte != b'\n' && byte != b'\r' => byte,
            Some(_) => {
                refuse(option, "It must be a single one-byte character, and no line end.");
                default
            }
        };
        read.delimiter = byte("delimiter", &options.delimiter, read.delimiter);
        let quote = byte("quote", &options.quote, b'"');
        let escape = byte("escape", &options.escape, quote);
        if let Some(null) = &options.null {
            read.null = null.as_bytes().to_vec();
        }
        if read.null.iter().any(|b| matches!(b, b'\n' | b'\r')) {
            refuse("null", "It must not contain a line end.");
        }
        if read.null.contains(&read.delimiter) {
            refuse("delimiter", "It must not appear in the null string.");
        }
        if csv {
            if quote == read.delimiter {
                refuse("quote", "It must differ from the delimiter.");
            }
            if read.null.contains(&quote) {
                refuse("quote", "It must not appear in the null string.");
            }
            read.quoting = Some((quote, escape));
        } else {
            if options.quote.is_some() || options.escape.is_some() {
                refuse("quote or escape", "They belong to CSV; COPY text has backslashes.");
            }
            if b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&read.delimiter) {
                refuse("delimiter", "In COPY text, lower-case letters, digits, \".\" and \"\\\" have other meanings.");
            }
        }
        if problems.is_empty() { Ok(read) } else { Err(problems) }
    }

    /// Place of the line feed that ends the row, or None when the row goes on behind `bytes`.
    pub(super) fn row_end(&self, state: &mut Boundary, bytes: &[u8]) -> Option<usize> {
        match self.marks() {
            Some(marks) => marks.row_end(state, bytes),
            None => text::row_end(state, bytes),
        }
    }

    /// Cuts a line into its fields; values that must be decoded are appended to `decoded`.
    pub(super) fn split(&self, line: &[u8], fields: &mut Vec<Field>, decoded: &mut Vec<u8>) {
        match self.marks() {
            Some(marks) => marks.split(line, &self.null, fields, decoded),
            None => text::split(line, self.delimiter, &self.null, fields, decoded),
        }
    }

    fn marks(&self) -> Option<Marks> {
        self.quoting.map(|(quote, escape)| Marks { delimiter: self.delimiter, quote, escape })
    }
}
