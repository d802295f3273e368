//! Rows of a query, some at a time: a cursor that stays open while other work goes on between two looks.
#![allow(unsafe_code)]

use super::error::Result;
use super::ffi::cstring;
use foreshard_core::model::Problem;
use pgrx::{PgMemoryContexts, check_for_interrupts, pg_sys};
use std::ffi::{CStr, CString};

/// A query's rows. It reads what was there when it was opened, with the rights of the role that opened it.
pub struct Cursor {
    portal: CString,
    /// What is made of one row.
    memory: PgMemoryContexts,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("portal", &self.portal).finish_non_exhaustive()
    }
}

impl Cursor {
    /// # Errors
    /// The server's own, where the caller may not read.
    pub fn open(query: &str) -> Result<Self> {
        let query = cstring(query);
        // SAFETY: the SPI protocol; a portal outlives the connection that opened it, and its name is copied.
        unsafe {
            connect()?;
            let plan = pg_sys::SPI_prepare(query.as_ptr(), 0, std::ptr::null_mut());
            if plan.is_null() {
                return Err(Problem::new("XX000", "SPI_prepare failed").into());
            }
            let portal = pg_sys::SPI_cursor_open(std::ptr::null(), plan, std::ptr::null_mut(), std::ptr::null(), false);
            let portal = CStr::from_ptr((*portal).name).to_owned();
            pg_sys::SPI_finish();
            Ok(Self { portal, memory: PgMemoryContexts::new("foreshard cursor") })
        }
    }

    /// Gives the next rows to `sink`, at most `most` of them, and says how many there were: none after the last one. The tuples
    /// are whole and of the description beside them; what the sink allocates in the current memory context is not kept beyond
    /// the row.
    pub fn fetch(&mut self, most: usize, mut sink: impl FnMut(pg_sys::HeapTuple, pg_sys::TupleDesc)) -> Result<usize> {
        check_for_interrupts!();
        // SAFETY: the SPI protocol, as above.
        unsafe {
            let portal = pg_sys::SPI_cursor_find(self.portal.as_ptr());
            if portal.is_null() {
                return Err(Problem::new("XX000", "the cursor is gone").into());
            }
            connect()?;
            pg_sys::SPI_cursor_fetch(portal, true, i64::try_from(most).unwrap_or(1));
            let (rows, table) = (usize::try_from(pg_sys::SPI_processed).unwrap_or(0), pg_sys::SPI_tuptable);
            for i in 0..rows {
                let tuple = *(*table).vals.add(i);
                self.memory.switch_to(|_| sink(tuple, (*table).tupdesc));
                self.memory.reset();
            }
            pg_sys::SPI_freetuptable(table);
            pg_sys::SPI_finish();
            Ok(rows)
        }
    }
}

/// A query's rows in the texts that their types' output functions write.
pub struct TextCursor {
    cursor: Cursor,
    /// One for each column; made with the first row.
    outputs: Vec<pg_sys::FmgrInfo>,
}

impl TextCursor {
    /// # Errors
    /// As [`Cursor::open`].
    pub fn open(query: &str) -> Result<Self> {
        Ok(Self { cursor: Cursor::open(query)?, outputs: Vec::new() })
    }

    /// As [`Cursor::fetch`]; None for NULL.
    pub fn fetch(&mut self, most: usize, mut sink: impl FnMut(&[Option<&[u8]>])) -> Result<usize> {
        let Self { cursor, outputs } = self;
        let (mut values, mut nulls) = (Vec::new(), Vec::new());
        // SAFETY: the tuples of one query have one description; the arrays are long enough; output functions give NUL-terminated
        // texts, which are not kept beyond the row.
        cursor.fetch(most, |tuple, columns| unsafe {
            let width = usize::try_from((*columns).natts).unwrap_or(0);
            if outputs.len() != width {
                *outputs = (0..width).map(|i| output((*(*columns).attrs.as_ptr().add(i)).atttypid)).collect();
            }
            values.resize(width, pg_sys::Datum::from(0));
            nulls.resize(width, false);
            pg_sys::heap_deform_tuple(tuple, columns, values.as_mut_ptr(), nulls.as_mut_ptr());
            let text = |(output, (value, null)): (&mut pg_sys::FmgrInfo, (&pg_sys::Datum, &bool))| {
                (!null).then(|| CStr::from_ptr(pg_sys::OutputFunctionCall(output, *value)).to_bytes())
            };
            let texts: Vec<Option<&[u8]>> = outputs.iter_mut().zip(values.iter().zip(&nulls)).map(text).collect();
            sink(&texts);
        })
    }
}

unsafe fn output(type_oid: pg_sys::Oid) -> pg_sys::FmgrInfo {
    let (mut function, mut varlena) = (pg_sys::InvalidOid, false);
    // SAFETY: a type that exists, from the caller; a zeroed FmgrInfo filled by fmgr_info.
    unsafe {
        pg_sys::getTypeOutputInfo(type_oid, &raw mut function, &raw mut varlena);
        let mut output = std::mem::zeroed();
        pg_sys::fmgr_info_cxt(function, &raw mut output, pg_sys::TopTransactionContext);
        output
    }
}

impl Drop for Cursor {
    /// After an ERROR nothing is done here: the end of the (sub)transaction closes it. Otherwise a table that nobody reads any
    /// more could not be dropped in the same transaction.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: looks for a portal by its name, and closes it where it is still there.
            unsafe {
                let portal = pg_sys::SPI_cursor_find(self.portal.as_ptr());
                if !portal.is_null() {
                    pg_sys::SPI_cursor_close(portal);
                }
            }
        }
    }
}

fn connect() -> Result<()> {
    // SAFETY: followed by SPI_finish, or by an ERROR that unwinds it.
    if unsafe { pg_sys::SPI_connect() } == pg_sys::SPI_OK_CONNECT as i32 {
        return Ok(());
    }
    Err(Problem::new("XX000", "SPI_connect failed").into())
}
