//! The plan: from a workload, a profile, a schema and nodes to one layout with everything that led to it.
//!
//! [`plan`] checks what the config asks for ([`check`]), judges every candidate by the same objective ([`choose`]),
//! cuts the chosen one into shards ([`layout`]) and places them on nodes ([`placement`]), says what is lost by it ([`notes`]) and signs the
//! document with its hash. [`explain`] tells it to people. Nothing here reads a clock or draws a number: the same
//! input gives the same plan, byte for byte.

mod apart;
mod check;
mod choose;
mod confidence;
mod demand;
mod explain;
pub mod joint;
mod layout;
mod levels;
mod notes;
mod options;
mod outlook;
mod placement;
pub mod search;
mod transactions;
mod whereabouts;
mod wrapper;

pub use crate::model::profile::TableSize;
pub use apart::{PairedColumns, paired_columns};
pub use explain::explain;
pub use options::Breadth;
pub use placement::{Disk, without_room};

use demand::demand;

use crate::key::{Context, HashShares, Subject};
use crate::model::plan::Note;
use crate::model::profile::Profiled;
use crate::model::words::round4;
use crate::model::{
    Config, Interrupts, Layout, Node, Outlook, Plan, Problem, Schema, TableName, TableProfile, Workload,
};
use std::collections::BTreeMap;

/// Version of the plan's document.
pub const VERSION: u32 = 1;

/// A table that is already sharded here, by its name in `schema`; its shards name their bounds and nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedTable {
    pub table: TableName,
    /// Of one level: see [`PlacedTable::new`].
    pub layout: Layout,
}

impl PlacedTable {
    /// Of a table of two levels other tables can follow the one that spreads its rows over the nodes.
    pub fn new(table: TableName, layout: &Layout) -> Self {
        Self { table, layout: layout.spread() }
    }
}

/// The same plan with what is known only once its layout is: which rows were read for it, and notes before its own.
pub fn with_notes(mut plan: Plan, profile: Profiled, mut notes: Vec<Note>) -> Result<Plan, Vec<Problem>> {
    notes.append(&mut plan.notes);
    plan.notes = notes;
    plan.profile = Some(Profiled { share: round4(profile.share), ..profile });
    plan.hash = hash(&plan)?;
    Ok(plan)
}

/// All that a plan depends on.
#[derive(Debug, Clone)]
pub struct PlanInput<'a> {
    pub target: TableName,
    /// The table in the backup; its definition is the one that is planned for.
    pub source: TableName,
    pub schema: &'a Schema,
    pub workload: &'a Workload,
    /// The workload's statements on the table are those of another one, which is so similar to it (0..=1).
    pub likeness: Option<f64>,
    pub profile: Option<&'a TableProfile>,
    /// What is known of the size of tables without reading them; may be empty.
    pub sizes: &'a BTreeMap<TableName, TableSize>,
    /// Tables already sharded here, whose definitions are in `schema`; may be empty.
    pub placed: &'a [PlacedTable],
    /// The nodes that may take shards, in the user's order; never empty.
    pub nodes: &'a [Node],
    pub config: &'a Config,
    /// What the load history says of the time ahead, where there is one.
    pub outlook: Option<&'a Outlook>,
    /// What is already known not to be carried over.
    pub notes: Vec<Note>,
    /// What the workload stands on, in words: query log, similar tables, declared profile, fallback.
    pub basis: String,
    pub interrupts: Interrupts,
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
    let context = context(input, kind);
    let subject = Subject::new(table, &context, input.profile);
    let demand = demand(input, table);
    let (mut ranked, joint) = choose::rank(&subject, input, &demand, exact);
    choose::tell_transactions(&mut ranked, &subject, &joint, input);
    let (chosen, free) = choose::choose(&ranked, input.config)?;
    let mut plan = assemble(input, &subject, ranked, &joint, chosen, free, exact)?;
    plan.notes.extend(demand::too_few_nodes(&demand));
    plan.hash = hash(&plan)?;
    Ok(plan)
}

/// What a plan is chosen by: the costs of all choices, and for each table (the target first) the choices' names.
#[derive(Debug, Clone)]
pub struct Objective {
    pub costs: search::Costs,
    pub tables: Vec<(TableName, Vec<String>)>,
}

