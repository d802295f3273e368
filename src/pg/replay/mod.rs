//! What would the logged statements meet under another layout? Some rows of the backup, really cut, and asked.
//!
//! For the plan's choice, its runner-up and one plain table: the tables that the statements touch are built as temporary
//! tables ([`tables`], [`designs`]) with a sample of their rows ([`samples`]); each statement is turned to them
//! ([`redirect`]), judged ([`guard`]), given parameters from rows ([`sources`], [`values`]) and run ([`execute`],
//! [`timeout`]). All of it happens in a subtransaction that is rolled back: nothing stays, and no more than TEMP on the
//! database is needed.

mod designs;
mod execute;
pub mod facts;
pub mod guard;
mod measure;
mod redirect;
mod samples;
mod sources;
mod statements;
pub mod tables;
mod values;

use super::archive::Backup;
use super::error::Result;
use super::ffi::{self, Session};
use super::{catalog, ledger, precheck, querylog};
use foreshard_core::key::{Cutting, Families};
use foreshard_core::model::plan::{Class, Within};
use foreshard_core::model::{Candidate, Config, KeyColumns, Method, Problem, ReplayConfig, TableName};
use measure::{Bench, Measure};
use statements::Replayed;
use std::collections::BTreeSet;

/// One statement under one candidate.
#[derive(Debug)]
pub struct Outcome {
    pub rank: usize,
    pub method: Method,
    pub key: KeyColumns,
    pub shard_count: u32,
    pub within: Option<Within>,
    pub statement: i64,
    pub text: String,
    pub share: f64,
    /// What the plan says: class and shards.
    pub predicted: Option<(Class, Option<f64>)>,
    /// What was met, or why it was not replayed.
    pub measured: std::result::Result<Measure, String>,
}

/// # Errors
/// 25006 where nothing can be created, 42704 without such a plan, 55000 without statements, and those of the backup.
pub fn replay(plan_id: i64, replay: &ReplayConfig, session: &Session) -> Result<Vec<Outcome>> {
    precheck::writable("replay a plan")?;
    if !catalog::may_create_temporary()? {
        return Err(Problem::new("42501", "permission denied to create temporary tables in this database")
            .detail("A replay builds its sample in temporary tables.")
            .hint("The database's owner can GRANT TEMPORARY ON DATABASE.")
            .into());
    }
    let (plan, document) = ledger::plan(plan_id)?;
    let path = ledger::backup_of(plan_id)?.unwrap_or_default();
    let config = Config::read(&document)?;
    let schema_name = session.schema.as_deref();
    let backup = Backup::open(&path, &config, schema_name)?;
    let log = querylog::read(&config, schema_name)?;
    let (definitions, _) = backup.definitions()?;
    let schema = definitions.schema(&plan.source);
    if schema.get(&plan.source).is_none() {
        return Err(Problem::new("42P01", format!("table \"{}\" is not in the backup any more", plan.source))
            .detail(format!("The plan was made for {path}."))
            .hint("Make a new plan with foreshard.plan_restore.")
            .into());
    }
    let workload = log.analyze(&schema, &config);
    let statements = statements::replayed(&workload, &log, &plan.source, &config, replay, schema_name)?;
    let tables: BTreeSet<TableName> =
        statements.iter().flat_map(|s| s.tables.iter().cloned()).chain([plan.source.clone()]).collect();
    let families = Families::new(&schema, &workload);
    let compared = designs::compared(&plan);
    let leading = designs::leading(&plan, &compared);
    let leading = leading.as_ref().map(Cutting::spread);
    let sampling = samples::Sampling {
        backup: &backup,
        definitions: &definitions,
        schema: &schema,
        families: &families,
        config: replay,
        source: &plan.source,
        leading,
    };
    let pools = sampling.pools(&tables)?;
    let rows = pools.get(&plan.source).map(|p| p.rows.as_slice()).unwrap_or_default();
    let making = designs::Making { plan: &plan, schema: &schema, families: &families, tables: &tables, rows };
    let key_families: BTreeSet<usize> =
        leading.iter().flat_map(|c| c.key).filter_map(|c| families.of(&plan.source, c)).collect();
    let mut out = Vec::new();
    for at in compared {
        let Some(candidate) = plan.candidates.get(at) else { continue };
        let outcome = |s: &Replayed, measured| outcome(at, candidate, s, measured);
        let Some(design) = making.design(at) else {
            let why = || Err("the sample has too few values of the key to be cut".to_owned());
            out.extend(statements.iter().map(|s| outcome(s, why())));
            continue;
        };
        let measured = ffi::subtransaction(false, || {
            let bench = Bench::build(&design, &definitions, &schema, &pools, &families, &key_families, replay)?;
            statements.iter().map(|s| Ok((s, bench.measure(s, &plan.source)?))).collect::<Result<Vec<_>>>()
        })?;
        out.extend(measured.into_iter().map(|(s, m)| outcome(s, m)));
    }
    Ok(out)
}

fn outcome(
    at: usize,
    candidate: &Candidate,
    statement: &Replayed,
    measured: std::result::Result<Measure, String>,
) -> Outcome {
    let predicted = candidate.evidence.statements.iter().find(|s| s.id == statement.id);
    Outcome {
        rank: at + 1,
        method: candidate.method,
        key: candidate.key.clone(),
        shard_count: candidate.shard_count,
        within: candidate.within.clone(),
        statement: statement.id,
        text: statement.shown.clone(),
        share: statement.share,
        predicted: predicted.map(|p| (p.class, (p.shards > 0.0).then_some(p.shards))),
        measured,
    }
}
