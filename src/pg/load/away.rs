//! What nodes hold of the rows that were sent: read back over the connections that sent them, and summed by threads.

use super::LoadColumn;
use super::copy::checksum_of;
use super::shape::Target;
use crate::pg::archive::Section;
use crate::pg::error::Result;
use crate::pg::remote::{Staging, Took};
use crate::pg::threads::{Jobs, Threads};
use crate::pg::{progress, settings};
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::heap::{Filler, Odd, Report};
use foreshard_core::model::Problem;
use foreshard_core::model::config::CopyOptions;
use std::sync::mpsc::SyncSender;

/// Bytes of rows that a thread takes at a time.
const CHUNK: usize = 128 << 10;

type Summed = std::result::Result<Report, Problem>;

/// The checksum of all rows on the nodes.
pub fn read_away(staging: &mut Staging, target: &Target, columns: &[LoadColumn]) -> Result<Checksum> {
    let names = columns.iter().map(|c| c.name.clone()).collect();
    let section = Section { columns: Some(names), csv: false, copy: CopyOptions::default(), file: None };
    let filler = target
        .filler(&section, columns)
        .ok_or_else(|| Problem::new("XX000", "rows that were sent cannot be read back"))?;
    let mut threads: Threads<Vec<u8>, Summed> = Threads::start(settings::load_threads(), || {
        let filler = filler.clone();
        move |jobs: Jobs<Vec<u8>>, summed| sum(filler, &jobs, &summed)
    })?;
    let mut pass = Pass { checksum: Checksum::default(), odd: Odd::default() };
    staging.begin_reading(section.columns.as_deref().unwrap_or_default())?;
    let mut chunks: Vec<Option<Vec<u8>>> = (0..staging.nodes()).map(|_| Some(Vec::new())).collect();
    while chunks.iter().any(Option::is_some) {
        let mut idle = true;
        for (node, slot) in chunks.iter_mut().enumerate() {
            let Some(chunk) = slot else { continue };
            let took = staging.take(node, CHUNK, chunk)?;
            idle &= took == Took::Nothing;
            if chunk.len() >= CHUNK || took == Took::End && !chunk.is_empty() {
                threads.give(std::mem::take(chunk))?;
            }
            if took == Took::End {
                *slot = None;
            }
        }
        while let Some(summed) = threads.ready() {
            pass.add(summed?);
        }
        if idle {
            staging.wait_for_rows(|node| chunks.get(node).is_some_and(Option::is_some))?;
        }
    }
    threads.no_more();
    while let Some(summed) = threads.next()? {
        pass.add(summed?);
    }
    // What threads do not understand, the server does.
    pass.checksum.merge(&checksum_of(&pass.odd.lines, &section, columns)?);
    Ok(pass.checksum)
}

struct Pass {
    checksum: Checksum,
    odd: Odd,
}

impl Pass {
    fn add(&mut self, report: Report) {
        progress::advance(0, report.rows);
        self.checksum.merge(&report.checksum);
        self.odd.lines.extend_from_slice(&report.odd.lines);
    }
}

fn sum(mut filler: Filler, jobs: &Jobs<Vec<u8>>, summed: &SyncSender<Summed>) {
    while let Some(rows) = jobs.next() {
        let outcome = filler.rows(&rows, &mut |_| {}).map_err(|e| e.problem());
        if summed.send(outcome).is_err() {
            return;
        }
    }
}
