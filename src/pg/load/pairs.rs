//! How often two columns of a row are equal: what the query log cannot say of a transaction's values.

use super::reading::Reading;
use crate::pg::archive::Data;
use crate::pg::error::Result;
use foreshard_core::backup::profile::extent::SAMPLE_BYTES;
use foreshard_core::model::workload::SameValues;
use foreshard_core::plan::PairedColumns;
use std::cell::Cell;
use std::collections::VecDeque;

/// Rows looked at, as far as they have no more text than a sample for the profile. Assumed: share enough to tell 1 % from 2 %.
const ROWS: usize = 500_000;

/// Of the pairs, which are of one table, those that the rows have. Rows are in the order in which they were inserted, as far
/// as they were not updated: the last ones are those that the logged calls inserted.
///
/// # Errors
/// 22P04 and others for rows that cannot be read.
pub fn same_values(mut data: Data, pairs: &[&PairedColumns]) -> Result<Vec<SameValues>> {
    let mut seen: Vec<VecDeque<bool>> = vec![VecDeque::new(); pairs.len()];
    let rows = Cell::new(0_usize);
    let mut text = 0;
    let more = |rows: &Cell<usize>, text: u64| rows.get() < ROWS && text < SAMPLE_BYTES;
    let mut chunk = Vec::new();
    while more(&rows, text)
        && let Some(section) = data.next_section()?
    {
        let names = section.columns.clone().unwrap_or_default();
        let place = |column: &String| names.iter().position(|n| n == column);
        let places: Vec<_> = pairs.iter().map(|p| place(&p.columns.0).zip(place(&p.columns.1))).collect();
        let mut reading = Reading::new(&section, section.columns.as_ref().map(Vec::len))?;
        let mut look = |row: foreshard_core::backup::rows::Row<'_>| {
            rows.set(rows.get() + 1);
            let fields: Vec<Option<&[u8]>> = row.fields().collect();
            let value = |at: usize| fields.get(at).copied().flatten();
            for ((pair, place), seen) in pairs.iter().zip(&places).zip(&mut seen) {
                let Some((a, b)) = place.and_then(|(a, b)| value(a).zip(value(b))) else { continue };
                seen.push_back(a == b);
                if seen.len() as f64 > pair.calls.max(1.0) {
                    seen.pop_front();
                }
            }
        };
        let mut whole = true;
        while data.next_chunk(&mut chunk)? {
            reading.push(&chunk, &mut look)?;
            text += chunk.len() as u64;
            whole = more(&rows, text);
            if !whole {
                break;
            }
        }
        if whole {
            reading.finish(&mut look)?;
        }
    }
    let found = pairs.iter().zip(seen).filter(|(_, seen)| !seen.is_empty());
    let share = |seen: VecDeque<bool>| seen.iter().filter(|same| **same).count() as f64 / seen.len() as f64;
    let told = |(pair, seen): (&&PairedColumns, _)| SameValues {
        table: pair.table.clone(),
        columns: pair.columns.clone(),
        share: share(seen),
    };
    Ok(found.map(told).collect())
}
