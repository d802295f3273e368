//! Copies take the place of the shards of a node, all in one transaction.
//!
//! What is done on nodes before it commits is harmless or taken back: a node that answers is fenced (its shards refuse writes) and its copies
//! catch up, subscriptions are halted. Each mark carries the transaction's number, so that whoever comes next takes it back when this
//! server was killed ([`link::prepared`]). The commit makes all shards point to their copies at once; what is not needed any
//! more is dropped after it, or swept.

use super::record::{self, Replica, server_of};
use super::states::{heard, open};
use super::tie::{change_standbys, until};
use crate::pg::error::Result;
use crate::pg::ffi::{self, quote_ident, quote_literal, quote_table};
use crate::pg::nodes;
use crate::pg::remote::held::{self, Held};
use crate::pg::remote::link::{self, drop_publication, drop_subscription};
use crate::pg::remote::{Connection, repoint, schema, take_back};
use foreshard_core::model::fail_over::FailOverConfig;
use foreshard_core::model::words::bytes;
use foreshard_core::model::{Problem, TableName};
use pgrx::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// What becomes of a shard.
#[derive(Debug)]
pub struct Switched {
    pub shard: pg_sys::Oid,
    pub to: Option<String>,
    pub possible_loss: Option<String>,
    pub ok: bool,
    pub because: String,
}

/// A shard on the node.
struct Lost {
    shard: pg_sys::Oid,
    there: TableName,
    copy: Option<Replica>,
}

/// How long a fence waits for those who write to a shard, at a time: others who want to write wait behind it; and how often.
const WRITERS: &str = "1s";
const FENCES: u32 = 30;
/// How long copies may take to catch up with a node that takes no writes any more.
const CATCH_UP: Duration = Duration::from_secs(60);
/// Times that shards are locked anew after a deadlock with sessions that hold some of them.
const TRIES: u32 = 5;

/// Lets the copies of a node's shards take over.
///
/// # Errors
/// 42704, 0A000 for what is no such node; 55000 where there is no copy, or where something could be lost and that is not accepted.
pub fn fail_over(node: &str, config: FailOverConfig) -> Result<Vec<Switched>> {
    server_of(node)?;
    if !config.dry_run {
        nodes::claim(node)?;
    }
    let replicas = record::all(!config.dry_run)?;
    let primary = heard(open(node))?;
    let (mut connections, positions) = copies_of(node, &replicas)?;
    let lost = choose(node, &replicas, &positions)?;
    let reached = primary.is_some();
    let loss = |copy: &Replica| possible_loss(reached, copy);
    if !lost.is_empty() && lost.iter().all(|l| l.copy.is_none()) {
        return Err(Problem::new("55000", format!("no shard of node \"{node}\" has a copy that could take over"))
            .detail(format!(
                "{} shards live there; copies are on other nodes that answer, complete, and follow.",
                lost.len()
            ))
            .hint("SELECT * FROM foreshard.replicas shows what is known of copies.")
            .into());
    }
    if config.dry_run {
        return Ok(lost.iter().map(|l| told(l, loss, "would take over")).collect());
    }
    let unsure: Vec<String> = lost.iter().filter_map(|l| loss(l.copy.as_ref()?)).collect();
    if let Some(first) = unsure.first().filter(|_| !config.accept_loss) {
        return Err(Problem::new("55000", format!("a fail-over of node \"{node}\" could lose rows"))
            .detail(format!(
                "The node does not answer. Of {} shards commits did not wait for the copy, {first}.",
                unsure.len()
            ))
            .hint("Start the node again, or accept it: {\"accept_loss\": true}.")
            .into());
    }
    connections.extend(primary);
    let released = if reached { Vec::new() } else { waiting_for(node, &replicas) };
    for other in released.iter().map(|r| &r.primary) {
        if !connections.iter().any(|c| c.node() == other) {
            connections.extend(heard(open(other))?);
        }
    }
    for connection in &mut connections {
        take_back(connection)?;
    }
    held::begin(connections.into_iter().map(|c| (c, Vec::new())).collect());
    held::with(|held| {
        prepare(held, node, reached, &lost, &replicas)?;
        release(held, &released)
    })?;
    switch(node, &lost, &replicas)?;
    Ok(lost
        .iter()
        .map(|l| told(l, loss, if reached { "it had all that was committed, and took over" } else { "it took over" }))
        .collect())
}

fn told(lost: &Lost, loss: impl Fn(&Replica) -> Option<String>, done: &str) -> Switched {
    match &lost.copy {
        Some(copy) => Switched {
            shard: lost.shard,
            to: Some(copy.node.clone()),
            possible_loss: Some(loss(copy).unwrap_or_else(|| "none".to_owned())),
            ok: true,
            because: format!("the copy on node \"{}\": {done}", copy.node),
        },
        None => Switched {
            shard: lost.shard,
            to: None,
            possible_loss: None,
            ok: false,
            because: "it has no copy that answers, is complete and follows".to_owned(),
        },
    }
}

