//! All rows of a backup, section by section: by threads where they can, by COPY where not; and how far that has come.
//!
//! A load that is to be gone on with after a failure is done in portions, each in a subtransaction: what a portion that failed has
//! written through COPY goes with it. Pages that were written by themselves do not; whoever keeps the others has to cut them off.

use super::LoadColumn;
use super::copy::{Lines, copy_lines, copy_section};
use super::fill::{Others, Portion, fill};
use super::send::Sender;
use super::shape::{Routing, Target};
use crate::pg::archive::{Data, Section, SequenceState};
use crate::pg::error::{Result, is_outside};
use crate::pg::remote::{Form, Staging};
use crate::pg::{ffi, progress};
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::heap::Odd;
use foreshard_core::model::config::{CopyOptions, Verify};
use foreshard_core::model::{Problem, TableName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far a load has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Sections that are loaded.
    sections: u64,
    /// Bytes and rows of the section after them.
    in_section: (u64, u64),
    /// Rows that COPY says it stored, and those on the pages that were written.
    pub rows: u64,
    pub bytes: u64,
    /// What passed: the number of rows, and their checksum unless only the number is wanted.
    pub stream: Checksum,
}

#[derive(Debug)]
pub struct Loaded {
    pub reached: Reached,
    pub sequences: Vec<SequenceState>,
    /// Tables of the backup that it had rows of, be it none; None for a file of rows.
    pub met: Option<BTreeSet<TableName>>,
}

/// Where the rows go, and how.
#[derive(Debug)]
pub struct Destination<'a> {
    pub target: &'a TableName,
    pub columns: &'a [LoadColumn],
    /// What is known of the target, where threads may make pages of its rows; COPY takes what they leave.
    pub pages: Option<&'a Target>,
    /// Shards on other servers.
    pub staging: Option<&'a mut Staging>,
    /// How to tell whose rows are theirs.
    pub routing: Option<Routing>,
    pub verify: Verify,
    /// Bytes of a portion, for a load in portions. Those of a file of rows are whole files.
    pub portion: Option<u64>,
}

impl<'a> Destination<'a> {
    /// One COPY into a table of this server.
    pub fn here(target: &'a TableName, columns: &'a [LoadColumn], verify: Verify) -> Self {
        Self { target, columns, pages: None, staging: None, routing: None, verify, portion: None }
    }
}

/// Copies what has not been reached of all sections of `data` to where it belongs; `kept` is told after each portion.
pub fn load(
    mut data: Data,
    mut to: Destination<'_>,
    mut reached: Reached,
    mut kept: impl FnMut(Reached),
) -> Result<Loaded> {
    progress::advance(usize::try_from(reached.bytes).unwrap_or(usize::MAX), reached.rows);
    let most = to.portion.filter(|_| data.is_script()).unwrap_or(u64::MAX);
    let mut sections = 0;
    while let Some(section) = data.next_section()? {
        sections += 1;
        if sections <= reached.sections {
            continue;
        }
        data.skip(reached.in_section.0)?;
        if let Some(staging) = &mut to.staging {
            let all: Vec<String> = to.columns.iter().map(|c| c.name.clone()).collect();
            staging.begin_copy(section.columns.as_deref().unwrap_or(&all), &all)?;
        }
        let mut ended = false;
        while !ended {
            let portion = Portion { before: reached.in_section.1, most };
            let in_portions = to.portion.is_some();
            let work = || load_portion(data, &section, &mut to, portion);
            let (sums, rest) = if in_portions { ffi::attempt(is_outside, work)? } else { work()? };
            (data, ended) = (rest, sums.ended);
            reached.add(&sums);
            if ended {
                (reached.sections, reached.in_section) = (sections, (0, 0));
            }
            kept(reached);
        }
        if let Some(staging) = &mut to.staging {
            reached.rows += staging.end_copy()?;
        }
    }
    let met = data.met().cloned();
    Ok(Loaded { reached, sequences: data.finish()?, met })
}

