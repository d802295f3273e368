//! What is in a shard: how many rows, their checksum, and how many of them do not belong there.
#![allow(unsafe_code)]

use super::LoadColumn;
use super::canonical::TupleHasher;
use crate::pg::cursor::Cursor;
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_table};
use crate::pg::progress;
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::model::TableName;

/// Rows fetched at a time: enough to make the call's cost vanish, few enough for wide rows.
const BATCH: usize = 500;

#[derive(Debug, Clone, Default)]
pub struct ShardContent {
    pub checksum: Checksum,
    pub misplaced: u64,
}

/// Reads the whole shard. `constraint`: the condition that its bound puts on its rows, as SQL.
pub fn content(shard: &TableName, columns: &[LoadColumn], constraint: Option<&str>) -> Result<ShardContent> {
    let list: String = columns.iter().map(|c| format!("{}, ", quote_ident(&c.name))).collect();
    let query = format!("SELECT {list}({}) FROM ONLY {}", constraint.unwrap_or("true"), quote_table(shard));
    let mut found = ShardContent::default();
    let mut hasher = TupleHasher::new(columns);
    let mut cursor = Cursor::open(&query)?;
    loop {
        let rows = cursor.fetch(BATCH, |tuple, description| {
            // SAFETY: tuples as the cursor gives them, of the columns and one more.
            found.checksum.add(unsafe { hasher.hash(tuple, description, |_| ()) });
            // A bound's condition that is NULL holds, as in a CHECK.
            found.misplaced += u64::from(hasher.last().is_some_and(|belongs| belongs.value() == 0));
        })?;
        if rows == 0 {
            return Ok(found);
        }
        progress::advance(0, rows as u64);
    }
}
