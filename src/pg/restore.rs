//! From a plan to the restored table: create, load, verify, indexes and the rest, the ledger; all in the caller's
//! transaction. What comes before is the same road as planning, in [`super::prepare`].

use super::create::{Blueprint, Builder, Phase};
use super::error::Result;
use super::ffi::{Pinned, Session, quote_literal, quote_table};
use super::ledger::{self, Restored};
use super::load::{self, Loaded};
use super::prepare::{Prepared, prepare};
use super::remote::Staging;
use super::request::Request;
use super::{archive, catalog, claim, progress};
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::model::config::Verify;
use foreshard_core::model::profile::ProfileKind;
use foreshard_core::model::{Plan, Problem, TableName};
use pgrx::Spi;
use std::time::Instant;

/// What a restore did.
#[derive(Debug)]
pub struct Outcome {
    pub job_id: i64,
    pub plan_id: i64,
    pub plan: Plan,
    pub rows: u64,
    pub seconds: f64,
}

/// The whole road.
pub fn restore(request: &Request, session: &Session) -> Result<Outcome> {
    let begun = Instant::now();
    claim::take(&request.target)?;
    let _shown = progress::begin(&request.target.to_string(), &request.backup);
    archive::lock(&request.backup, session.schema.as_deref())?;
    let prepared = prepare(request, session)?;
    let blueprint = prepared.blueprint()?;
    let builder = Builder::new(&blueprint);
    let plan = &prepared.plan;
    for note in &plan.notes {
        pgrx::notice!("{} {} {}: {}", note.kind, note.object, note.what, note.because);
    }
    progress::phase(progress::Phase::Creating);
    let mut staging = Staging::begin(&blueprint, &plan.layout)?;
    builder.run(Phase::BeforeLoad)?;
    // An archive's points in time name their zone, and their texts must not depend on who restores it.
    let rows_only = prepared.backup.like().is_some();
    if !rows_only {
        session.set("timezone", "UTC");
    }
    let columns = load::load_columns(&request.target)?;
    let definition = prepared.definition()?;
    let data = prepared.backup.data_at_once(
        &prepared.definitions.data_tables(&prepared.source),
        &definition.sequences,
        prepared.definitions.encoding.as_deref(),
    )?;
    let counted = plan.profile.as_ref().is_some_and(|p| p.kind == ProfileKind::Whole);
    progress::loading(plan.rows, counted, plan.layout.shards.len() as u64);
    let shards: Vec<TableName> = plan.layout.shards.iter().map(|s| blueprint.shard_name(s.ordinal)).collect();
    let whole = [request.target.clone()];
    let leaves = if plan.layout.method.shards() { shards.as_slice() } else { &whole };
    let places = staging.as_ref().map_or_else(Vec::new, |s| s.places().to_vec());
    let known = || load::Target::of(&request.target, &plan.layout, leaves, &columns, &places);
    let mut pages = known()?;
    let encoding = load::encoding(prepared.definitions.encoding.as_deref())?;
    let by_threads = data.is_script() && encoding == super::ffi::database_encoding();
    let filled_later = pages.is_some() && by_threads && !has_wide_rows(plan);
    if filled_later {
        builder.run(Phase::Indexes)?;
        // A key may forbid NULLs.
        pages = known()?;
    }
    let to = load::Destination {
        target: &request.target,
        columns: &columns,
        pages: pages.as_ref(),
        routing: match &staging {
            Some(_) => load::Routing::of(&request.target, &plan.layout, &columns)?,
            None => None,
        },
        staging: staging.as_mut(),
        verify: request.config.verify,
    };
    let loaded = load::load(data, to)?;
    all_sections(&prepared, &loaded)?;
    if let Some(staging) = staging {
        progress::phase(progress::Phase::Finishing);
        staging.finish()?;
    }
    progress::phase(progress::Phase::Verifying);
    let wanted = request.config.verify == Verify::Checksum;
    let read_back = match pages.as_ref().filter(|_| filled_later || wanted) {
        Some(pages) => Some(load::read_back(&pages.leaves, pages.shape(), &columns)?),
        None => None,
    };
    let away = |n: usize| places.get(n).copied().flatten().is_some();
    let stored = match &read_back {
        // With a number only, what is elsewhere was counted by those who took it.
        Some(_) if !wanted && (0..leaves.len()).any(away) => None,
        Some(read) => {
            let mut sum = read.checksum;
            for (_, shard) in leaves.iter().enumerate().filter(|(n, _)| away(*n)) {
                sum.merge(&load::content(shard, &columns, None)?.checksum);
            }
            Some(sum)
        }
        None if wanted => Some(stored(&request.target, &columns)?),
        None => None,
    };
    let mut checksum = verify(&loaded, stored)?;
    if rows_only && checksum.is_some() {
        // The rows were read in the caller's time zone; the ledger keeps what verify_table will find.
        let _zone = Pinned::new(&[("timezone", "UTC")]);
        checksum = Some(self::stored(&request.target, &columns)?);
    }
    progress::phase(progress::Phase::Finishing);
    match read_back {
        Some(read) if filled_later => read.build_others()?,
        _ => builder.run(Phase::Indexes)?,
    }
    builder.run(Phase::AfterLoad)?;
    set_sequences(&blueprint, &loaded)?;
    progress::phase(progress::Phase::Analyzing);
    Spi::run(&format!("ANALYZE {}", quote_table(&request.target)))?;
    let job_id = ledger::record_restore(&Restored {
        target: &request.target,
        plan,
        plan_id: prepared.plan_id,
        backup: &request.backup,
        shards: if plan.layout.method.shards() { &shards } else { &[] },
        rows: signed(loaded.rows),
        bytes: signed(loaded.bytes),
        checksum: checksum.map(|c| c.to_string()).as_deref(),
    })?;
    Ok(Outcome {
        job_id,
        plan_id: prepared.plan_id,
        plan: plan.clone(),
        rows: loaded.rows,
        seconds: begun.elapsed().as_secs_f64(),
    })
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

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
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
fn verify(loaded: &Loaded, stored: Option<Checksum>) -> Result<Option<Checksum>> {
    let differ = |what: &str, passed: String, stored: String| {
        Problem::new("XX001", format!("the restored table differs from the backup in its {what}"))
            .detail(format!("The backup has {passed}, the table {stored}."))
            .hint("Nothing was kept. Check the server's memory and disks, and restore again.")
    };
    let counts = [Some(loaded.rows), stored.map(|s| s.rows)];
    if let Some(rows) = counts.into_iter().flatten().find(|rows| *rows != loaded.stream.rows) {
        return Err(differ("number of rows", loaded.stream.rows.to_string(), rows.to_string()).into());
    }
    let Some(stored) = stored.filter(|_| loaded.summed) else { return Ok(None) };
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
fn set_sequences(blueprint: &Blueprint<'_>, loaded: &Loaded) -> Result<()> {
    for state in &loaded.sequences {
        let name = blueprint.rename(&state.sequence);
        // The backup may name any sequence; those that are not the table's own are not ours to set.
        if catalog::owns_sequence(&blueprint.target, &name)? {
            let name = quote_literal(&quote_table(&name));
            Spi::run(&format!("SELECT pg_catalog.setval({name}::pg_catalog.regclass, {})", state.arguments))?;
        }
    }
    Ok(())
}