/// The objective that a plan is chosen by: costs of the choices of the target (first) and of the tables that it can
/// matter to, with the choices' names. For proofs: the plan's own search works on the same costs.
pub fn objective(input: &PlanInput<'_>, exact: &HashShares<'_>, breadth: Breadth) -> Option<Objective> {
    let table = input.schema.get(&input.source)?;
    let context = context(input, input.config.workload.unwrap_or(input.workload.profile));
    let subject = Subject::new(table, &context, input.profile);
    let demand = demand(input, table);
    let options = options::of_target(&subject, input, &demand, &BTreeMap::new(), exact, breadth);
    let variables = options::variables(&subject, &options, input, &demand, exact, breadth);
    let joint = joint::Joint::new(&context, demand.nodes, demand.spreads, variables);
    // A rejected option is weighed, so that the tables that matter to it are there, but it cannot be chosen.
    let permitted = |at: &usize| options.get(*at).is_some_and(|o| o.candidate.rejected.is_none());
    let mut kept: Vec<Vec<usize>> = joint.variables.iter().map(|v| (0..v.values.len()).collect()).collect();
    if let Some(target) = kept.first_mut() {
        target.retain(permitted);
    }
    let (mut costs, constant) = joint.costs.restricted(&kept);
    costs.own.iter_mut().take(1).flatten().for_each(|cost| *cost += constant);
    let name = |v: &joint::Value| format!("{}({})", v.method.name(), v.key.join(","));
    let named = |(v, kept): (&joint::Variable<'_>, &Vec<usize>)| {
        (v.table.clone(), kept.iter().filter_map(|at| v.values.get(*at)).map(name).collect())
    };
    let tables = joint.variables.iter().zip(&kept).map(named).collect();
    Some(Objective { costs, tables })
}

fn context<'a>(input: &PlanInput<'a>, kind: crate::model::WorkloadProfile) -> Context<'a> {
    let profiled = input.profile.map(|p| (&input.source, p));
    let mut context = Context::new(input.schema, input.workload, kind, profiled, input.sizes);
    context.interrupts = input.interrupts;
    context
}

fn assemble(
    input: &PlanInput<'_>,
    subject: &Subject<'_>,
    ranked: Vec<choose::Ranked>,
    joint: &joint::Joint<'_>,
    chosen: usize,
    free: Option<usize>,
    exact: &HashShares<'_>,
) -> Result<Plan, Vec<Problem>> {
    let Some(choice) = ranked.get(chosen).cloned() else {
        return Err(vec![Problem::new("XX000", "the chosen candidate is missing")]);
    };
    let count = choice.scored.count.clone();
    let described = joint.describe(&choice.completed, input);
    let confidence = confidence::confidence(subject, input, &ranked, chosen, &described);
    let (flip, no_flip) = match confidence::flip(subject, input, &ranked, chosen, joint.variables.len(), exact) {
        Ok(flip) => (Some(flip), None),
        Err(because) => (None, Some(because)),
    };
    let mut candidates: Vec<_> = ranked.into_iter().map(|r| r.scored.candidate).collect();
    let instead = free.filter(|f| *f != chosen).and_then(|f| candidates.get(f)).map(choose::name_of);
    if let Some(candidate) = candidates.get_mut(chosen)
        && options::is_forced(input.config)
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
    let mut layout = layout::lay_out(subject, &choice.scored, input, exact)?;
    let demand = demand(input, subject.table);
    let (placement, wishes) = placement::settle(&mut layout, subject, candidate, &demand, input)?;
    let pieces = layout.spread().shards.len().max(1);
    let next_split = input.outlook.map(|o| outlook::next_split(o, &demand, &count, pieces));
    let mut all_notes = input.notes.clone();
    all_notes.extend(wishes);
    all_notes.extend(notes::of_choice(subject, candidate, input));
    let row_bytes = input.profile.filter(|p| p.rows > 0).map(|p| p.text_bytes / p.rows);
    let wrapper = wrapper::options(input, &layout, row_bytes, &described.tables);
    let plan = Plan {
        version: VERSION,
        target: input.target.clone(),
        source: input.source.clone(),
        basis: input.basis.clone(),
        coverage: input.workload.coverage.clone(),
        workload: input.config.workload.unwrap_or(input.workload.profile),
        rows: input.profile.map(|p| p.rows),
        text_bytes: input.profile.map(|p| p.text_bytes),
        profile: None,
        candidates,
        chosen,
        layout,
        count,
        placement: Some(placement),
        wrapper,
        forecast: input.outlook.cloned(),
        next_split,
        notes: all_notes,
        joint: Some(described),
        confidence: Some(confidence),
        flip,
        no_flip,
        transactions: input.workload.transactions.iter().take(Plan::TRANSACTIONS).cloned().collect(),
        transaction_kinds: input.workload.transactions.iter().filter(|t| t.statements.len() > 1).count(),
        hash: String::new(),
    };
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
