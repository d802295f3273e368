//! One client of a calibration: a small table of its own, and single-row statements on it.
//!
//! Everything happens in one transaction that is rolled back, so that nothing can stay. What a commit would add to a write
//! is done by hand: its part of the write-ahead log is flushed.

use crate::pg::error::Result;
use crate::pg::ffi::{cstring, flush_wal, quote_ident, quote_table};
use foreshard_core::model::TableName;
use pgrx::prelude::*;
use std::ffi::CString;

/// Rows of the table, about 130 bytes each: small enough for any cache and to be made at once, large enough that no row is
/// updated again and again while its old versions are still there.
const ROWS: i32 = 10_000;
/// Look-ups between two looks at the clock.
const BATCH: u32 = 16;
/// A step through the rows that meets each of them before it meets one again: it has no divisor in common with their number.
const STRIDE: i32 = 7_919;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Read,
    Write,
}

/// Its statements are parsed, planned and executed anew each time, as most applications have it. What it does not pay
/// for is the network.
#[derive(Debug)]
pub struct Client {
    read: CString,
    update: CString,
    insert: CString,
    at: i32,
    rows: i32,
}

impl Client {
    pub fn new(table: &TableName, tablespace: Option<&str>) -> Result<Self> {
        let name = quote_table(table);
        create(&name, tablespace)?;
        Spi::run(&format!(
            "INSERT INTO {name} SELECT i, 0, pg_catalog.repeat('x', 84) FROM pg_catalog.generate_series(1, {ROWS}) AS i"
        ))?;
        index(&name, tablespace)?;
        Ok(Self {
            read: cstring(&format!("SELECT filler FROM {name} WHERE id OPERATOR(pg_catalog.=) $1")),
            update: cstring(&format!(
                "UPDATE {name} SET value = value OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) $1"
            )),
            insert: cstring(&format!("INSERT INTO {name} VALUES ($1, 0, pg_catalog.repeat('x', 84))")),
            at: 0,
            rows: ROWS,
        })
    }

    /// Does some statements, and says how many.
    pub fn work(&mut self, task: Task) -> Result<u64> {
        let times = if task == Task::Read { BATCH } else { 1 };
        Spi::connect_mut(|client| {
            for _ in 0..times {
                self.at = (self.at + STRIDE) % ROWS;
                let row = self.at + 1;
                // A row is changed, and one is added, in turn.
                let (statement, row) = match task {
                    Task::Read => (&self.read, row),
                    Task::Write if row % 2 == 0 => (&self.update, row),
                    Task::Write => {
                        self.rows += 1;
                        (&self.insert, self.rows)
                    }
                };
                client.update(statement.as_c_str(), None, &[row.into()])?;
            }
            Ok::<_, pgrx::spi::SpiError>(())
        })?;
        if task == Task::Write {
            flush_wal();
        }
        Ok(u64::from(times))
    }
}

/// A scratch table like pgbench's accounts, without an index.
pub fn create(name: &str, tablespace: Option<&str>) -> Result<()> {
    let place = tablespace.map(|t| format!(" TABLESPACE {}", quote_ident(t))).unwrap_or_default();
    // Room on each page for new versions of its rows, which then need no new index entries.
    Ok(Spi::run(&format!(
        "CREATE TABLE {name} (id pg_catalog.int4 NOT NULL, value pg_catalog.int4 NOT NULL, filler pg_catalog.text NOT NULL)
         WITH (autovacuum_enabled = off, fillfactor = 80){place}"
    ))?)
}

fn index(name: &str, tablespace: Option<&str>) -> Result<()> {
    let place = tablespace.map(|t| format!(" USING INDEX TABLESPACE {}", quote_ident(t))).unwrap_or_default();
    Ok(Spi::run(&format!("ALTER TABLE {name} ADD PRIMARY KEY (id){place}"))?)
}
