//! New tables as they lie on their pages: this backend reads the pages, threads read the rows, sum them up, and make the indexes and
//! statistics.
//!
//! For tables that this transaction made, whose rows are all visible to it.
#![allow(unsafe_code)]

use super::LoadColumn;
use super::canonical::{Fields, TupleHasher};
use super::indexes::{self, LeafIndex};
use crate::pg::error::Result;
use crate::pg::statistics::{Described, Draw, Gathering, Task};
use crate::pg::threads::{Jobs, Threads};
use crate::pg::{ffi, progress, settings};
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::btree::{Duplicate, Entries, Keys, build};
use foreshard_core::heap::{PAGE, Page, Reader, Shape};
use foreshard_core::model::Problem;
use foreshard_core::statistics::Row;
use pgrx::{PgMemoryContexts, pg_sys};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Pages that a thread takes at a time.
const BATCH: usize = 32;

/// Bytes of entries that a thread sorts at most: about half a second of work, in which it does not look whether it is still
/// wanted. Assumed: four million entries of 16 bytes.
const MOST_SORTED: usize = 64 << 20;

/// What threads are asked to do.
enum Job {
    /// Rows of a leaf, for the indexes with these keys.
    Rows {
        leaf: usize,
        pages: Vec<(u32, Page)>,
        keys: Arc<Vec<Keys>>,
        draw: Option<Draw>,
    },
    /// All rows of a leaf for one index.
    Index {
        index: pg_sys::Oid,
        keys: Keys,
        unique: bool,
        entries: Entries,
    },
    Statistics(Task),
}

enum Found {
    Rows {
        leaf: usize,
        checksum: Checksum,
        /// Rows of which the thread could not read all.
        odd: Vec<(u32, Page, Vec<u16>)>,
        /// For each of the keys; None where a row cannot be in such an index.
        entries: Vec<Option<Entries>>,
        /// Rows for statistics.
        drawn: Vec<Row>,
    },
    Statistics(Described),
    Index {
        index: pg_sys::Oid,
        pages: std::result::Result<Vec<Box<[u8]>>, Duplicate>,
    },
}

/// A leaf whose rows are being read.
struct Leaf {
    oid: pg_sys::Oid,
    indexes: Vec<LeafIndex>,
    keys: Arc<Vec<Keys>>,
    entries: Vec<Option<Entries>>,
    /// Batches that are out.
    out: usize,
    all_given: bool,
}

/// What reading all rows gave.
#[derive(Debug)]
pub struct ReadBack {
    pub checksum: Checksum,
    pub statistics: Option<Gathering>,
    /// Indexes that are left to the server.
    unbuilt: Vec<pg_sys::Oid>,
}

impl ReadBack {
    /// The server builds what is left.
    ///
    /// # Errors
    /// Those of REINDEX, as for a key that is there twice.
    pub fn build_others(&self) -> Result<()> {
        self.unbuilt.iter().copied().try_for_each(indexes::rebuild)
    }
}

/// Reads all rows of `leaves`, whose tuples have the shape, builds those of the leaves' indexes that are made of words, and makes
/// statistics of what is wanted for them.
pub fn read_back(
    leaves: &[(u32, pg_sys::Oid)],
    shape: &Shape,
    columns: &[LoadColumn],
    statistics: Option<Gathering>,
) -> Result<ReadBack> {
    let threads = Threads::start(settings::load_threads(), || {
        let reader = Reader::new(shape.clone());
        move |jobs: Jobs<Job>, found| work(reader, &jobs, &found)
    })?;
    let mut pass = Pass {
        threads,
        leaves: Vec::new(),
        hasher: TupleHasher::new(columns),
        memory: PgMemoryContexts::new("foreshard stored rows"),
        checksum: Checksum::default(),
        built: Vec::new(),
        unbuilt: Vec::new(),
        statistics,
    };
    for (n, (_, oid)) in leaves.iter().enumerate() {
        let indexes = indexes::of_table(*oid, columns)?;
        let (words, others): (Vec<LeafIndex>, Vec<LeafIndex>) = indexes.into_iter().partition(|i| i.keys.is_some());
        pass.unbuilt.extend(others.iter().map(|i| i.oid));
        let keys: Arc<Vec<Keys>> = Arc::new(words.iter().filter_map(|i| i.keys.clone()).collect());
        let entries = keys.iter().map(|k| Some(k.entries())).collect();
        pass.leaves.push(Leaf {
            oid: *oid,
            indexes: words,
            keys: Arc::clone(&keys),
            entries,
            out: 0,
            all_given: false,
        });
        each_batch(*oid, |pages| {
            let draw = pass.statistics.as_ref().and_then(|s| s.draw(n));
            pass.threads.give(Job::Rows { leaf: n, pages, keys: Arc::clone(&keys), draw })?;
            pass.leaves.get_mut(n).into_iter().for_each(|l| l.out += 1);
            pass.take_ready()
        })?;
        pass.leaves.get_mut(n).into_iter().for_each(|l| l.all_given = true);
        pass.finish_leaf(n)?;
    }
    while pass.leaves.iter().any(|l| l.out > 0) {
        if let Some(found) = pass.threads.next()? {
            pass.take(found)?;
        }
    }
    pass.threads.no_more();
    while let Some(found) = pass.threads.next()? {
        pass.take(found)?;
    }
    let Pass { checksum, built, unbuilt, statistics, .. } = pass;
    indexes::sync(&built);
    Ok(ReadBack { checksum, unbuilt, statistics })
}

