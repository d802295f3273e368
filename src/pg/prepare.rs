//! From a request to a plan that can be executed here and now.
//!
//! All checks that need no row come first and report everything that is wrong at once; then a look at the rows for the
//! profile; then the plan, which is stored; then a rehearsal of the chosen layout. plan_restore stops here.

use super::archive::{Backup, Stored};
use super::create::{self, Blueprint, carry, rehearse};
use super::definition::{Definition, Definitions};
use super::error::Result;
use super::ffi::{Session, interrupts};
use super::look::Rows;
use super::remote::Names;
use super::request::{Request, keep};
use super::{catalog, claim, history, ledger, load, nodes, parse, precheck, progress, querylog};
use foreshard_core::model::config::{OnFailure, Profiling};
use foreshard_core::model::node::{Location, Node};
use foreshard_core::model::words::counted;
use foreshard_core::model::workload::SameValues;
use foreshard_core::model::{Config, Layout, Plan, Problem, Schema, TableName, TableProfile};
use foreshard_core::plan::{
    PairedColumns, PlacedTable, PlanInput, TableSize, paired_columns, plan_with, with_notes, without_room,
};
use foreshard_core::route::{self, HashType};
use foreshard_core::workload;
use std::collections::BTreeMap;

/// A plan, stored, with what is needed to execute it.
#[derive(Debug)]
pub struct Prepared {
    pub plan: Plan,
    pub plan_id: i64,
    pub backup: Backup,
    pub definitions: Definitions,
    /// The table's name in the backup.
    pub source: TableName,
    places: Places,
    carried: Vec<create::Carried>,
}

/// What nodes stand for, by their names.
#[derive(Debug, Clone, Default)]
struct Places {
    tablespaces: BTreeMap<String, String>,
    servers: BTreeMap<String, String>,
}

impl Prepared {
    pub fn definition(&self) -> Result<&Definition> {
        self.definitions.tables.get(&self.source).ok_or_else(|| Problem::new("XX000", "the definition is gone").into())
    }

    pub fn blueprint(&self) -> Result<Blueprint<'_>> {
        Ok(Blueprint {
            definition: self.definition()?,
            target: self.plan.target.clone(),
            layout: Some(&self.plan.layout),
            tablespaces: self.places.tablespaces.clone(),
            servers: self.places.servers.clone(),
            wrapper: &self.plan.wrapper,
            remote: self.places.reach(&self.plan.layout).then(|| Names::new(&self.plan.target)).transpose()?,
            carried: self.carried.clone(),
        })
    }
}

