//! The road: backup and query log in, plan out, and on from there to the restored table.
//!
//! Planning and restoring walk the same way; planning stops before the first lasting step. All checks that need no row
//! come first and report everything that is wrong at once; then one pass over the rows for the profile; then the plan,
//! and a rehearsal of the chosen layout. A restore goes on with create, load, indexes and the rest, verification and the
//! ledger, all in the caller's transaction.

use super::archive::Backup;
use super::catalog;
use super::create::{self, Blueprint, Builder, Phase, carry, rehearse};
use super::definition::{Definition, Definitions};
use super::error::{Error, Result};
use super::ffi::{Pinned, Session, quote_literal, quote_table};
use super::ledger::{self, Restored};
use super::load::{self, Loaded};
use super::{claim, nodes, precheck, querylog};
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::model::config::{Switch, Verify};
use foreshard_core::model::node::{Location, Node};
use foreshard_core::model::plan::Note;
use foreshard_core::model::{Config, Layout, Plan, Problem, TableName};
use foreshard_core::plan::{PlacedTable, PlanInput, TableSize, plan_with};
use foreshard_core::route::{self, HashType};
use foreshard_core::workload::{self, AnalyzeOptions};
use pgrx::Spi;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Instant;

/// What the caller asked for.
#[derive(Debug)]
pub struct Request {
    pub target: TableName,
    pub backup: String,
    pub config: Config,
    /// The plan that the config names; then the config is the one that the plan was made with.
    pub stored: Option<(i64, Plan)>,
    /// The config as it was written, for the ledger.
    pub document: Value,
}

impl Request {
    /// # Errors
    /// Everything that is wrong with the arguments themselves.
    pub fn read(target: &str, backup: &str, document: Value, session: &Session) -> Result<Self> {
        if !catalog::database_is_utf8() {
            return Err(Problem::new("0A000", "foreshard needs a database with the encoding UTF8")
                .hint("Create the database with ENCODING 'UTF8'.")
                .into());
        }
        let mut problems = Vec::new();
        let target = keep(&mut problems, catalog::resolve_name(target, session.schema.as_deref()));
        let config = keep(&mut problems, Config::read(&document).map_err(Error::from));
        let (Some(target), Some(config)) = (target, config) else { return Err(problems.into()) };
        let backup = backup.to_owned();
        let Some(id) = config.plan else { return Ok(Self { target, backup, config, stored: None, document }) };
        let others: Vec<String> = document.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        if others.len() > 1 {
            let others: Vec<String> = others.into_iter().filter(|name| name != "plan").collect();
            return Err(Problem::new("22023", "a stored plan is executed as it is")
                .detail(format!("The config has \"plan\" and also {}.", others.join(", ")))
                .hint("Leave the other fields out, or make a new plan with them.")
                .into());
        }
        let (plan, document) = ledger::plan(id)?;
        let config = Config::read(&document)?;
        Ok(Self { target, backup, config, stored: Some((id, plan)), document })
    }
}

/// Collects the problems of a check that must not hide those of the next.
pub fn keep<T>(problems: &mut Vec<Problem>, outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            problems.extend(error.into_problems());
            None
        }
    }
}

/// A plan, stored, with what is needed to execute it.
#[derive(Debug)]
pub struct Prepared {
    pub plan: Plan,
    pub plan_id: i64,
    backup: Backup,
    definitions: Definitions,
    source: TableName,
    tablespaces: BTreeMap<String, String>,
    carried: Vec<create::Carried>,
}

impl Prepared {
    fn definition(&self) -> Result<&Definition> {
        self.definitions.tables.get(&self.source).ok_or_else(|| Problem::new("XX000", "the definition is gone").into())
    }

    fn blueprint(&self) -> Result<Blueprint<'_>> {
        Ok(Blueprint {
            definition: self.definition()?,
            target: self.plan.target.clone(),
            layout: Some(&self.plan.layout),
            tablespaces: self.tablespaces.clone(),
            carried: self.carried.clone(),
        })
    }
}

