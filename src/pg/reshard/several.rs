//! Jobs of several moves, one after the other: a table made even over its nodes, a node made empty. Each move is an improvement by itself, so
//! that a job that ends half-way leaves nothing worse than it was.

use super::records;
use super::request::{free, plan};
use super::subject::{Shard, Subject, judge, of_table};
use super::task::{Kind, Task};
use crate::pg::error::Result;
use crate::pg::ffi::quote_table;
use crate::pg::{nodes, precheck};
use foreshard_core::model::node::Location;
use foreshard_core::model::{Node, Problem, ReshardConfig};
use foreshard_core::place::{Item, Rules, Spot, place_items};
use foreshard_core::steps;
use pgrx::pg_sys;
use pgrx::prelude::*;
use serde_json::Value;

/// A node that has less than so much more or less than its share of the bytes is no reason to begin. Assumed: a shard with a fifth of dead rows is an
/// ordinary one, and beside one that was just copied it should not look too large.
const UNEVEN: f64 = 0.25;

/// Makes a table even over the nodes of this server; None where it is.
pub fn rebalance(relation: pg_sys::Oid, document: &Value) -> Result<Option<i64>> {
    let config = ReshardConfig::read(document, &["keep", "verify"])?;
    let subject = of_table(relation)?;
    let message = format!("making {} even over its nodes", quote_table(&subject.table));
    moves(
        "rebalance",
        &subject.table.to_string(),
        vec![subject],
        &config,
        Rules { start: UNEVEN, ..Rules::default() },
        &message,
    )
}

/// Moves all shards away from a node, which takes no more from now on; None where it has none.
pub fn drain(name: &str, document: &Value) -> Result<Option<i64>> {
    let config = ReshardConfig::read(document, &["keep", "verify"])?;
    nodes::alter(name, nodes::Given { active: Some(false), ..nodes::Given::default() })?;
    let relations: Vec<pg_sys::Oid> = Spi::get_one_with_args(
        "SELECT pg_catalog.array_agg(DISTINCT relation::pg_catalog.oid) FROM foreshard.shards WHERE node = $1",
        &[name.into()],
    )?
    .unwrap_or_default();
    let subjects = relations.into_iter().map(of_table).collect::<Result<Vec<_>>>()?;
    moves("drain", name, subjects, &config, Rules::default(), &format!("moving all shards away from node {name}"))
}

fn moves(
    kind: &str,
    target: &str,
    subjects: Vec<Subject>,
    config: &ReshardConfig,
    rules: Rules,
    message: &str,
) -> Result<Option<i64>> {
    precheck::writable("change the shape of a table")?;
    let nodes = nodes::registered()?;
    let shards: Vec<(&Subject, &Shard)> =
        subjects.iter().flat_map(|subject| subject.shards.iter().map(move |shard| (subject, shard))).collect();
    let item = |shard: &Shard| Item {
        bytes: shard.bytes.max(1) as f64,
        load: shard.bytes.max(1) as f64,
        now: nodes.iter().position(|n| n.name == shard.node).into_iter().collect(),
        ..Item::default()
    };
    let items: Vec<Item> = shards.iter().map(|(_, shard)| item(shard)).collect();
    // A shard of another server goes to one, and one of this server stays here.
    let away = shards.iter().any(|(_, shard)| shard.foreign);
    let spot = |node: &Node| {
        let there = matches!(node.location, Location::Server(_));
        Spot { takes: node.active && there == away, ..Spot::from(node) }
    };
    let placement = place_items(&items, &nodes.iter().map(spot).collect::<Vec<_>>(), rules)?;
    let mut wanted: Vec<(&Subject, &Shard, &Node)> = Vec::new();
    for change in &placement.moves {
        if let (Some((subject, shard)), Some(node)) = (shards.get(change.item), nodes.get(change.to)) {
            wanted.push((subject, shard, node));
        }
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut claimed: Vec<pg_sys::Oid> = Vec::new();
    for (subject, _, _) in &wanted {
        if !claimed.contains(&subject.relation) {
            free(subject)?;
            claimed.push(subject.relation);
        }
    }
    let job = records::begin(kind, target, message)?;
    let tasks =
        (1..).zip(&wanted).map(|(number, (subject, shard, node))| one(subject, shard, node, config, (job, number)));
    let mut tasks = tasks.collect::<Result<Vec<_>>>()?;
    number_apart(&mut tasks)?;
    records::add(job, &tasks)?;
    Ok(Some(job))
}

fn one(subject: &Subject, shard: &Shard, node: &Node, config: &ReshardConfig, at: (i64, i32)) -> Result<(Task, i64)> {
    if shard.foreign {
        return Ok((super::elsewhere::plan(subject, shard, node, config, at)?, shard.bytes));
    }
    if let Location::Server(server) = &node.location {
        return Err(Problem::new(
            "0A000",
            format!("shard {} would have to move to server \"{server}\"", quote_table(&shard.name)),
        )
        .detail("Shards of this server stay here.")
        .into());
    }
    let shards = [shard.clone()];
    let judged = judge(subject, &shards)?;
    let pieces = steps::moved(shard.place());
    let task = plan(Kind::Move, subject, &shards, &pieces, config, judged, std::slice::from_ref(node), at)?;
    Ok((task, shard.bytes))
}

/// Tasks that were planned side by side would give the same names to what they make.
pub fn number_apart(tasks: &mut [(Task, i64)]) -> Result<()> {
    let mut taken: Vec<(u32, i32)> = Vec::new();
    for (task, _) in tasks {
        for new in &mut task.new {
            loop {
                let name = crate::pg::create::shard_name(&task.table, u32::try_from(new.ordinal).unwrap_or(0));
                if !taken.contains(&(task.relation, new.ordinal)) && crate::pg::catalog::relation_kind(&name)?.is_none()
                {
                    new.name = name;
                    break;
                }
                new.ordinal = new.ordinal.checked_add(1).ok_or_else(|| Problem::new("54000", "too many shards"))?;
            }
            taken.push((task.relation, new.ordinal));
        }
    }
    Ok(())
}
