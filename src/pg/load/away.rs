//! What nodes hold of the rows that were sent: read back over the connections that sent them, summed and sampled by threads.

use super::LoadColumn;
use super::copy::checksum_of;
use super::shape::Target;
use crate::pg::archive::Section;
use crate::pg::error::Result;
use crate::pg::remote::{Staging, Took};
use crate::pg::statistics::{Described, Draw, Gathering, Task};
use crate::pg::threads::{Jobs, Threads};
use crate::pg::{progress, settings};
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::heap::{Filler, Report};
use foreshard_core::model::Problem;
use foreshard_core::model::config::CopyOptions;
use foreshard_core::statistics::Row;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Bytes of rows that a thread takes at a time, and bits for the number of a row among them.
const CHUNK: usize = 128 << 10;
const ROW_BITS: u32 = 24;

/// What threads are asked to do.
enum Job {
    /// Rows of a node, the chunks of all nodes numbered as they come. For each shard, which of its rows are drawn.
    Rows {
        rows: Vec<u8>,
        chunk: u64,
        draws: Arc<Vec<Option<Draw>>>,
    },
    Statistics(Task),
}

enum Found {
    /// With the rows of each shard, and those that were drawn.
    Rows(Summed),
    Statistics(Described),
}

type Summed = std::result::Result<(Report, Vec<(u64, Vec<Row>)>), Problem>;

/// Reads all rows on the nodes, and makes statistics of what is wanted of them. Gives their checksum.
///
/// `leaves`: for each shard, by its ordinal, its place among the leaves of the statistics; None for a shard here.
pub fn read_away(
    staging: &mut Staging,
    target: &Target,
    columns: &[LoadColumn],
    leaves: &[Option<usize>],
    statistics: &mut Option<Gathering>,
) -> Result<Checksum> {
    let names = columns.iter().map(|c| c.name.clone()).collect();
    let section = Section { columns: Some(names), csv: false, copy: CopyOptions::default(), file: None };
    let filler = target
        .filler(&section, columns)
        .ok_or_else(|| Problem::new("XX000", "rows that were sent cannot be read back"))?;
    let threads = Threads::start(settings::load_threads(), || {
        let filler = filler.clone();
        move |jobs: Jobs<Job>, found| work(filler, &jobs, &found)
    })?;
    let mut pass = Pass { threads, leaves, statistics, checksum: Checksum::default(), odd: Vec::new(), out: 0 };
    staging.begin_reading(section.columns.as_deref().unwrap_or_default())?;
    let mut chunks: Vec<Option<Vec<u8>>> = (0..staging.nodes()).map(|_| Some(Vec::new())).collect();
    let mut number = 0;
    while chunks.iter().any(Option::is_some) {
        let mut idle = true;
        for (node, slot) in chunks.iter_mut().enumerate() {
            let Some(chunk) = slot else { continue };
            let took = staging.take(node, CHUNK, chunk)?;
            idle &= took == Took::Nothing;
            if chunk.len() >= CHUNK || took == Took::End && !chunk.is_empty() {
                let (rows, draws) = (std::mem::take(chunk), Arc::new(pass.draws()));
                pass.threads.give(Job::Rows { rows, chunk: number, draws })?;
                pass.out += 1;
                number += 1;
            }
            if took == Took::End {
                *slot = None;
            }
        }
        while let Some(found) = pass.threads.ready() {
            pass.take(found)?;
        }
        if idle {
            staging.wait_for_rows(|node| chunks.get(node).is_some_and(Option::is_some))?;
        }
    }
    pass.finish()?;
    // What threads do not understand, the server does.
    pass.checksum.merge(&checksum_of(&pass.odd, &section, columns)?);
    Ok(pass.checksum)
}

struct Pass<'a> {
    threads: Threads<Job, Found>,
    leaves: &'a [Option<usize>],
    statistics: &'a mut Option<Gathering>,
    checksum: Checksum,
    odd: Vec<u8>,
    /// Chunks that are out.
    out: usize,
}

impl Pass<'_> {
    fn draws(&self) -> Vec<Option<Draw>> {
        let draw = |leaf: &Option<usize>| self.statistics.as_ref().and_then(|s| s.draw((*leaf)?));
        self.leaves.iter().map(draw).collect()
    }

    fn take(&mut self, found: Found) -> Result<()> {
        match found {
            Found::Statistics(described) => self.statistics.iter_mut().for_each(|s| s.store(&described)),
            Found::Rows(outcome) => {
                self.out -= 1;
                let (report, of_shards) = outcome?;
                progress::advance(0, report.rows);
                self.checksum.merge(&report.checksum);
                self.odd.extend_from_slice(&report.odd.lines);
                for ((rows, drawn), leaf) in of_shards.into_iter().zip(self.leaves) {
                    if let Some((statistics, leaf)) = self.statistics.as_mut().zip(*leaf) {
                        statistics.add(leaf, rows, drawn);
                    }
                }
            }
        }
        Ok(())
    }

    /// When all rows have come, the statistics can be worked out.
    fn finish(&mut self) -> Result<()> {
        while self.out > 0 {
            if let Some(found) = self.threads.next()? {
                self.take(found)?;
            }
        }
        // What threads do not understand would be missing from a sample.
        if !self.odd.is_empty() {
            *self.statistics = None;
        }
        for leaf in self.leaves.iter().flatten() {
            let tasks = self.statistics.as_mut().map(|s| s.complete(*leaf)).unwrap_or_default();
            tasks.into_iter().try_for_each(|task| self.threads.give(Job::Statistics(task)))?;
        }
        self.threads.no_more();
        while let Some(found) = self.threads.next()? {
            self.take(found)?;
        }
        Ok(())
    }
}

fn work(mut filler: Filler, jobs: &Jobs<Job>, found: &SyncSender<Found>) {
    while let Some(job) = jobs.next() {
        let done = match job {
            Job::Rows { rows, chunk, draws } => Found::Rows(sum(&mut filler, &rows, chunk, &draws)),
            Job::Statistics(task) => Found::Statistics(task.work_out()),
        };
        if found.send(done).is_err() {
            return;
        }
    }
}

/// A row's place is that in which it comes: within a shard, that is the order in which it is stored.
fn sum(filler: &mut Filler, rows: &[u8], chunk: u64, draws: &[Option<Draw>]) -> Summed {
    let mut of_shards: Vec<(u64, Vec<Row>)> = draws.iter().map(|_| (0, Vec::new())).collect();
    let mut scratch = Vec::new();
    let report = filler
        .read(rows, &mut |shard, number, shape, values| {
            let Ok(at) = usize::try_from(shard) else { return };
            let (Some(draw), Some((rows, drawn))) = (draws.get(at), of_shards.get_mut(at)) else { return };
            *rows += 1;
            let place = draw.and_then(|draw| draw.place(chunk << ROW_BITS | number));
            drawn.extend(place.map(|place| Row::new(place, shape.fields(values), &mut scratch)));
        })
        .map_err(|e| e.problem())?;
    Ok((report, of_shards))
}
