//! Finished pages to their tables, as an index build or VACUUM FULL write theirs: whole into the WAL, then to the end of the file.
//!
//! For tables that nobody else has seen. Their rows are frozen, as after COPY … FREEZE; when the transaction fails, the files go.
#![allow(unsafe_code)]

use foreshard_core::heap::{PAGE, Page};
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// Pages of one WAL record at most (XLR_MAX_BLOCK_ID), and pages held back in all tables together.
const BATCH: usize = 32;
const HELD: usize = 2048;

#[derive(Debug)]
pub struct Writer {
    tables: BTreeMap<u32, Table>,
    batch: usize,
    logged: bool,
}

#[derive(Debug)]
struct Table {
    relation: pg_sys::Relation,
    pages: Vec<Page>,
    written: bool,
}

impl Writer {
    /// `leaves`: the tables by shard. They stay open, and locked, until the writer is dropped.
    pub fn open(leaves: &[pg_sys::Oid]) -> Self {
        let open = |oid: &pg_sys::Oid| {
            // SAFETY: relations that this transaction made; an ERROR closes them as well.
            let relation = unsafe { pg_sys::table_open(*oid, pg_sys::RowExclusiveLock as i32) };
            Table { relation, pages: Vec::new(), written: false }
        };
        // SAFETY: reads a setting. With wal_level minimal a table made by this transaction is synced at its end instead.
        let logged = unsafe { pg_sys::wal_level } >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32;
        let batch = (HELD / leaves.len().max(1)).clamp(1, BATCH);
        Self { tables: (0..).zip(leaves.iter().map(open)).collect(), batch, logged }
    }

    pub fn put(&mut self, shard: u32, page: Page) {
        let Some(table) = self.tables.get_mut(&shard) else { return };
        table.pages.push(page);
        if table.pages.len() >= self.batch {
            table.flush(self.logged);
        }
    }

    /// Writes what is held back.
    pub fn flush(&mut self) {
        for table in self.tables.values_mut() {
            table.flush(self.logged);
        }
    }

    /// Makes sure that what was written reaches the disk: a checkpoint in between knows nothing of these pages.
    pub fn sync(&mut self) {
        self.flush();
        for table in self.tables.values_mut().filter(|t| t.written && self.logged) {
            pgrx::check_for_interrupts!();
            // SAFETY: an open relation.
            unsafe { pg_sys::smgrimmedsync(pg_sys::RelationGetSmgr(table.relation), pg_sys::ForkNumber::MAIN_FORKNUM) };
        }
    }
}

impl Table {
    fn flush(&mut self, logged: bool) {
        if self.pages.is_empty() {
            return;
        }
        pgrx::check_for_interrupts!();
        // SAFETY: an open relation; pages of the server's size, which live until the end; as _bt_blwritepage does it.
        unsafe {
            let storage = pg_sys::RelationGetSmgr(self.relation);
            let mut block = pg_sys::smgrnblocks(storage, pg_sys::ForkNumber::MAIN_FORKNUM);
            let first = block;
            let mut blocks = Vec::with_capacity(self.pages.len());
            let mut pages: Vec<pg_sys::Page> = Vec::with_capacity(self.pages.len());
            for page in &mut self.pages {
                pages.push(page.finish(block).as_mut_ptr().cast());
                blocks.push(block);
                block += 1;
            }
            if logged {
                pg_sys::log_newpages(
                    &raw mut (*self.relation).rd_node,
                    pg_sys::ForkNumber::MAIN_FORKNUM,
                    i32::try_from(pages.len()).unwrap_or(0),
                    blocks.as_mut_ptr(),
                    pages.as_mut_ptr(),
                    true,
                );
            }
            for (page, block) in pages.iter().zip(&blocks) {
                pg_sys::PageSetChecksumInplace(*page, *block);
                pg_sys::smgrextend(storage, pg_sys::ForkNumber::MAIN_FORKNUM, *block, (*page).cast(), true);
            }
            // The disk can begin, so that there is less to wait for at the end.
            pg_sys::smgrwriteback(storage, pg_sys::ForkNumber::MAIN_FORKNUM, first, block - first);
        }
        self.pages.clear();
        self.written = true;
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // While an ERROR unwinds, the transaction's end closes it.
        if !std::thread::panicking() {
            // SAFETY: opened above; the lock stays until the transaction's end.
            unsafe { pg_sys::table_close(self.relation, pg_sys::NoLock as i32) };
        }
    }
}

const _: () = assert!(PAGE == pg_sys::BLCKSZ as usize);
