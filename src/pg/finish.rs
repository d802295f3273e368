//! From the empty table to the published one: rows, verification, indexes, and what others see of it. Where a failure is to leave what was
//! done before it, each step is a subtransaction.

use super::archive::{Data, SequenceState};
use super::catalog;
use super::create::{self, Blueprint, Builder, Phase};
use super::error::{Result, is_outside};
use super::ffi::{self, Pinned, Session, quote_literal, quote_table};
use super::ledger::{self, Restored};
use super::load::{self, Destination, LoadColumn, Loaded, Reached, ReadBack};
use super::prepare::Prepared;
use super::progress;
use super::remote::Staging;
use super::remote::link::Link;
use super::replica::{record, tie};
use super::request::Request;
use super::settings;
use super::statistics::{self, Gathering};
use super::unfinished::{self, Progress};
use super::watch::policy;
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::heap::PAGE;
use foreshard_core::model::config::Verify;
use foreshard_core::model::profile::ProfileKind;
use foreshard_core::model::{Plan, Problem, TableName};
use pgrx::Spi;

/// What is done once the empty table is there.
#[derive(Debug)]
pub struct Work<'a> {
    pub request: &'a Request,
    pub session: &'a Session,
    pub prepared: &'a Prepared,
    pub blueprint: &'a Blueprint<'a>,
    pub builder: &'a Builder<'a>,
    pub shards: &'a [TableName],
    /// The tables that have rows.
    pub leaves: &'a [TableName],
    /// Each step is one that stays when a later one fails.
    pub keep: bool,
    /// The job that is gone on with.
    pub resumed: Option<i64>,
}