/// Plans, or takes the stored plan that the config names, and checks that it can be executed here and now.
pub fn prepare(request: &Request, session: &Session) -> Result<Prepared> {
    let schema = session.schema.as_deref();
    claim::must_be_free(&request.target)?;
    let mut problems = precheck::target(request)?;
    let target_is_free = problems.is_empty();
    let nodes = keep(&mut problems, nodes::eligible(&request.config));
    let log = match &request.stored {
        None => keep(&mut problems, querylog::read(&request.config, schema)),
        Some(_) => None,
    };
    let Some(backup) = keep(&mut problems, Backup::open(&request.backup, &request.config, schema)) else {
        return Err(problems.into());
    };
    let definitions = backup.definitions()?;
    let source = match keep(&mut problems, precheck::source(request, &backup, &definitions, schema)) {
        Some(source) => source,
        None => return Err(problems.into()),
    };
    let Some(definition) = definitions.tables.get(&source) else { return Err(problems.into()) };
    let roles = precheck::roles(definition, &request.config)?;
    let impossible = precheck::definition(definition, &definitions)?;
    let tablespaces = tablespaces(nodes.as_deref().unwrap_or_default());
    // The rehearsal would only tell the same again in other words.
    if target_is_free && impossible.is_empty() {
        let mut config = request.config.clone();
        config.no_owner |= !roles.is_empty();
        config.no_privileges |= !roles.is_empty();
        problems.extend(rehearsal(definition, &request.target, None, &config, &tablespaces)?);
    }
    problems.extend(impossible.into_iter().chain(roles));
    let Some(nodes) = nodes.filter(|_| problems.is_empty()) else { return Err(problems.into()) };

    let (plan, plan_id) = match &request.stored {
        Some((id, plan)) => {
            precheck::stored_plan(plan, request, &nodes)?;
            (plan.clone(), *id)
        }
        None => {
            let Some(log) = log else { return Err(problems.into()) };
            let plan = make_plan(request, &backup, &definitions, &source, &nodes, log)?;
            let id = ledger::store_plan(&plan, &request.backup, &request.document)?;
            (plan, id)
        }
    };
    let mut problems = precheck::shard_names(&plan)?;
    if problems.is_empty() {
        problems.extend(rehearsal(definition, &request.target, Some(&plan.layout), &request.config, &tablespaces)?);
    }
    problems.extend(precheck::disk_space(&plan, &nodes));
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let (carried, _) = carry(definition, &request.target, Some(&plan.layout), &request.config)?;
    Ok(Prepared { plan, plan_id, backup, definitions, source, tablespaces, carried })
}

fn make_plan(
    request: &Request,
    backup: &Backup,
    definitions: &Definitions,
    source: &TableName,
    nodes: &[Node],
    log: querylog::QueryLog,
) -> Result<Plan> {
    let schema = definitions.schema(source);
    let definition = definitions.tables.get(source);
    let profile = match (request.config.profile, definition) {
        (Switch::On, Some(definition)) => {
            let data = backup.data(&definitions.data_tables(source), &[], definitions.encoding.as_deref())?;
            Some(load::profile(data, &definition.table)?)
        }
        _ => None,
    };
    let options =
        AnalyzeOptions { min_calls: request.config.min_calls.unwrap_or(0.0), profile: request.config.workload };
    let mut workload = workload::analyze(&schema, &log.entries, &options);
    let mut basis = log.basis;
    let touches = workload.statements.iter().any(|s| s.tables.iter().any(|t| t.table == *source));
    if !touches && let Some((similar, likeness, borrowed)) = workload::borrow(&workload, &schema, source) {
        basis = format!(
            "{basis}: no statement touches {source}; those of {similar} are used, which resembles it ({:.0} %)",
            likeness * 100.0
        );
        workload = borrowed;
    } else if !touches && !log.entries.is_empty() {
        basis = format!("{basis}: no statement touches {source}");
    }
    let (placed, sizes) = neighbours(source)?;
    let input = |notes: Vec<Note>| PlanInput {
        sizes: &sizes,
        placed: &placed,
        target: request.target.clone(),
        source: source.clone(),
        schema: &schema,
        workload: &workload,
        profile: profile.as_ref(),
        nodes,
        config: &request.config,
        notes,
        basis: basis.clone(),
    };
    // What is not carried over depends on the layout, and is part of the plan: decide, look, decide the same again.
    let decide = |input: &PlanInput<'_>| {
        plan_with(input, &|type_name, values, modulus| {
            let values = values.iter().map(|(value, rows)| (value.map(str::as_bytes), *rows));
            route::shares(HashType::of_type(type_name)?, values, modulus)
        })
    };
    let draft = decide(&input(Vec::new()))?;
    let notes = match definition {
        Some(definition) => carry(definition, &request.target, Some(&draft.layout), &request.config)?.1,
        None => Vec::new(),
    };
    Ok(decide(&input(notes))?)
}