/// Plans, or takes the stored plan that the config names, and checks that it can be executed here and now.
pub fn prepare(request: &Request, session: &Session) -> Result<Prepared> {
    let schema = session.schema.as_deref();
    claim::must_be_free(&request.target)?;
    let mut problems = precheck::target(request, schema)?;
    let target_is_free = problems.is_empty();
    let nodes = keep(&mut problems, nodes::eligible(&request.config));
    problems.extend(nodes::unfit(nodes.as_deref().unwrap_or_default()));
    let log = match &request.stored {
        None => keep(&mut problems, querylog::read(&request.config, schema)),
        Some(_) => None,
    };
    let history = match &request.stored {
        None => keep(&mut problems, history::read(&request.config, schema)),
        Some(_) => None,
    };
    let Some(backup) = keep(&mut problems, Backup::open(&request.backup, &request.config, schema)) else {
        return Err(problems.into());
    };
    if backup.live().is_some() {
        // Its rows are written as pg_dump writes them, and read from the first on.
        session.set("timezone", "UTC");
        session.set("synchronize_seqscans", "off");
    }
    let (definitions, stored) = backup.definitions()?;
    let source = match keep(&mut problems, precheck::source(request, &backup, &definitions, schema)) {
        Some(source) => source,
        None => return Err(problems.into()),
    };
    let Some(definition) = definitions.tables.get(&source) else { return Err(problems.into()) };
    let keep = request.config.on_failure == OnFailure::Keep;
    if keep && backup.live().is_some() {
        problems.push(
            Problem::new("0A000", "a restore from a live table cannot be kept when it fails")
                .detail("Its rows are not the same when they are read again.")
                .hint("Leave \"on_failure\" out, or restore from a backup of the table."),
        );
    }
    let roles = precheck::roles(definition, &request.config)?;
    let impossible = precheck::definition(definition, &definitions)?;
    let places = Places::of(nodes.as_deref().unwrap_or_default());
    // The rehearsal would only tell the same again in other words.
    if target_is_free && impossible.is_empty() && request.resume.is_none() {
        let mut config = request.config.clone();
        config.no_owner |= !roles.is_empty();
        config.no_privileges |= !roles.is_empty();
        problems.extend(rehearsal(definition, &request.target, None, &config, &places)?);
    }
    problems.extend(impossible.into_iter().chain(roles));
    let Some(nodes) = nodes.filter(|_| problems.is_empty()) else { return Err(problems.into()) };

    let (plan, plan_id) = match &request.stored {
        Some((id, plan)) => {
            precheck::stored_plan(plan, request, &nodes)?;
            (plan.clone(), *id)
        }
        None => {
            let (Some(log), Some(history)) = (log, history) else { return Err(problems.into()) };
            let read = Read { stored, log, history };
            let plan = make_plan(request, &backup, &definitions, &source, &nodes, read)?;
            let id = ledger::store_plan(&plan, &request.backup, &request.document)?;
            (plan, id)
        }
    };
    let away = places.reach(&plan.layout);
    // What is resumed has been rehearsed, and is there for the most part.
    if request.resume.is_none() {
        let mut problems = precheck::shard_names(&plan)?;
        if problems.is_empty() {
            problems.extend(rehearsal(definition, &request.target, Some(&plan.layout), &request.config, &places)?);
        }
        problems.extend(without_room(&plan, &nodes::disks(&nodes)?));
        if keep && away {
            problems.push(
                Problem::new("0A000", "a restore to other servers cannot be kept when it fails")
                    .detail("What is made on a node is one transaction there, and goes with it.")
                    .hint("Leave \"on_failure\" out, or choose nodes of this server by \"nodes\"."),
            );
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
    }
    let (carried, _) = carry(definition, &request.target, Some(&plan.layout), &request.config, away)?;
    Ok(Prepared { plan, plan_id, backup, definitions, source, places, carried })
}

/// What the backup's rows tell of each pair of columns.
fn same_values(backup: &Backup, definitions: &Definitions, pairs: &[PairedColumns]) -> Result<Vec<SameValues>> {
    let mut found = Vec::new();
    for of_table in pairs.chunk_by(|a, b| a.table == b.table) {
        let Some(table) = of_table.first().map(|p| &p.table).filter(|t| definitions.tables.contains_key(*t)) else {
            continue;
        };
        let data = backup.data(&definitions.data_tables(table), &[], definitions.encoding.as_deref())?;
        found.append(&mut load::same_values(data, &of_table.iter().collect::<Vec<_>>())?);
    }
    Ok(found)
}

/// What is known before the rows are read.
struct Read {
    stored: Stored,
    log: querylog::QueryLog,
    history: Option<history::Found>,
}

fn make_plan(
    request: &Request,
    backup: &Backup,
    definitions: &Definitions,
    source: &TableName,
    nodes: &[Node],
    Read { stored, log, history }: Read,
) -> Result<Plan> {
    let schema = with_live_views(definitions.schema(source), &log)?;
    let Some(definition) = definitions.tables.get(source) else {
        return Err(Problem::new("XX000", "the definition is gone").into());
    };
    let rows = Rows { backup, definitions, stored: &stored, definition, config: &request.config };
    let mut look = rows.look()?;
    progress::phase(progress::Phase::Planning);
    pgrx::debug1!("analysing {} log entries over {} tables", log.entries.len(), schema.tables.len());
    let mut workload = log.analyze(&schema, &request.config);
    pgrx::debug1!("planning {source} by {} statements", workload.statements.len());
    let mut likeness = None;
    let mut basis = log.basis;
    let touches = workload.statements.iter().any(|s| s.tables.iter().any(|t| t.table == *source));
    if !touches && let Some((similar, resemblance, borrowed)) = workload::borrow(&workload, &schema, source) {
        basis = format!(
            "{basis}: no statement touches {source}; those of {similar} are used, which resembles it ({:.0} %)",
            resemblance * 100.0
        );
        (workload, likeness) = (borrowed, Some(resemblance));
    } else if !touches && !log.entries.is_empty() {
        basis = format!("{basis}: no statement touches {source}");
    }
    if request.config.profile != Profiling::Off {
        workload.same_values = same_values(backup, definitions, &paired_columns(&schema, &workload))?;
    }
    let (placed, exact) = neighbours(source, &request.target)?;
    let plan_by = |profile: Option<&TableProfile>| -> Result<Plan> {
        let mut sizes = sizes_of(definitions, &stored, source, profile);
        let others = sizes.keys().filter(|table| *table != source).count();
        let of_others = match others {
            0 => String::new(),
            _ if backup.live().is_some() => {
                format!(", sizes of {} by the catalog", counted(others as u64, "other table"))
            }
            _ => format!(", sizes of {} by the backup", counted(others as u64, "other table")),
        };
        sizes.extend(exact.iter().filter(|(_, size)| size.bytes.is_some()).map(|(table, size)| (table.clone(), *size)));
        let rows = profile.map(|p| p.rows).or(sizes.get(source).and_then(|size| size.rows));
        let outlook = history.as_ref().map(|h| h.outlook(&schema, source, rows, &request.config)).transpose()?;
        let input = PlanInput {
            target: request.target.clone(),
            source: source.clone(),
            schema: &schema,
            workload: &workload,
            likeness,
            profile,
            sizes: &sizes,
            placed: &placed,
            nodes,
            config: &request.config,
            outlook: outlook.as_ref(),
            notes: Vec::new(),
            basis: format!("{basis}{of_others}"),
            interrupts: interrupts(),
        };
        Ok(plan_with(&input, &|type_name, values, modulus| {
            let values = values.iter().map(|(value, rows)| (value.map(str::as_bytes), *rows));
            route::shares(HashType::of_type(type_name)?, values, modulus)
        })?)
    };
    let mut plan = plan_by(look.profile.as_ref())?;
    if let Some(all) = rows.look_again(&look, &plan)? {
        pgrx::debug1!("planning {source} again by all rows: {}", all.told.because);
        progress::phase(progress::Phase::Planning);
        (plan, look) = (plan_by(all.profile.as_ref())?, all);
    }
    pgrx::debug1!("planned {source}");
    // What is not carried over depends on the layout, and is part of the plan.
    let away = Places::of(nodes).reach(&plan.layout);
    let notes = carry(definition, &request.target, Some(&plan.layout), &request.config, away)?.1;
    Ok(with_notes(plan, look.told, notes)?)
}

/// Adds the views of this database: a backup of one table has none, and its statements name them all the same.
fn with_live_views(mut schema: Schema, log: &querylog::QueryLog) -> Result<Schema> {
    if log.entries.is_empty() {
        return Ok(schema);
    }
    let read = |(name, text): (TableName, String)| Some((name, parse::statements(&text).ok()?.into_iter().next()?));
    let live = catalog::views()?.into_iter().filter_map(read);
    // Of two with one name that of the backup stays.
    let of_backup = std::mem::take(&mut schema.views);
    Ok(schema.with_views(live.chain(of_backup)))
}

/// What the backup tells of the size of its tables, without their rows being read.
fn sizes_of(
    definitions: &Definitions,
    stored: &Stored,
    source: &TableName,
    profile: Option<&TableProfile>,
) -> BTreeMap<TableName, TableSize> {
    let rows = |table: &TableName| stored.sum(&definitions.data_tables(table));
    let ratio = stored.ratio(rows(source).zip(profile));
    let tables = definitions.tables.values().filter(|d| d.partition_of.is_none() || d.table.name == *source);
    tables.filter_map(|d| Some((d.table.name.clone(), rows(&d.table.name)?.size(ratio)))).collect()
}

/// The other tables of the backup that were restored into the target's schema before, the latest of each: where their
/// shards are, and how large they were.
fn neighbours(source: &TableName, target: &TableName) -> Result<(Vec<PlacedTable>, BTreeMap<TableName, TableSize>)> {
    let plans = ledger::restored()?;
    let beside = plans.into_iter().filter(|p| p.source != *source && p.target.schema == target.schema);
    let latest: BTreeMap<TableName, Plan> = beside.map(|plan| (plan.source.clone(), plan)).collect();
    Ok(latest
        .into_iter()
        .map(|(table, plan)| {
            let size = TableSize { rows: plan.rows, bytes: plan.text_bytes };
            (PlacedTable::new(table.clone(), &plan.layout), (table, size))
        })
        .unzip())
}

impl Places {
    fn of(nodes: &[Node]) -> Self {
        let mut places = Self::default();
        for node in nodes {
            match &node.location {
                Location::Tablespace(name) => places.tablespaces.insert(node.name.clone(), name.clone()),
                Location::Server(name) => places.servers.insert(node.name.clone(), name.clone()),
            };
        }
        places
    }

    /// Some shard of the layout lives on another server.
    fn reach(&self, layout: &Layout) -> bool {
        layout.shards.iter().any(|s| self.servers.contains_key(&s.node))
    }
}

fn rehearsal(
    definition: &Definition,
    target: &TableName,
    layout: Option<&Layout>,
    config: &Config,
    places: &Places,
) -> Result<Vec<Problem>> {
    let (carried, _) = carry(definition, target, layout, config, layout.is_some_and(|l| places.reach(l)))?;
    let (tablespaces, servers) = (places.tablespaces.clone(), places.servers.clone());
    rehearse(&Blueprint {
        definition,
        target: target.clone(),
        layout,
        tablespaces,
        servers,
        wrapper: &[],
        remote: None,
        carried,
    })
}