/// What the backend knows while threads read.
struct Pass {
    threads: Threads<Job, Found>,
    leaves: Vec<Leaf>,
    hasher: TupleHasher,
    memory: PgMemoryContexts,
    checksum: Checksum,
    built: Vec<pg_sys::Oid>,
    /// Indexes that are left to the server.
    unbuilt: Vec<pg_sys::Oid>,
    statistics: Option<Gathering>,
}

impl Pass {
    fn take_ready(&mut self) -> Result<()> {
        while let Some(found) = self.threads.ready() {
            self.take(found)?;
        }
        Ok(())
    }

    fn take(&mut self, found: Found) -> Result<()> {
        match found {
            Found::Index { index, pages: Ok(pages) } => {
                indexes::write(index, pages);
                self.built.push(index);
                Ok(())
            }
            Found::Index { index, pages: Err(Duplicate) } => {
                self.unbuilt.push(index);
                Ok(())
            }
            Found::Statistics(described) => {
                self.statistics.iter_mut().for_each(|s| s.store(&described));
                Ok(())
            }
            Found::Rows { leaf: n, checksum, odd, entries, drawn } => {
                progress::advance(0, checksum.rows);
                self.checksum.merge(&checksum);
                if let Some(statistics) = &mut self.statistics {
                    statistics.add(n, checksum.rows, drawn);
                }
                let Some(leaf) = self.leaves.get_mut(n) else { return Ok(()) };
                leaf.out -= 1;
                for (all, more) in leaf.entries.iter_mut().zip(entries) {
                    *all = all.take().zip(more).map(|(mut all, more)| {
                        all.append(more);
                        all
                    });
                }
                let most = ffi::maintenance_memory().min(MOST_SORTED);
                for all in &mut leaf.entries {
                    // More than fits is for the server's sort, which has a disk.
                    *all = all.take().filter(|all| all.bytes() <= most);
                }
                for (block, page, numbers) in odd {
                    self.ask(n, block, &page, &numbers)?;
                }
                self.finish_leaf(n)
            }
        }
    }