/// None where nothing can be lost.
fn possible_loss(reached: bool, copy: &Replica) -> Option<String> {
    if reached || copy.waited_for {
        return None;
    }
    Some(match (copy.seen_lag_bytes, copy.seen_at) {
        (Some(lag), Some(at)) => {
            format!("which was {} behind when last seen at {}", bytes(lag as f64), at.to_iso_string())
        }
        _ => "and nobody has looked how far it was behind (foreshard.check_replicas)".to_owned(),
    })
}

/// Connections to the nodes with copies of the node's shards, and how far the links were applied there.
fn copies_of(node: &str, replicas: &[Replica]) -> Result<(Vec<Connection>, BTreeMap<String, u64>)> {
    let (mut connections, mut positions): (Vec<Connection>, _) = (Vec::new(), BTreeMap::new());
    let mut silent: Vec<&String> = Vec::new();
    for replica in replicas.iter().filter(|r| r.primary == node && !r.stale) {
        if positions.contains_key(&replica.link) || silent.contains(&&replica.node) {
            continue;
        }
        let at = match connections.iter().position(|c| *c.node() == replica.node) {
            Some(at) => at,
            None => match heard(open(&replica.node))? {
                Some(connection) => {
                    connections.push(connection);
                    connections.len() - 1
                }
                None => {
                    silent.push(&replica.node);
                    continue;
                }
            },
        };
        let Some(connection) = connections.get_mut(at) else { continue };
        let answer = connection.query(&format!(
            "SELECT coalesce(pg_catalog.max(pg_catalog.pg_wal_lsn_diff(GREATEST(o.remote_lsn, w.latest_end_lsn), '0/0')), 0)::pg_catalog.int8
             FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
             LEFT JOIN pg_catalog.pg_replication_origin_status o ON o.external_id = 'pg_' || s.oid
             LEFT JOIN pg_catalog.pg_stat_subscription w ON w.subid = s.oid AND w.relid IS NULL
             WHERE s.subname = {} AND d.datname = pg_catalog.current_database()
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate <> 'r')
             HAVING pg_catalog.count(*) > 0",
            quote_literal(&replica.link)
        ))?;
        if let Some(position) = answer.first(0).and_then(|p| p.parse().ok()) {
            positions.insert(replica.link.clone(), position);
        }
    }
    Ok((connections, positions))
}

/// Each shard of the node with the copy that takes over: one that commits wait for, the freshest one.
fn choose(node: &str, replicas: &[Replica], positions: &BTreeMap<String, u64>) -> Result<Vec<Lost>> {
    let best = |shard: pg_sys::Oid| {
        let of = replicas.iter().filter(|r| r.shard == shard && !r.stale && positions.contains_key(&r.link));
        of.max_by_key(|r| (r.waited_for, positions.get(&r.link).copied(), std::cmp::Reverse(&r.node))).cloned()
    };
    Ok(shards_on(node)?.into_iter().map(|(shard, there)| Lost { shard, there, copy: best(shard) }).collect())
}

/// The shards of a node that is another server, and what they are called there.
fn shards_on(node: &str) -> Result<Vec<(pg_sys::Oid, TableName)>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT s.shard::pg_catalog.oid,
                    (SELECT option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) WHERE option_name = 'schema_name'),
                    (SELECT option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) WHERE option_name = 'table_name')
             FROM foreshard._shards s JOIN pg_catalog.pg_foreign_table f ON f.ftrelid OPERATOR(pg_catalog.=) s.shard
             WHERE s.node OPERATOR(pg_catalog.=) $1 ORDER BY s.relation, s.ordinal",
            None,
            &[node.into()],
        )?;
        let mut found = Vec::new();
        for row in rows {
            if let (Some(shard), Some(schema), Some(table)) =
                (row.get(1)?, row.get::<String>(2)?, row.get::<String>(3)?)
            {
                found.push((shard, TableName::new(schema, table)));
            }
        }
        Ok(found)
    })
}

/// Copies on the node for which other nodes' commits wait: for ever, while it does not answer.
fn waiting_for(node: &str, replicas: &[Replica]) -> Vec<Replica> {
    let mut links: Vec<Replica> = replicas.iter().filter(|r| r.node == node && r.waited_for).cloned().collect();
    links.sort_by(|a, b| a.link.cmp(&b.link));
    links.dedup_by(|a, b| a.link == b.link);
    links
}

