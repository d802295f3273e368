//! What is in a shard: how many rows, their checksum, and how many of them do not belong there.
#![allow(unsafe_code)]

use super::LoadColumn;
use super::canonical::Canonical;
use crate::pg::error::Result;
use crate::pg::ffi::{cstring, quote_ident, quote_table};
use crate::pg::progress;
use foreshard_core::backup::checksum::{Checksum, RowHasher};
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
    let mut canonical: Vec<Canonical> = columns.iter().map(|c| Canonical::new(c, true)).collect();
    let mut found = ShardContent::default();
    let mut hasher = RowHasher::new();
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
                for i in 0..rows {
                    row(i, &mut canonical, &mut hasher, &mut found);
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

/// One row of SPI's current table: the columns, then whether it belongs here.
///
/// # Safety
/// SPI_tuptable holds more than `i` rows of as many columns as `canonical` and one.
unsafe fn row(i: u64, canonical: &mut [Canonical], hasher: &mut RowHasher, found: &mut ShardContent) {
    // SAFETY: from the caller; heap_deform_tuple fills arrays that are long enough.
    let (values, nulls) = unsafe {
        let table = &*pg_sys::SPI_tuptable;
        let width = canonical.len() + 1;
        let (mut values, mut nulls) = (vec![pg_sys::Datum::from(0); width], vec![false; width]);
        let tuple = *table.vals.add(usize::try_from(i).unwrap_or(0));
        pg_sys::heap_deform_tuple(tuple, table.tupdesc, values.as_mut_ptr(), nulls.as_mut_ptr());
        (values, nulls)
    };
    let fields = canonical
        .iter_mut()
        .zip(values.iter().zip(&nulls))
        .map(|(canonical, (value, null))| (!null).then(|| canonical.of_datum(*value)));
    found.checksum.add(hasher.hash(fields));
    // A bound's condition that is NULL holds, as in a CHECK.
    if let (Some(belongs), Some(false)) = (values.last(), nulls.last()) {
        found.misplaced += u64::from(belongs.value() == 0);
    }
}