impl Reached {
    fn add(&mut self, sums: &Sums) {
        self.in_section.0 += sums.bytes;
        self.in_section.1 += sums.stream.rows;
        self.rows += sums.rows;
        self.bytes += sums.bytes;
        self.stream.merge(&sums.stream);
    }
}

/// What was loaded of a portion so far.
#[derive(Debug, Default)]
struct Sums {
    rows: u64,
    bytes: u64,
    stream: Checksum,
    /// The section is at its end.
    ended: bool,
}

fn load_portion(mut data: Data, section: &Section, to: &mut Destination<'_>, portion: Portion) -> Result<(Sums, Data)> {
    let mut sums = Sums { ended: true, ..Sums::default() };
    let filler = to.pages.and_then(|p| Some((p, p.filler(section, to.columns)?)));
    if let Some((pages, filler)) = filler.filter(|_| data.is_script()) {
        let done = fill(&mut data, pages, &filler, portion, &mut Rest { to, section, sums: &mut sums })?;
        sums.rows += done.rows;
        sums.bytes += done.bytes;
        sums.stream.merge(&done.checksum);
        sums.ended = done.ended;
    } else if to.staging.is_some() {
        sums.bytes = Rest { to, section, sums: &mut sums }.send(&mut data)?;
    } else {
        let (done, rest) = copy_section(data, section, to.target, to.columns, to.verify, portion)?;
        return Ok((Sums { rows: done.rows, bytes: done.bytes, stream: done.checksum, ended: done.ended }, rest));
    }
    Ok((sums, data))
}

/// Rows that threads make no pages of.
struct Rest<'a, 'b> {
    to: &'a mut Destination<'b>,
    section: &'a Section,
    sums: &'a mut Sums,
}

impl Rest<'_, '_> {
    /// COPY of rows that were read, and counted in the progress, before.
    fn copy(&mut self, rows: Vec<u8>, lines: Lines<'_>, section: &Section) -> Result<()> {
        let Destination { target, columns, verify, .. } = *self.to;
        let (stored, passed) = copy_lines(rows, lines, section, target, columns, verify)?;
        self.sums.rows += stored;
        self.sums.stream.merge(&passed);
        Ok(())
    }

    /// Rows of shards here and elsewhere; gives the bytes that were read.
    fn send(&mut self, data: &mut Data) -> Result<u64> {
        let Destination { target, columns, verify, .. } = *self.to;
        let Some(routing) = self.to.routing.clone() else {
            return Err(Problem::new("0A000", format!("the rows of \"{target}\" cannot be sent to other servers"))
                .detail("Only the server can tell which shard a value of its shard key belongs to.")
                .hint("Choose another shard key, or nodes of this server.")
                .into());
        };
        let Some(staging) = self.to.staging.take() else { return Ok(0) };
        let mut sender = Sender { staging, routing, columns, target, summed: verify == Verify::Checksum };
        // What goes through COPY here was written down anew.
        let text = Section { csv: false, copy: CopyOptions::default(), file: None, ..self.section.clone() };
        let sent = sender.send(data, self.section, |lines| self.copy(lines, Lines::After(0), &text));
        self.to.staging = Some(sender.staging);
        let (checksum, bytes) = sent?;
        self.sums.stream.merge(&checksum);
        Ok(bytes)
    }
}

impl Others for Rest<'_, '_> {
    fn odd(&mut self, odd: Odd) -> Result<()> {
        if self.to.staging.is_none() {
            let section = self.section;
            return self.copy(odd.lines, Lines::Listed(&odd.numbers), section);
        }
        self.send(&mut Data::made_up(std::io::Cursor::new(odd.lines))).map(drop)
    }

    fn away(&mut self, place: u32, rows: &[u8]) -> Result<()> {
        self.to.staging.as_mut().map_or(Ok(()), |staging| staging.put(place, Form::Binary, rows))
    }
}
