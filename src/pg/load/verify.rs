//! What is in a shard: how many rows, their checksum, and how many of them do not belong there.
#![allow(unsafe_code)]

use super::LoadColumn;
use super::canonical::TupleHasher;
use crate::pg::error::Result;
use crate::pg::ffi::{cstring, quote_ident, quote_table};
use crate::pg::progress;
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::model::{Problem, TableName};
use pgrx::{PgMemoryContexts, check_for_interrupts, pg_sys};

/// Rows fetched at a time: enough to make the call's cost vanish, few enough for wide rows.
const BATCH: i64 = 500;

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
    let mut batch_context = PgMemoryContexts::new("foreshard verify");
    let query = cstring(&query);
    // SAFETY: the SPI protocol: connect, one cursor, finish; an ERROR in between unwinds it all.
    unsafe {
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            return Err(Problem::new("XX000", "SPI_connect failed").into());
        }
        let plan = pg_sys::SPI_prepare(query.as_ptr(), 0, std::ptr::null_mut());
        if plan.is_null() {
            return Err(Problem::new("XX000", "SPI_prepare failed").into());
        }
        let portal = pg_sys::SPI_cursor_open(std::ptr::null(), plan, std::ptr::null_mut(), std::ptr::null(), false);
        loop {
            check_for_interrupts!();
            pg_sys::SPI_cursor_fetch(portal, true, BATCH);
            let rows = pg_sys::SPI_processed;
            if rows == 0 {
                break;
            }
            batch_context.switch_to(|_| {
                let table = &*pg_sys::SPI_tuptable;
                for i in 0..usize::try_from(rows).unwrap_or(0) {
                    found.checksum.add(hasher.hash(*table.vals.add(i), table.tupdesc));
                    // A bound's condition that is NULL holds, as in a CHECK.
                    found.misplaced += u64::from(hasher.last().is_some_and(|belongs| belongs.value() == 0));
                }
            });
            batch_context.reset();
            progress::advance(0, rows);
            pg_sys::SPI_freetuptable(pg_sys::SPI_tuptable);
        }
        pg_sys::SPI_cursor_close(portal);
        pg_sys::SPI_finish();
    }
    Ok(found)
}