impl Work<'_> {
    /// All that `done` has not reached. Gives the job's number.
    pub fn finish(&self, mut staging: Option<Staging>, done: &mut Progress) -> Result<i64> {
        let plan = &self.prepared.plan;
        // An archive's points in time name their zone, and their texts must not depend on who restores it.
        if self.prepared.backup.like().is_none() {
            self.session.set("timezone", "UTC");
        }
        let target = &self.request.target;
        let columns = load::load_columns(target)?;
        let places = staging.as_ref().map_or_else(Vec::new, |s| s.places().to_vec());
        let known = || load::Target::of(target, &plan.layout, self.leaves, &columns, &places, self.resumed.is_some());
        let mut pages = known()?;
        let (mut checked_later, mut filled_later) = (false, false);
        if done.sequences.is_none() {
            let data = self.step(|| self.data())?;
            let encoding = load::encoding(self.prepared.definitions.encoding.as_deref())?;
            let by_threads = pages.is_some() && data.is_script() && encoding == ffi::database_encoding();
            // What is kept has its checks from the beginning.
            let kept = self.keep || self.resumed.is_some();
            checked_later = by_threads && !kept;
            // Rows of a portion that failed would stay in the indexes.
            filled_later = by_threads && !has_wide_rows(plan) && !self.keep;
            if !checked_later && !kept {
                self.builder.run(Phase::Checks)?;
            }
            if filled_later {
                self.builder.run(Phase::Indexes)?;
                // A key may forbid NULLs.
                pages = known()?;
            }
            self.load(data, &columns, pages.as_ref(), staging.as_mut(), done)?;
        }
        let mut sent = Sent { places: &places, links: Vec::new(), checksum: None, statistics: None };
        if let Some(mut staging) = staging {
            if let Some(pages) = pages.as_ref().filter(|_| self.summed()) {
                progress::phase(progress::Phase::Verifying);
                self.read_away(&mut staging, pages, &columns, &mut sent)?;
            }
            progress::phase(progress::Phase::Finishing);
            let links = staging.links()?;
            staging.finish(self.summed())?;
            // Nobody can write yet, so that nothing has to be copied.
            tie(&links, false, self.request.config.synchronous)?;
            sent.links = links;
        }
        progress::phase(progress::Phase::Verifying);
        // What was kept may have rows that are none any more, and may have been changed: the server is asked for all.
        let by_pages = pages.as_ref().filter(|_| self.resumed.is_none() && (filled_later || self.summed()));
        let (read_back, checksum) = self.step(|| self.verify(&done.reached, by_pages, &mut sent, &columns))?;
        progress::phase(progress::Phase::Finishing);
        if checked_later {
            create::add_checks(self.blueprint)?;
        }
        match &read_back {
            Some(read) if filled_later => read.build_others()?,
            _ => self.indexes(done)?,
        }
        let job = self.step(|| self.publish(done, checksum, read_back.and_then(|read| read.statistics)))?;
        if !sent.links.is_empty() {
            record::made(&plan.layout.shards, self.shards, &sent.links, self.request.config.synchronous)?;
        }
        Ok(job)
    }

    /// The backup's rows.
    fn data(&self) -> Result<Data> {
        let Prepared { plan, backup, definitions, source, .. } = self.prepared;
        let definition = self.prepared.definition()?;
        let tables = definitions.data_tables(source);
        let data = backup.data(&tables, &definition.sequences, definitions.encoding.as_deref())?;
        let counted = plan.profile.as_ref().is_some_and(|p| p.kind == ProfileKind::Whole);
        progress::loading(plan.rows, counted, plan.layout.shards.len() as u64);
        Ok(data)
    }

    fn load(
        &self,
        data: Data,
        columns: &[LoadColumn],
        pages: Option<&load::Target>,
        staging: Option<&mut Staging>,
        done: &mut Progress,
    ) -> Result<()> {
        let (target, plan) = (&self.request.target, &self.prepared.plan);
        let to = Destination {
            target,
            columns,
            pages,
            routing: match &staging {
                Some(_) => load::Routing::of(target, &plan.layout, columns)?,
                None => None,
            },
            staging,
            verify: self.request.config.verify,
            portion: self.keep.then(|| portion(plan, self.leaves.len())),
        };
        let loaded = load::load(data, to, done.reached, |reached| {
            if self.keep {
                done.loaded(reached);
            }
        })?;
        all_sections(self.prepared, &loaded)?;
        done.reached = loaded.reached;
        done.sequences = Some(loaded.sequences);
        Ok(())
    }

    fn summed(&self) -> bool {
        self.request.config.verify == Verify::Checksum
    }

    /// Reads back what nodes took. Their shards' statistics are made with those of the shards here.
    fn read_away(
        &self,
        staging: &mut Staging,
        pages: &load::Target,
        columns: &[LoadColumn],
        sent: &mut Sent<'_>,
    ) -> Result<()> {
        let mut leaves = pages.leaves.clone();
        let mut numbers = Vec::new();
        for ((ordinal, shard), place) in (0..).zip(self.leaves).zip(sent.places) {
            numbers.push(place.is_some().then_some(leaves.len()));
            if place.is_some() {
                leaves.push((ordinal, ledger::require_oid(shard)?));
            }
        }
        let mut statistics = Gathering::of(catalog::require_table(&self.request.target)?, &leaves, columns)?;
        sent.checksum = Some(load::read_away(staging, pages, columns, &numbers, &mut statistics)?);
        if let Some(statistics) = &mut statistics {
            for (ordinal, blocks) in staging.blocks()? {
                let number = usize::try_from(ordinal).ok().and_then(|n| numbers.get(n).copied()).flatten();
                number.into_iter().for_each(|number| statistics.measured(number, blocks));
            }
        }
        sent.statistics = statistics;
        Ok(())
    }

    /// Reads the rows back, on their pages or by the server, and compares them with what passed; gives the checksum that the ledger keeps.
    fn verify(
        &self,
        reached: &Reached,
        by_pages: Option<&load::Target>,
        sent: &mut Sent<'_>,
        columns: &[LoadColumn],
    ) -> Result<(Option<ReadBack>, Option<Checksum>)> {
        let (target, wanted) = (&self.request.target, self.summed());
        let read_back = match by_pages {
            Some(pages) => {
                let statistics = match sent.places {
                    [] => Gathering::of(catalog::require_table(target)?, &pages.leaves, columns)?,
                    _ => sent.statistics.take(),
                };
                Some(load::read_back(&pages.leaves, pages.shape(), columns, statistics)?)
            }
            None => None,
        };
        let away = |n: usize| sent.places.get(n).copied().flatten().is_some();
        let stored = match &read_back {
            // With a number only, what is elsewhere was counted by those who took it.
            Some(_) if !wanted && (0..self.leaves.len()).any(away) => None,
            Some(read) => {
                let mut sum = read.checksum;
                if let Some(there) = &sent.checksum {
                    sum.merge(there);
                }
                Some(sum)
            }
            None if wanted || self.resumed.is_some() => Some(stored(target, columns)?),
            None => None,
        };
        let mut checksum = verify(reached, wanted, stored)?;
        if self.prepared.backup.like().is_some() && checksum.is_some() {
            // The rows were read in the caller's time zone; the ledger keeps what verify_table will find.
            let _zone = Pinned::new(&[("timezone", "UTC")]);
            checksum = Some(self::stored(target, columns)?);
        }
        Ok((read_back, checksum))
    }

    /// In a subtransaction, where a failure is to leave what was done before.
    fn step<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.keep { ffi::attempt(is_outside, work) } else { work() }
    }

    fn indexes(&self, done: &mut Progress) -> Result<()> {
        let all = self.builder.count(Phase::Indexes);
        let (built, of) = done.indexes;
        if built > 0 && of != all {
            return Err(Problem::new("55000", "the table has other indexes than when its restore was begun")
                .detail(format!("{built} of {of} steps were done, and now there are {all}."))
                .hint("Remove what was kept with foreshard.cancel_job, and restore anew.")
                .into());
        }
        self.builder.run_each(Phase::Indexes, built, |step| {
            self.step(step)?;
            done.indexes = (done.indexes.0 + 1, all);
            Ok(())
        })
    }

    /// References and all that others see of the table. Gives the job's number.
    fn publish(&self, done: &Progress, checksum: Option<Checksum>, gathered: Option<Gathering>) -> Result<i64> {
        let plan = &self.prepared.plan;
        self.builder.run(Phase::AfterLoad)?;
        set_sequences(self.blueprint, done.sequences.as_deref().unwrap_or_default())?;
        if let Some(job) = self.resumed {
            unfinished::forget(job)?;
        }
        progress::phase(progress::Phase::Analyzing);
        match gathered {
            Some(gathered) => gathered.finish(&self.request.target)?,
            None => statistics::analyze(&self.request.target, &[])?,
        }
        let job = ledger::record_restore(&Restored {
            job: self.resumed,
            target: &self.request.target,
            plan,
            plan_id: self.prepared.plan_id,
            backup: &self.request.backup,
            shards: if plan.layout.method.shards() { self.shards } else { &[] },
            rows: done.reached.rows,
            bytes: done.reached.bytes,
            checksum: checksum.map(|c| c.to_string()).as_deref(),
        })?;
        if let Some(auto) = self.request.config.auto_reshard {
            policy::begin_with(&self.request.target, auto)?;
        }
        Ok(job)
    }
}

