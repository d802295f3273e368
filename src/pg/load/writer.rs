//! Finished pages to their tables, as an index build or VACUUM FULL write theirs: whole into the WAL, then to the end of the file.
//!
//! For tables that nobody else has seen, or that are locked and cut back later. Their rows are frozen, as after COPY … FREEZE: when the
//! transaction fails, they do not go by themselves, but with their files.
#![allow(unsafe_code)]

use crate::pg::compat;
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
    rows: u64,
}

#[derive(Debug)]
struct Table {
    relation: pg_sys::Relation,
    pages: Vec<Page>,
    written: bool,
    logged: bool,
}

impl Writer {
    /// `leaves`: shards with their tables. They stay open, and locked, until the writer is dropped.
    pub fn open(leaves: &[(u32, pg_sys::Oid)]) -> Self {
        let open = |(shard, oid): &(u32, pg_sys::Oid)| {
            // SAFETY: relations that are this transaction's alone; an ERROR closes them as well.
            let relation = unsafe { pg_sys::table_open(*oid, pg_sys::RowExclusiveLock as i32) };
            // SAFETY: as above.
            let logged = unsafe { logged(relation) };
            (*shard, Table { relation, pages: Vec::new(), written: false, logged })
        };
        let batch = (HELD / leaves.len().max(1)).clamp(1, BATCH);
        Self { tables: leaves.iter().map(open).collect(), batch, rows: 0 }
    }

    pub fn put(&mut self, shard: u32, page: Page) {
        let Some(table) = self.tables.get_mut(&shard) else { return };
        self.rows += page.tuples() as u64;
        table.pages.push(page);
        if table.pages.len() >= self.batch {
            table.flush();
        }
    }

    /// Rows on the pages that were put here.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes what is held back.
    pub fn flush(&mut self) {
        for table in self.tables.values_mut() {
            table.flush();
        }
    }

    /// Writes what is held back, and waits until all is on the disk.
    pub fn sync(&mut self) {
        self.flush();
        for table in self.tables.values_mut().filter(|t| t.written && t.logged) {
            pgrx::check_for_interrupts!();
            // SAFETY: an open relation.
            unsafe { sync(table.relation) };
        }
    }
}

impl Table {
    fn flush(&mut self) {
        if self.pages.is_empty() {
            return;
        }
        // SAFETY: an open relation of this transaction, and its next pages.
        unsafe {
            let first = next_block(self.relation);
            let mut pages: Vec<&mut [u8]> =
                (first..).zip(&mut self.pages).map(|(block, page)| page.finish(block)).collect();
            append(self.relation, &mut pages, self.logged);
        }
        self.pages.clear();
        self.written = true;
    }
}

unsafe fn next_block(relation: pg_sys::Relation) -> u32 {
    // SAFETY: an open relation, from the caller.
    unsafe { pg_sys::smgrnblocks(pg_sys::RelationGetSmgr(relation), pg_sys::ForkNumber::MAIN_FORKNUM) }
}

/// Writes whole pages to the end of a relation, as `_bt_blwritepage` does; into the WAL first, where that is needed.
///
/// # Safety
/// An open relation that this transaction has for itself; pages of the server's size and form.
pub(super) unsafe fn append(relation: pg_sys::Relation, pages: &mut [&mut [u8]], logged: bool) {
    // SAFETY: from the caller; the pages outlive their use.
    unsafe {
        let storage = pg_sys::RelationGetSmgr(relation);
        let first = next_block(relation);
        let mut block = first;
        for some in pages.chunks_mut(BATCH) {
            pgrx::check_for_interrupts!();
            let mut raw: Vec<pg_sys::Page> = some.iter_mut().map(|page| page.as_mut_ptr().cast()).collect();
            let mut blocks: Vec<u32> = (block..).take(raw.len()).collect();
            if logged {
                compat::log_pages(relation, &mut blocks, &mut raw);
            }
            for (page, block) in raw.iter().zip(&blocks) {
                pg_sys::PageSetChecksumInplace(*page, *block);
                pg_sys::smgrextend(storage, pg_sys::ForkNumber::MAIN_FORKNUM, *block, (*page).cast(), true);
            }
            block += raw.len() as u32;
        }
        // The disk can begin, so that there is less to wait for at the end.
        pg_sys::smgrwriteback(storage, pg_sys::ForkNumber::MAIN_FORKNUM, first, block - first);
    }
}

/// Whether pages go into the WAL. With wal_level minimal a file made by this transaction is synced at its end instead.
///
/// # Safety
/// An open relation.
pub(super) unsafe fn logged(relation: pg_sys::Relation) -> bool {
    // SAFETY: from the caller; reads a setting.
    unsafe { pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32 || !compat::has_new_file(relation) }
}

/// Cuts a table back to its first blocks, as VACUUM does: at once, and whatever becomes of the transaction.
pub fn cut(table: pg_sys::Oid, blocks: u32) {
    // SAFETY: opened and closed here; its lock stays, and keeps everyone else from its pages.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessExclusiveLock as i32);
        if next_block(relation) > blocks {
            pg_sys::RelationTruncate(relation, blocks);
        }
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
    }
}

/// How many blocks a table has.
pub fn blocks(table: pg_sys::Oid) -> u32 {
    // SAFETY: opened and closed here.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        let there = next_block(relation);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        there
    }
}

/// Makes sure that a relation reaches the disk: a checkpoint in between knows nothing of its appended pages.
///
/// # Safety
/// An open relation.
pub(super) unsafe fn sync(relation: pg_sys::Relation) {
    // SAFETY: from the caller.
    unsafe { pg_sys::smgrimmedsync(pg_sys::RelationGetSmgr(relation), pg_sys::ForkNumber::MAIN_FORKNUM) };
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
