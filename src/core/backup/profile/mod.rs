//! One pass over the rows of a table: what is in its columns.
//!
//! Values come as text, in the order of the backup. Each column keeps a bounded amount of memory, whatever the table's size:
//! counts of the most frequent values, a sketch for the number of distinct ones beyond, and a sample of values, chosen by a
//! hash of the row's number and thus the same in every run, for their order. At the end all of it becomes a
//! [`TableProfile`]. Of a large table only the first rows pass ([`extent`] says how many), and [`beyond`] tells the rest;
//! of a table that lives, its server may tell everything ([`statistics`]).

pub mod beyond;
mod column;
mod counter;
pub mod extent;
mod order;
mod sample;
pub mod statistics;

pub use beyond::Sampled;
pub use order::ValueOrder;

use crate::model::TableProfile;
use column::ColumnSketch;
use xxhash_rust::xxh3::xxh3_64;

/// Collects the statistics of one table.
#[derive(Debug)]
pub struct Profiler {
    rows: u64,
    text_bytes: u64,
    columns: Vec<ColumnSketch>,
}

impl Profiler {
    /// `columns`: names in the order of the backup's column list, and how their text can be ordered.
    pub fn new(columns: &[(String, ValueOrder)]) -> Self {
        let sample = sample::size(columns.len());
        let columns = columns.iter().map(|(name, order)| ColumnSketch::new(name.clone(), *order, sample)).collect();
        Self { rows: 0, text_bytes: 0, columns }
    }

    /// Counts one row. Fields beyond the columns are left out, missing ones are not counted at all: telling a row of the
    /// wrong length is the reader's work.
    pub fn row<'a>(&mut self, fields: impl IntoIterator<Item = Option<&'a [u8]>>) {
        let place = self.rows;
        if place.is_power_of_two() {
            self.columns.iter_mut().for_each(ColumnSketch::mark);
        }
        let ticket = xxh3_64(&place.to_le_bytes());
        self.rows += 1;
        for (column, field) in self.columns.iter_mut().zip(fields) {
            self.text_bytes += match field {
                Some(value) => {
                    column.value(value, place, ticket);
                    value.len() as u64 + SEPARATOR
                }
                None => {
                    column.null();
                    NULL + SEPARATOR
                }
            };
        }
    }

    /// The profile. `text_bytes` is the size of the values as COPY text, escapes apart.
    pub fn finish(self) -> TableProfile {
        TableProfile {
            rows: self.rows,
            text_bytes: self.text_bytes,
            columns: self.columns.into_iter().map(ColumnSketch::finish).collect(),
            pairs: Vec::new(),
        }
    }

    /// The profile of all rows, the first of which have passed: `share` of them, above 0.
    pub fn finish_sample(self, share: f64) -> Sampled {
        let seen: Vec<_> = self.columns.iter().map(ColumnSketch::seen).collect();
        beyond::extrapolate(self.finish(), &seen, 1.0 / share)
    }
}

/// A tab or line feed behind each field of COPY text.
const SEPARATOR: u64 = 1;
/// `\N`
const NULL: u64 = 2;
