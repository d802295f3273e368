//! The checksum of tables as they lie on their pages: this backend reads the pages, threads read the rows.
//!
//! For tables that this transaction made, whose rows are all visible to it.
#![allow(unsafe_code)]

use super::LoadColumn;
use super::canonical::TupleHasher;
use crate::pg::error::Result;
use crate::pg::threads::{Jobs, Threads};
use crate::pg::{progress, settings};
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::heap::{PAGE, Page, Reader, Shape};
use foreshard_core::model::Problem;
use pgrx::{PgMemoryContexts, pg_sys};
use std::sync::mpsc::SyncSender;

/// Pages that a thread takes at a time.
const BATCH: usize = 32;

/// What a thread found on a batch of pages; those with rows that it could not read come back.
struct Found {
    checksum: Checksum,
    odd: Vec<(Page, Vec<u16>)>,
}

/// The checksum of all rows of `leaves`, whose tuples have the shape.
pub fn stored(leaves: &[pg_sys::Oid], shape: &Shape, columns: &[LoadColumn]) -> Result<Checksum> {
    let mut threads: Threads<Vec<Page>, Found> = Threads::start(settings::load_threads(), || {
        let reader = Reader::new(shape.clone());
        move |jobs: Jobs<Vec<Page>>, found| work(reader, &jobs, &found)
    })?;
    for leaf in leaves {
        each_batch(*leaf, |pages| threads.give(pages))?;
    }
    threads.no_more();
    let Some(like) = leaves.first() else { return Ok(Checksum::default()) };
    let mut asked = Asked { hasher: TupleHasher::new(columns), memory: PgMemoryContexts::new("foreshard stored rows") };
    let mut checksum = Checksum::default();
    while let Some(found) = threads.next()? {
        checksum.merge(&found.checksum);
        progress::advance(0, found.checksum.rows);
        for (page, numbers) in found.odd {
            asked.rows(*like, &page, &numbers, &mut checksum)?;
        }
    }
    Ok(checksum)
}

fn work(mut reader: Reader, jobs: &Jobs<Vec<Page>>, found: &SyncSender<Found>) {
    while let Some(pages) = jobs.next() {
        let mut checksum = Checksum::default();
        let mut odd = Vec::new();
        for page in pages {
            let mut numbers = Vec::new();
            reader.page(&page, &mut checksum, &mut numbers);
            if !numbers.is_empty() {
                odd.push((page, numbers));
            }
        }
        if found.send(Found { checksum, odd }).is_err() {
            return;
        }
    }
}

/// Copies of all pages of a table.
fn each_batch(leaf: pg_sys::Oid, mut take: impl FnMut(Vec<Page>) -> Result<()>) -> Result<()> {
    // SAFETY: a relation of this transaction, opened and closed here; pages are copied while they are pinned and locked.
    unsafe {
        let relation = pg_sys::table_open(leaf, pg_sys::AccessShareLock as i32);
        let strategy = pg_sys::GetAccessStrategy(pg_sys::BufferAccessStrategyType::BAS_BULKREAD);
        let blocks = pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM);
        let mut batch = Vec::with_capacity(BATCH);
        for block in 0..blocks {
            pgrx::check_for_interrupts!();
            let buffer = pg_sys::ReadBufferExtended(
                relation,
                pg_sys::ForkNumber::MAIN_FORKNUM,
                block,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                strategy,
            );
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
            let page = Page::of(std::slice::from_raw_parts(pg_sys::BufferGetPage(buffer).cast::<u8>(), PAGE));
            pg_sys::UnlockReleaseBuffer(buffer);
            batch.extend(page);
            if batch.len() == BATCH || block + 1 == blocks {
                take(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)))?;
            }
        }
        pg_sys::FreeAccessStrategy(strategy);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
    }
    Ok(())
}

/// Rows that the server has to be asked about.
struct Asked {
    hasher: TupleHasher,
    memory: PgMemoryContexts,
}

impl Asked {
    /// `like`: a table whose tuples are of the page's kind.
    fn rows(&mut self, like: pg_sys::Oid, page: &Page, numbers: &[u16], checksum: &mut Checksum) -> Result<()> {
        let Self { hasher, memory } = self;
        // SAFETY: copies of whole tuples, which outlive their use; what is allocated meanwhile is not kept.
        unsafe {
            let relation = pg_sys::table_open(like, pg_sys::AccessShareLock as i32);
            for number in numbers {
                let tuple = page.tuple(*number).ok_or_else(|| {
                    Problem::new("XX001", "a page of the restored table has a row that cannot be read")
                })?;
                let mut header: pg_sys::HeapTupleData = std::mem::zeroed();
                header.t_len = u32::try_from(tuple.len()).unwrap_or(0);
                header.t_data = tuple.as_ptr().cast_mut().cast();
                checksum.add(memory.switch_to(|_| hasher.hash(&raw mut header, (*relation).rd_att)));
                memory.reset();
            }
            pg_sys::table_close(relation, pg_sys::NoLock as i32);
        }
        Ok(())
    }
}
