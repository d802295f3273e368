//! The plan: from a workload, a profile, a schema and nodes to one layout with everything that led to it.
//!
//! [`plan`] checks what the config asks for ([`check`]), judges every candidate by the same objective ([`choose`]),
//! cuts the chosen one into shards and places them on nodes ([`layout`]), says what is lost by it ([`notes`]) and signs the
//! document with its hash. [`explain`] tells it to people. Nothing here reads a clock or draws a number: the same
//! input gives the same plan, byte for byte.

mod check;
mod choose;
mod explain;
mod layout;
mod notes;

pub use explain::explain;

use crate::count::{DEFAULT_TARGET_SHARD_BYTES, Demand};
use crate::key::{HashShares, Subject};
use crate::model::plan::Note;
use crate::model::{Config, Node, Plan, Problem, Schema, Table, TableName, TableProfile, Workload};

/// Version of the plan's document.
pub const VERSION: u32 = 1;

/// All that a plan depends on.
#[derive(Debug, Clone)]
pub struct PlanInput<'a> {
    pub target: TableName,
    /// The table in the backup; its definition is the one that is planned for.
    pub source: TableName,
    pub schema: &'a Schema,
    pub workload: &'a Workload,
    pub profile: Option<&'a TableProfile>,
    /// The nodes that may take shards, in the user's order; never empty.
    pub nodes: &'a [Node],
    pub config: &'a Config,
    /// What is already known not to be carried over.
    pub notes: Vec<Note>,
    /// What the workload stands on, in words: query log, similar tables, declared profile, fallback.
    pub basis: String,
}

/// Plans with expected shares of the shards under hash; see [`plan_with`].
pub fn plan(input: &PlanInput<'_>) -> Result<Plan, Vec<Problem>> {
    plan_with(input, &|_, _, _| None)
}

/// Plans, with exact shares under hash where `exact` knows the type's hash and all values are known. Fails with all that
/// is wrong at once: 42P01 no such table, 42703 no such column, 42P16 a column or method that cannot partition, 0A000
/// a layout that PostgreSQL or the config's policy rules out, 22023 config values that contradict each other or the data,
/// 55000 no node to place shards on.
pub fn plan_with(input: &PlanInput<'_>, exact: &HashShares<'_>) -> Result<Plan, Vec<Problem>> {
    let Some(table) = input.schema.get(&input.source) else {
        return Err(vec![
            Problem::new("42P01", format!("table {} is not defined in the backup", input.source))
                .hint("Name the table of the backup in the config's \"source\"."),
        ]);
    };
    let mut problems = check::forced(input, table);
    if !input.nodes.iter().any(|n| n.active && n.capacity > 0.0) {
        problems.push(
            Problem::new("55000", "no node can take shards")
                .detail("Every node is inactive or has no capacity.")
                .hint("Add a node, or set one active again."),
        );
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let kind = input.config.workload.unwrap_or(input.workload.profile);
    let subject = Subject::new(table, input.schema, input.workload, kind, input.profile);
    let scored = choose::rank(&subject, input, &demand(input, table), exact);
    let (chosen, free) = choose::choose(&scored, input.config)?;
    assemble(input, &subject, scored, chosen, free, exact)
}

fn demand(input: &PlanInput<'_>, table: &Table) -> Demand {
    let config = input.config;
    Demand {
        rows: input.profile.map(|p| p.rows),
        text_bytes: input.profile.map(|p| p.text_bytes),
        growth: config.growth.unwrap_or(1.0),
        target_shard_bytes: config.target_shard_size.map_or(DEFAULT_TARGET_SHARD_BYTES, |s| s.0),
        throughput: config.throughput,
        concurrency: config.concurrency,
        nodes: input.nodes.iter().filter(|n| n.active && n.capacity > 0.0).count(),
        indexes: table.unique_keys.len(),
    }
}

fn assemble(
    input: &PlanInput<'_>,
    subject: &Subject<'_>,
    scored: Vec<choose::Scored>,
    chosen: usize,
    free: Option<usize>,
    exact: &HashShares<'_>,
) -> Result<Plan, Vec<Problem>> {
    let Some(count) = scored.get(chosen).map(|s| s.count.clone()) else {
        return Err(vec![Problem::new("XX000", "the chosen candidate is missing")]);
    };
    let mut candidates: Vec<_> = scored.into_iter().map(|s| s.candidate).collect();
    let instead = free.filter(|f| *f != chosen).and_then(|f| candidates.get(f)).map(choose::name_of);
    if let Some(candidate) = candidates.get_mut(chosen)
        && choose::is_forced(input.config)
    {
        let advice = match instead {
            Some(other) => format!("The config asks for it; by itself the planner would choose {other}."),
            None => "The config asks for it, and the planner agrees.".to_owned(),
        };
        candidate.because = format!("{advice} {}", candidate.because);
    }
    let Some(candidate) = candidates.get(chosen) else {
        return Err(vec![Problem::new("XX000", "the chosen candidate is missing")]);
    };
    let layout = layout::lay_out(subject, candidate, input.nodes, exact)?;
    let mut all_notes = input.notes.clone();
    all_notes.extend(notes::of_choice(subject, candidate, input));
    let mut plan = Plan {
        version: VERSION,
        target: input.target.clone(),
        source: input.source.clone(),
        basis: input.basis.clone(),
        coverage: input.workload.coverage.clone(),
        workload: input.config.workload.unwrap_or(input.workload.profile),
        rows: input.profile.map(|p| p.rows),
        text_bytes: input.profile.map(|p| p.text_bytes),
        candidates,
        chosen,
        layout,
        count,
        notes: all_notes,
        hash: String::new(),
    };
    plan.hash = hash(&plan)?;
    Ok(plan)
}

/// xxh3-128 of the document with an empty hash, as 32 hexadecimal digits.
pub fn hash(plan: &Plan) -> Result<String, Vec<Problem>> {
    let mut unsigned = plan.clone();
    unsigned.hash = String::new();
    let text = serde_json::to_string(&unsigned)
        .map_err(|e| vec![Problem::new("XX000", "the plan cannot be written as JSON").detail(e.to_string())])?;
    Ok(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes())))
}
