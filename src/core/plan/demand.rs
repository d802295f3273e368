//! What the data, the load and the nodes ask of the number of shards, from a plan's input.

use super::options::is_forced;
use super::{PlanInput, outlook};
use crate::capacity::per_node;
use crate::count::{CoLocated, DEFAULT_TARGET_SHARD_BYTES, Demand, demand_bounds, needed, needs};
use crate::model::node::Location;
use crate::model::plan::Note;
use crate::model::words::{counted, thousands};
use crate::model::{Metric, Node, Table};

pub(super) fn demand(input: &PlanInput<'_>, table: &Table) -> Demand {
    let config = input.config;
    let told = input.sizes.get(&input.source).copied().unwrap_or_default();
    let nodes: Vec<&Node> = input.nodes.iter().filter(|n| n.active && n.capacity > 0.0).collect();
    let foreign = nodes.iter().filter(|n| matches!(n.location, Location::Server(_))).count();
    let demand = Demand {
        rows: input.profile.map(|p| p.rows).or(told.rows),
        text_bytes: input.profile.map(|p| p.text_bytes).or(told.bytes),
        growth: config.growth.or_else(|| input.outlook.and_then(outlook::growth)).unwrap_or(1.0),
        target_shard_bytes: config.target_shard_size.map_or(DEFAULT_TARGET_SHARD_BYTES, |s| s.0),
        throughput: config.throughput.or_else(|| outlook::peak(input.outlook?, Metric::Rate)),
        concurrency: config.concurrency.or_else(|| outlook::peak(input.outlook?, Metric::Sessions)),
        nodes: nodes.len(),
        servers: foreign + usize::from(foreign < nodes.len()),
        per_node: per_node(nodes.iter().map(|n| (n.capacity, n.measured.as_ref())), written(input)),
        spreads: false,
        indexes: table.unique_keys.len(),
    };
    let spreads = nodes.len() > 1 || is_cut_anyway(input) || outgrows(input, &demand);
    Demand { spreads, ..demand }
}

/// The user, or what is here, says that tables are cut.
fn is_cut_anyway(input: &PlanInput<'_>) -> bool {
    let asked = is_forced(input.config) || input.config.shard_count.is_some_and(|n| n > 1);
    asked || input.placed.iter().any(|p| p.table != input.source && p.layout.method.shards())
}

/// Data or load, or those of a table beside it, are more than one shard holds, or the user says that they grow. What a
/// history foresees counts by what it comes to.
fn outgrows(input: &PlanInput<'_>, demand: &Demand) -> bool {
    let beside = input.sizes.iter().filter(|(table, _)| **table != input.source);
    let mut others =
        beside.map(|(table, size)| CoLocated { table: table.clone(), rows: size.rows, text_bytes: size.bytes });
    input.config.growth.is_some_and(|growth| growth > 1.0)
        || needed(&demand_bounds(demand)) > 1
        || others.any(|other| needs(demand, &other) > 1)
}

/// Share of the calls on the table that write it.
fn written(input: &PlanInput<'_>) -> f64 {
    let (mut all, mut written) = (0.0, 0.0);
    for statement in &input.workload.statements {
        let mut uses = statement.tables.iter().filter(|u| u.table == input.source).peekable();
        all += if uses.peek().is_some() { statement.calls } else { 0.0 };
        written += if uses.any(|u| u.written) { statement.calls } else { 0.0 };
    }
    if all > 0.0 { written / all } else { 0.0 }
}

/// Says so where the load asks for more servers than there are: shards alone bear nothing.
pub(super) fn too_few_nodes(demand: &Demand) -> Option<Note> {
    let needed = demand.nodes_needed().filter(|n| *n as usize > demand.servers)?;
    let load = [(demand.throughput, "statements a second"), (demand.concurrency, "clients at once")];
    let load: Vec<String> =
        load.iter().filter_map(|(n, what)| n.map(|n| format!("{} {what}", thousands(n.round() as u64)))).collect();
    let source = if demand.per_node.measured { "was measured to bear" } else { "is taken to bear" };
    let of_them = if demand.nodes > demand.servers { "; tablespaces of one share its processors" } else { "" };
    Some(Note {
        kind: Note::CAPACITY.to_owned(),
        object: "nodes".to_owned(),
        what: format!(
            "{} at the peak ask for {}, and here {}{of_them}",
            load.join(" and "),
            counted(u64::from(needed), "server"),
            if demand.servers == 1 { "is one".to_owned() } else { format!("are {}", demand.servers) }
        ),
        because: format!(
            "one {source} {} of such statements a second, or {} clients, and more shards on it bear no more",
            thousands(demand.per_node.statements.round() as u64),
            thousands(demand.per_node.clients.round() as u64)
        ),
        remedy: None,
    })
}