/// On the nodes: no write gets through any more, the copies have everything, and follow nothing.
fn prepare(held: &mut Held, node: &str, reached: bool, lost: &[Lost], replicas: &[Replica]) -> Result<()> {
    let moving: Vec<&Lost> = lost.iter().filter(|l| l.copy.is_some()).collect();
    let mut links: Vec<&Replica> = moving.iter().filter_map(|l| l.copy.as_ref()).collect();
    links.sort_by(|a, b| a.link.cmp(&b.link));
    links.dedup_by(|a, b| a.link == b.link);
    if reached {
        fence(held, node, &moving)?;
        let holder = held.node(node)?;
        let answer = holder.run("SELECT pg_catalog.pg_current_wal_insert_lsn()", None)?;
        let end = quote_literal(answer.first(0).unwrap_or_default());
        for copy in &links {
            let caught_up = format!(
                "SELECT confirmed_flush_lsn >= {end}::pg_catalog.pg_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = {}",
                quote_literal(&copy.link)
            );
            until(held, node, &caught_up, Some(CATCH_UP), || {
                Problem::new("55000", format!("the copies on node \"{}\" do not catch up", copy.node))
                    .detail(format!(
                        "After {} s without new writes they have not all that was committed.",
                        CATCH_UP.as_secs()
                    ))
                    .hint("Writes are let in again. SELECT * FROM foreshard.replicas shows how far they are.")
            })?;
        }
    }
    let mark = link::mark("halted")?;
    for copy in &links {
        let holder = held.node(&copy.node)?;
        holder.run(&link::halt(&copy.link, &mark), Some(link::resume(&copy.link)))?;
        let halted = format!(
            "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_stat_subscription WHERE subname = {} AND pid IS NOT NULL)",
            quote_literal(&copy.link)
        );
        until(held, &copy.node, &halted, Some(CATCH_UP), || {
            Problem::new("55000", format!("the subscription of node \"{}\" does not end", copy.node)).detail(format!(
                "{} was disabled {} s ago.",
                copy.link,
                CATCH_UP.as_secs()
            ))
        })?;
    }
    // All links of the shards that move end, those to other copies as well.
    let moved = |r: &&Replica| !r.stale && r.primary == node && moving.iter().any(|l| l.shard == r.shard);
    let mut ended: Vec<(&String, &String)> = replicas.iter().filter(moved).map(|r| (&r.link, &r.node)).collect();
    ended.sort();
    ended.dedup();
    if reached {
        let names: Vec<String> = ended.iter().map(|(link, _)| (*link).clone()).collect();
        change_standbys(held, node, &[], &names)?;
    }
    for (link, at) in ended {
        if let Ok(holder) = held.node(at) {
            holder.then(drop_subscription(link));
        }
        if reached {
            held.node(node)?.then(drop_publication(link));
        }
    }
    Ok(())
}

/// Shards refuse writes from now on, one after the other: who writes to two of them is refused by the second.
fn fence(held: &mut Held, node: &str, moving: &[&Lost]) -> Result<()> {
    let (schema, mark) = (quote_ident(&schema()), link::mark("fence")?);
    let mark_all = format!("{mark}_all");
    let (rows, all) = (quote_ident(&mark), quote_ident(&mark_all));
    let holder = held.node(node)?;
    holder.run(
        &format!(
            "CREATE OR REPLACE FUNCTION {schema}.fence() RETURNS pg_catalog.trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
             BEGIN RAISE EXCEPTION 'shard % takes no writes here', TG_TABLE_NAME USING ERRCODE = '25006',
                 DETAIL = 'A copy of it on another node takes its place.',
                 HINT = 'Ask the coordinator. When its fail-over was interrupted, SELECT foreshard.sweep_nodes() there lets writes in again.'; END $f$"
        ),
        None,
    )?;
    holder.run(&format!("SET lock_timeout = '{WRITERS}'"), None)?;
    for lost in moving {
        let table = quote_table(&lost.there);
        let fence = format!(
            "CREATE TRIGGER {rows} BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {schema}.fence();
             CREATE TRIGGER {all} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {schema}.fence()"
        );
        for trigger in [&mark, &mark_all] {
            holder.undo(link::unfence(&lost.there, trigger));
        }
        for left in (0..FENCES).rev() {
            match holder.run(&fence, None) {
                Err(error) if left > 0 && error.is_lock_timeout() => {}
                outcome => {
                    outcome?;
                    break;
                }
            }
        }
    }
    holder.run("SET lock_timeout = 0", None).map(drop)
}

/// Nodes that answer wait no longer for copies on one that does not.
fn release(held: &mut Held, released: &[Replica]) -> Result<()> {
    for copy in released {
        if held.node(&copy.primary).is_ok() {
            change_standbys(held, &copy.primary, &[], std::slice::from_ref(&copy.link))?;
            record::waited_for(&copy.link, false)?;
        }
    }
    Ok(())
}

/// Here: all shards point to their copies.
fn switch(node: &str, lost: &[Lost], replicas: &[Replica]) -> Result<()> {
    let all = || -> Result<()> {
        for (lost, copy) in lost.iter().filter_map(|l| l.copy.as_ref().map(|c| (l, c))) {
            repoint(lost.shard, &copy.node, &server_of(&copy.node)?.0, &copy.there)?;
            record::promoted(lost.shard, &copy.node)?;
            let others = replicas.iter().filter(|r| r.shard == lost.shard && r.node != copy.node);
            for other in others {
                record::stale(lost.shard, &other.node, other.synchronous)?;
            }
            record::stale(lost.shard, node, copy.synchronous)?;
        }
        Ok(())
    };
    // Sessions may have some of the shards and wait for others.
    let in_the_way = |problem: &Problem| problem.sqlstate == "40P01";
    for _ in 1..TRIES {
        match ffi::attempt(in_the_way, all) {
            Err(error) if error.is_deadlock() => {}
            outcome => return outcome,
        }
    }
    all()
}