/// The other tables of the backup that were restored here before: where their shards are, and how large they were.
fn neighbours(source: &TableName) -> Result<(Vec<PlacedTable>, BTreeMap<TableName, TableSize>)> {
    let plans = ledger::restored()?;
    let others = plans.into_iter().filter(|p| p.source != *source);
    Ok(others
        .map(|plan| {
            let size = TableSize { rows: plan.rows, bytes: plan.text_bytes };
            let placed = PlacedTable { table: plan.source.clone(), layout: plan.layout };
            (placed, (plan.source, size))
        })
        .unzip())
}

fn tablespaces(nodes: &[Node]) -> BTreeMap<String, String> {
    nodes
        .iter()
        .filter_map(|n| match &n.location {
            Location::Tablespace(tablespace) => Some((n.name.clone(), tablespace.clone())),
            Location::Server(_) => None,
        })
        .collect()
}

fn rehearsal(
    definition: &Definition,
    target: &TableName,
    layout: Option<&Layout>,
    config: &Config,
    tablespaces: &BTreeMap<String, String>,
) -> Result<Vec<Problem>> {
    let (carried, _) = carry(definition, target, layout, config)?;
    rehearse(&Blueprint { definition, target: target.clone(), layout, tablespaces: tablespaces.clone(), carried })
}

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
    let prepared = prepare(request, session)?;
    let blueprint = prepared.blueprint()?;
    let builder = Builder::new(&blueprint);
    let plan = &prepared.plan;
    for note in &plan.notes {
        pgrx::notice!("{} {} {}: {}", note.kind, note.object, note.what, note.because);
    }
    builder.run(Phase::BeforeLoad)?;
    // An archive's points in time name their zone, and their texts must not depend on who restores it.
    let rows_only = prepared.backup.like().is_some();
    if !rows_only {
        session.set("timezone", "UTC");
    }
    let columns = load::load_columns(&request.target)?;
    let definition = prepared.definition()?;
    let data = prepared.backup.data(
        &prepared.definitions.data_tables(&prepared.source),
        &definition.sequences,
        prepared.definitions.encoding.as_deref(),
    )?;
    let loaded = load::load(data, &request.target, &columns, request.config.verify)?;
    all_sections(&prepared, &loaded)?;
    let mut checksum = verify(&request.target, &columns, &loaded, request.config.verify)?;
    if rows_only && checksum.is_some() {
        // The rows were read in the caller's time zone; the ledger keeps what verify_table will find.
        let _zone = Pinned::new(&[("timezone", "UTC")]);
        checksum = Some(stored(&request.target, &columns)?);
    }
    builder.run(Phase::AfterLoad)?;
    set_sequences(&blueprint, &loaded)?;
    Spi::run(&format!("ANALYZE {}", quote_table(&request.target)))?;
    let shards: Vec<TableName> = plan.layout.shards.iter().map(|s| blueprint.shard_name(s.ordinal)).collect();
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

/// Compares the table with what passed on its way in.
///
/// # Errors
/// XX001 when they differ: then nothing is published.
fn verify(target: &TableName, columns: &[load::LoadColumn], loaded: &Loaded, how: Verify) -> Result<Option<Checksum>> {
    let differ = |what: &str, passed: String, stored: String| {
        Problem::new("XX001", format!("the restored table differs from the backup in its {what}"))
            .detail(format!("The backup has {passed}, the table {stored}."))
            .hint("Nothing was kept. Check the server's memory and disks, and restore again.")
    };
    if loaded.rows != loaded.stream.rows {
        return Err(differ("number of rows", loaded.stream.rows.to_string(), loaded.rows.to_string()).into());
    }
    if how == Verify::Count {
        return Ok(None);
    }
    let stored = stored(target, columns)?;
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