    /// Rows that the server has to be asked about.
    fn ask(&mut self, n: usize, block: u32, page: &Page, numbers: &[u16]) -> Result<()> {
        let Self { leaves, hasher, memory, checksum, statistics, .. } = self;
        let draw = statistics.as_ref().and_then(|s| s.draw(n));
        let (mut drawn, mut scratch) = (Vec::new(), Vec::new());
        let Some(leaf) = leaves.get_mut(n) else { return Ok(()) };
        // SAFETY: copies of whole tuples, which outlive their use; what is allocated meanwhile is not kept.
        unsafe {
            let relation = pg_sys::table_open(leaf.oid, pg_sys::AccessShareLock as i32);
            for number in numbers {
                let tuple = page.tuple(*number).ok_or_else(|| {
                    Problem::new("XX001", "a page of the restored table has a row that cannot be read")
                })?;
                let mut header: pg_sys::HeapTupleData = std::mem::zeroed();
                header.t_len = u32::try_from(tuple.len()).unwrap_or(0);
                header.t_data = tuple.as_ptr().cast_mut().cast();
                let place = draw.and_then(|draw| draw.place(tid(block, *number)));
                let draw =
                    |fields: Fields<'_, '_>| drawn.extend(place.map(|place| Row::new(place, fields, &mut scratch)));
                checksum.add(memory.switch_to(|_| hasher.hash(&raw mut header, (*relation).rd_att, draw)));
                for (keys, entries) in leaf.keys.iter().zip(&mut leaf.entries) {
                    let values: Vec<Option<Vec<u8>>> = keys.columns().map(|column| hasher.stored(column)).collect();
                    let value = |column: usize| {
                        keys.columns().position(|c| c == column).and_then(|at| values.get(at)?.as_deref())
                    };
                    let added = entries.as_mut().and_then(|e| keys.add(e, tid(block, *number), value));
                    if added.is_none() {
                        *entries = None;
                    }
                }
                memory.reset();
            }
            pg_sys::table_close(relation, pg_sys::NoLock as i32);
        }
        if let Some(statistics) = statistics {
            statistics.add(n, numbers.len() as u64, drawn);
        }
        Ok(())
    }

    /// When all rows of a leaf were read, its indexes can be built, and its statistics worked out.
    fn finish_leaf(&mut self, n: usize) -> Result<()> {
        let Some(leaf) = self.leaves.get_mut(n).filter(|l| l.all_given && l.out == 0) else { return Ok(()) };
        let (indexes, entries) = (std::mem::take(&mut leaf.indexes), std::mem::take(&mut leaf.entries));
        for (LeafIndex { oid, unique, keys }, entries) in indexes.into_iter().zip(entries) {
            match keys.zip(entries) {
                Some((keys, entries)) => self.threads.give(Job::Index { index: oid, keys, unique, entries })?,
                None => self.unbuilt.push(oid),
            }
        }
        let tasks = self.statistics.as_mut().map(|s| s.complete(n)).unwrap_or_default();
        tasks.into_iter().try_for_each(|task| self.threads.give(Job::Statistics(task)))
    }
}

fn tid(block: u32, number: u16) -> u64 {
    u64::from(block) << 16 | u64::from(number)
}

fn work(mut reader: Reader, jobs: &Jobs<Job>, found: &SyncSender<Found>) {
    while let Some(job) = jobs.next() {
        let done = match job {
            Job::Rows { leaf, pages, keys, draw } => rows(&mut reader, leaf, pages, &keys, draw),
            Job::Statistics(task) => Found::Statistics(task.work_out()),
            Job::Index { index, keys, unique, entries } => Found::Index { index, pages: build(&keys, entries, unique) },
        };
        if found.send(done).is_err() {
            return;
        }
    }
}

fn rows(reader: &mut Reader, leaf: usize, pages: Vec<(u32, Page)>, keys: &[Keys], draw: Option<Draw>) -> Found {
    let (mut drawn, mut scratch) = (Vec::new(), Vec::new());
    let mut checksum = Checksum::default();
    let mut odd = Vec::new();
    let mut entries: Vec<Option<Entries>> = keys.iter().map(|k| Some(k.entries())).collect();
    for (block, page) in pages {
        let mut numbers = Vec::new();
        reader.page(&page, &mut checksum, &mut numbers, |number, shape, values| {
            let place = draw.and_then(|draw| draw.place(tid(block, number)));
            drawn.extend(place.map(|place| Row::new(place, shape.fields(values), &mut scratch)));
            for (keys, entries) in keys.iter().zip(&mut entries) {
                let added = entries.as_mut().and_then(|e| keys.add(e, tid(block, number), |column| values.get(column)));
                if added.is_none() {
                    *entries = None;
                }
            }
        });
        if !numbers.is_empty() {
            odd.push((block, page, numbers));
        }
    }
    Found::Rows { leaf, checksum, odd, entries, drawn }
}

/// Copies of all pages of a table.
fn each_batch(leaf: pg_sys::Oid, mut take: impl FnMut(Vec<(u32, Page)>) -> Result<()>) -> Result<()> {
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
            batch.extend(page.map(|page| (block, page)));
            if batch.len() == BATCH || block + 1 == blocks {
                take(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)))?;
            }
        }
        pg_sys::FreeAccessStrategy(strategy);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
    }
    Ok(())
}