/// Rows on other servers.
struct Sent<'a> {
    /// Where each shard's are, by its ordinal.
    places: &'a [Option<u32>],
    /// What ties copies of the shards to them.
    links: Vec<Link>,
    /// As they were read back, where threads could do that.
    checksum: Option<Checksum>,
    /// Of all shards, as far as they are known by then.
    statistics: Option<Gathering>,
}

/// Portions of a load that is kept when it fails: what a failure costs at most. Assumed.
const PORTIONS: u64 = 32;
/// Bytes of a portion of a table of unknown size. Assumed.
const USUAL_PORTION: u64 = 256 << 20;
/// At the end of a portion each thread writes a page for each shard, full or not. So many of them make a portion at least.
const PAGES_OF_ONE: u64 = 16;

/// Bytes of rows to be loaded at a time.
fn portion(plan: &Plan, leaves: usize) -> u64 {
    let unfilled = (PAGE * leaves * settings::load_threads().max(1)) as u64;
    plan.text_bytes.map_or(USUAL_PORTION, |bytes| bytes / PORTIONS).max(PAGES_OF_ONE * unfilled)
}

/// A table without rows still has a section: without one, the backup says nothing of its rows.
fn all_sections(prepared: &Prepared, loaded: &Loaded) -> Result<()> {
    let Some(met) = &loaded.met else { return Ok(()) };
    let missing = prepared.definitions.without_data(&prepared.source, met);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Err(Problem::new("22P04", format!("the backup does not have the rows of \"{}\"", prepared.source))
        .detail(format!("There is no COPY section of {}.", names.join(", ")))
        .hint("Was it made with --schema-only or --exclude-table-data? Otherwise it is damaged: take it again.")
        .into())
}

/// Bytes of a row's text from which it is likely that its tuple goes to TOAST, and so through COPY. Assumed.
const WIDE: u64 = 1500;

/// COPY would keep indexes up to date row by row: they are made afterwards then.
fn has_wide_rows(plan: &Plan) -> bool {
    plan.text_bytes.zip(plan.rows).is_some_and(|(bytes, rows)| bytes > WIDE * rows)
}

/// Compares what the table holds with what passed on its way in; gives the checksum, where one was wanted.
///
/// # Errors
/// XX001 when they differ: then nothing is published.
fn verify(loaded: &Reached, summed: bool, stored: Option<Checksum>) -> Result<Option<Checksum>> {
    let differ = |what: &str, passed: String, stored: String| {
        Problem::new("XX001", format!("the restored table differs from the backup in its {what}"))
            .detail(format!("The backup has {passed}, the table {stored}."))
            .hint("Nothing was kept. Check the server's memory and disks, and restore again.")
    };
    let counts = [Some(loaded.rows), stored.map(|s| s.rows)];
    if let Some(rows) = counts.into_iter().flatten().find(|rows| *rows != loaded.stream.rows) {
        return Err(differ("number of rows", loaded.stream.rows.to_string(), rows.to_string()).into());
    }
    let Some(stored) = stored.filter(|_| summed) else { return Ok(None) };
    if stored != loaded.stream {
        let show = |c: &Checksum| format!("{} rows with checksum {c}", c.rows);
        return Err(differ("content", show(&loaded.stream), show(&stored)).into());
    }
    Ok(Some(stored))
}

/// The checksum of what the table holds.
fn stored(target: &TableName, columns: &[load::LoadColumn]) -> Result<Checksum> {
    let mut stored = Checksum::default();
    for (_, shard) in catalog::leaves(catalog::require_table(target)?)? {
        stored.merge(&load::content(&shard, columns, None)?.checksum);
    }
    Ok(stored)
}

/// The sequences' last values, as the backup has them.
fn set_sequences(blueprint: &Blueprint<'_>, states: &[SequenceState]) -> Result<()> {
    for state in states {
        let name = blueprint.rename(&state.sequence);
        // The backup may name any sequence; those that are not the table's own are not ours to set.
        if catalog::owns_sequence(&blueprint.target, &name)? {
            let name = quote_literal(&quote_table(&name));
            Spi::run(&format!("SELECT pg_catalog.setval({name}::pg_catalog.regclass, {})", state.arguments))?;
        }
    }
    Ok(())
}
