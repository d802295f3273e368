//! One section, or a part of it, into its tables by threads: one reads, some make pages of the rows, and this backend writes the pages.
//!
//! Rows that the threads do not understand are handed back, and COPY takes them, in batches, with the number of the line that each had.

use super::shape::Target;
use super::writer::Writer;
use crate::pg::archive::{Data, Lent};
use crate::pg::error::Result;
use crate::pg::threads::{Jobs, Stop, Threads};
use crate::pg::{progress, settings};
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::backup::script::ScriptError;
use foreshard_core::heap::{Filled, Filler, Odd, Report};
use foreshard_core::model::Problem;
use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Bytes of rows that a thread takes at a time.
const CHUNK: usize = 128 << 10;
/// Bytes of rows for COPY that are kept until it is worth its while.
const KEPT: usize = 8 << 20;

/// Rows on their way, in the order of the data.
struct Chunk {
    number: u64,
    lines: Vec<u8>,
}

/// What a thread made of a chunk.
enum Made {
    Chunk {
        number: u64,
        bytes: usize,
        outcome: std::result::Result<Report, Problem>,
        pages: Vec<Filled>,
    },
    /// The pages that were not full when there were no more rows.
    Rest(Vec<Filled>),
}

/// What the threads loaded.
#[derive(Debug)]
pub struct Done {
    /// Rows on the pages that were written.
    pub rows: u64,
    /// Of the rows that were read for them.
    pub checksum: Checksum,
    pub bytes: u64,
    /// The section is at its end.
    pub ended: bool,
}

/// What is loaded of a section.
#[derive(Debug, Clone, Copy)]
pub struct Portion {
    /// Rows of the section before it.
    pub before: u64,
    /// Bytes of rows after which it may end.
    pub most: u64,
}

/// What becomes of the rows that no pages are made of.
pub trait Others {
    /// Rows that the threads do not understand, numbered from 1 in the whole section.
    fn odd(&mut self, rows: Odd) -> Result<()>;
    /// Rows of shards that live elsewhere, in COPY's binary format.
    fn away(&mut self, place: u32, rows: &[u8]) -> Result<()>;
}

/// Loads a portion of the section that `data` stands at. Each thread has a copy of `filler`.
pub fn fill(
    data: &mut Data,
    target: &Target,
    filler: &Filler,
    portion: Portion,
    others: &mut impl Others,
) -> Result<Done> {
    let mut writer = Writer::open(&target.leaves);
    let mut threads: Threads<Chunk, Made> = Threads::start(settings::load_threads(), || {
        let filler = filler.clone();
        move |jobs: Jobs<Chunk>, made| work(filler, || jobs.next(), &made)
    })?;
    let stop = threads.stop();
    let (Some(chunks), Some(script)) = (threads.hand_over_jobs(), data.lend()) else {
        return Err(Problem::new("XX000", "there is nothing that threads could read").into());
    };
    // The script comes back when the section was read.
    let (back, source) = sync_channel(1);
    threads.spawn(move || {
        let _sent = back.send(read(script, &chunks, &stop, portion.most));
    })?;
    let (mut checksum, mut bytes) = (Checksum::default(), 0);
    let mut order = Order { rows: portion.before, ..Order::default() };
    while let Some(made) = threads.next()? {
        let pages = match made {
            Made::Rest(pages) => pages,
            Made::Chunk { number, bytes: read, outcome, pages } => {
                let report = outcome?;
                for (place, rows) in (0..).zip(&report.away) {
                    others.away(place, rows)?;
                }
                checksum.merge(&report.checksum);
                progress::advance(read, report.rows);
                bytes += read as u64;
                order.add(number, report);
                pages
            }
        };
        pages.into_iter().for_each(|filled| writer.put(filled.shard, filled.page));
        if order.odd.lines.len() >= KEPT {
            others.odd(std::mem::take(&mut order.odd))?;
        }
    }
    writer.flush();
    let Ok((script, outcome)) = source.recv() else {
        return Err(Problem::new("XX000", "the thread that reads the backup failed").into());
    };
    let (ended, failed) = match outcome {
        Ok(ended) => (ended, None),
        Err(error) => (false, Some(error)),
    };
    data.take_back(script, failed)?;
    if !order.odd.lines.is_empty() {
        others.odd(order.odd)?;
    }
    writer.sync();
    Ok(Done { rows: writer.rows(), checksum, bytes, ended })
}

/// The thread that reads: whole lines, in chunks, and so many bytes or some more. Was it all that there is?
fn read(
    mut script: Lent,
    chunks: &SyncSender<Chunk>,
    stop: &Stop,
    most: u64,
) -> (Lent, std::result::Result<bool, ScriptError>) {
    let mut taken = 0;
    for number in 0.. {
        let mut lines = Vec::with_capacity(2 * CHUNK);
        let more = loop {
            match script.append_rows(&mut lines) {
                Ok(true) if lines.len() < CHUNK => {}
                Ok(more) => break more,
                Err(error) => return (script, Err(error)),
            }
        };
        taken += lines.len() as u64;
        // A queue without a reader: the load has failed already.
        let unwanted = stop.is_set() || !lines.is_empty() && chunks.send(Chunk { number, lines }).is_err();
        if unwanted || !more || taken >= most {
            return (script, Ok(!more));
        }
    }
    (script, Ok(true))
}

/// A thread that makes pages.
fn work(mut filler: Filler, mut next: impl FnMut() -> Option<Chunk>, made: &SyncSender<Made>) {
    while let Some(Chunk { number, lines }) = next() {
        let mut pages = Vec::new();
        let outcome = filler.rows(&lines, &mut |filled| pages.push(filled)).map_err(|e| e.problem());
        if made.send(Made::Chunk { number, bytes: lines.len(), outcome, pages }).is_err() {
            return;
        }
    }
    let _sent = made.send(Made::Rest(filler.finish().collect()));
}

/// Brings the rows for COPY into the order of the data, where each gets its number.
#[derive(Debug, Default)]
struct Order {
    /// Chunks behind one that has not come yet.
    early: BTreeMap<u64, (u64, Odd)>,
    next: u64,
    rows: u64,
    odd: Odd,
}

impl Order {
    fn add(&mut self, number: u64, report: Report) {
        self.early.insert(number, (report.rows, report.odd));
        while let Some((rows, odd)) = self.early.remove(&self.next) {
            self.odd.lines.extend_from_slice(&odd.lines);
            self.odd.numbers.extend(odd.numbers.iter().map(|n| self.rows + n + 1));
            self.rows += rows;
            self.next += 1;
        }
    }
}
