//! What was seen of each table, to the pure crate's judgement of it, and that into `foreshard._verdicts`. A verdict that changes is told
//! in the log.

use super::measure::Shard;
use super::nodes::States;
use super::store::Load;
use crate::pg::error::Result;
use crate::pg::worker::process;
use foreshard_core::capacity::relative;
use foreshard_core::health::{Conditions, NodeLook, ShardLook, TableLook, TableState, judge};
use foreshard_core::model::node::{Location, Node};
use foreshard_core::model::verdict::{Opinion, Verdict};
use foreshard_core::model::words::{moment, percent};
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};
use std::collections::BTreeMap;

/// What a server bears over the most that it was seen to do. Assumed: nobody runs a server at its limit unknowingly.
const UNSEEN: f64 = 1.5;

/// What is known of the tables from look to look.
#[derive(Debug, Default)]
pub struct Judge {
    tables: BTreeMap<u32, Known>,
    recalled: bool,
    /// The highest work that each server was seen to do.
    seen: BTreeMap<String, f64>,
    /// Something was seen that another look soon would tell.
    pub suspicion: bool,
}

#[derive(Debug, Default)]
struct Known {
    state: TableState,
    opinion: Option<Opinion>,
}

/// A table as it was seen, with what is concluded.
#[derive(Debug)]
pub struct Judged {
    pub relation: u32,
    pub look: TableLook,
    pub conditions: Conditions,
    pub opinion: Opinion,
    /// The work of each shard in the last minute.
    pub recent: BTreeMap<u32, f64>,
}

impl Judge {
    /// Judges every table of which something is known to have happened or not. `watched`: seconds since the look before.
    pub fn look(
        &mut self,
        shards: &[Shard],
        loads: &[Load],
        nodes: &[Node],
        states: &States,
        watched: f64,
        expected: &BTreeMap<u32, (f64, i64)>,
    ) -> Result<Vec<Judged>> {
        let time = process::clock();
        if !std::mem::replace(&mut self.recalled, true) {
            self.recall()?;
        }
        let mut nodes = node_looks(nodes, states, shards, loads)?;
        self.learn(&mut nodes);
        let of: BTreeMap<u32, &Load> = loads.iter().map(|l| (l.shard.to_u32(), l)).collect();
        let mut tables: BTreeMap<u32, Vec<ShardLook>> = BTreeMap::new();
        for shard in shards {
            let Some(load) = of.get(&shard.shard.to_u32()) else { continue };
            tables.entry(shard.relation.to_u32()).or_default().push(ShardLook {
                id: shard.shard.to_u32(),
                name: shard.name.clone(),
                node: shard.node.clone(),
                work: load.work / load.watched,
                events: load.counted.reads() + load.counted.writes(),
                bytes: load.extent.bytes,
                newest: shard.newest,
                hottest_value: shard.hottest_value.clone(),
                single_value: shard.single_value,
            });
        }
        self.tables.retain(|relation, _| shards.iter().any(|s| s.relation.to_u32() == *relation));
        self.suspicion = false;
        let mut judged = Vec::new();
        for (relation, shards) in tables {
            let known = self.tables.entry(relation).or_default();
            let look = TableLook {
                time,
                seconds: watched,
                shards,
                nodes: nodes.clone(),
                expected_use: expected.get(&relation).map(|e| e.0),
            };
            let conditions = known.state.look(&look);
            self.suspicion |= conditions.suspicion;
            let since = match &known.opinion {
                Some(before) if before.verdict == Verdict::Healthy => before.since,
                _ => time,
            };
            let forecast = expected.get(&relation).map(|(most, when)| {
                format!(
                    "Its servers are expected to come to {} of what they bear, at {} UTC.",
                    percent(*most),
                    moment(*when)
                )
            });
            let opinion = judge(&look, &conditions, since, forecast);
            known.opinion = Some(opinion.clone());
            let recent = look.shards.iter().map(|s| (s.id, known.state.recent_work(s.id))).collect();
            judged.push(Judged { relation, look, conditions, opinion, recent });
        }
        Ok(judged)
    }

    /// A server that was never calibrated bears what it was seen to do, and some more.
    fn learn(&mut self, nodes: &mut [NodeLook]) {
        let mut work: BTreeMap<String, f64> = BTreeMap::new();
        for node in nodes.iter() {
            *work.entry(node.machine.clone()).or_default() += node.work;
        }
        for node in nodes.iter_mut().filter(|n| !n.calibrated) {
            let seen = self.seen.entry(node.machine.clone()).or_default();
            *seen = seen.max(work.get(&node.machine).copied().unwrap_or_default());
            node.capacity = node.capacity.max(*seen * UNSEEN);
        }
    }

    /// What the monitor before this one had concluded goes on.
    fn recall(&mut self) -> Result<()> {
        Ok(Spi::connect(|client| {
            let query = "SELECT relation::pg_catalog.oid, verdict, extract(epoch FROM since)::pg_catalog.int8, shards::pg_catalog.oid[] FROM foreshard._verdicts";
            for row in client.select(query, None, &[])? {
                let (Some(relation), Some(verdict), Some(since)) =
                    (row.get::<pg_sys::Oid>(1)?, row.get::<String>(2)?, row.get::<i64>(3)?)
                else {
                    continue;
                };
                let known = self.tables.entry(relation.to_u32()).or_default();
                if verdict == Verdict::HotShard.name() || verdict == Verdict::HotValue.name() {
                    for shard in row.get::<Vec<pg_sys::Oid>>(4)?.unwrap_or_default() {
                        known.state.recall_hot(shard.to_u32(), since);
                    }
                }
            }
            Ok::<_, pgrx::spi::Error>(())
        })?)
    }
}

/// Nodes with what all tables ask of them. Tablespaces of this server are one machine.
fn node_looks(nodes: &[Node], states: &States, shards: &[Shard], loads: &[Load]) -> Result<Vec<NodeLook>> {
    let capacities = relative(nodes, 0.5).capacities;
    let mut looks: Vec<NodeLook> = Vec::new();
    for (node, capacity) in nodes.iter().zip(capacities) {
        let machine = match &node.location {
            Location::Server(server) => format!("server {server}"),
            Location::Tablespace(_) => String::new(),
        };
        looks.push(NodeLook {
            name: node.name.clone(),
            machine,
            // What is work to it was worked out from what was measured of it, where it was.
            capacity: if node.measured.is_some() || capacity <= 0.0 { 1.0 } else { capacity },
            calibrated: node.measured.is_some(),
            active: node.active,
            free_bytes: node.free_bytes.map(|b| b as f64),
            disk_bytes: crate::pg::nodes::disk_bytes(&node.location)?.map(|b| b as f64),
            lag_seconds: states.lag(&node.location, &node.name),
            work: 0.0,
        });
    }
    let of: BTreeMap<u32, f64> = loads.iter().map(|l| (l.shard.to_u32(), l.work / l.watched)).collect();
    for shard in shards {
        let work = of.get(&shard.shard.to_u32()).copied().unwrap_or_default();
        match looks.iter_mut().find(|n| n.name == shard.node) {
            Some(node) => node.work += work,
            // The database's own tablespace, where no node is registered.
            None => looks.push(NodeLook {
                name: shard.node.clone(),
                machine: String::new(),
                capacity: 1.0,
                calibrated: false,
                active: true,
                free_bytes: None,
                disk_bytes: None,
                lag_seconds: None,
                work,
            }),
        }
    }
    Ok(looks)
}

/// Writes verdicts down with what will be done about them, and tells those that are new.
pub fn store(judged: &[(&Judged, String)], told: &mut BTreeMap<u32, Verdict>) -> Result<()> {
    for (Judged { relation, opinion, .. }, action) in judged {
        let before = told.insert(*relation, opinion.verdict).unwrap_or(Verdict::Healthy);
        let table = pg_sys::Oid::from(*relation);
        if before != opinion.verdict {
            let name = crate::pg::catalog::name_of(table)?.map(|n| n.to_string()).unwrap_or_default();
            pgrx::log!(
                "foreshard: {name} is {}, was {}: {} {action}",
                opinion.verdict.name(),
                before.name(),
                opinion.because
            );
        }
        let shards: Vec<pg_sys::Oid> = opinion.shards.iter().map(|s| pg_sys::Oid::from(*s)).collect();
        let figures = JsonB(serde_json::to_value(&opinion.figures).unwrap_or_default());
        Spi::run_with_args(
            "INSERT INTO foreshard._verdicts AS v (relation, verdict, since, seen_at, shards, because, action, forecast, figures)
             VALUES ($1::pg_catalog.regclass, $2, pg_catalog.to_timestamp($3), pg_catalog.now(), $4::pg_catalog.oid[]::pg_catalog.regclass[], $5, $6, $7, $8)
             ON CONFLICT (relation) DO UPDATE SET verdict = EXCLUDED.verdict, since = EXCLUDED.since, seen_at = EXCLUDED.seen_at, shards = EXCLUDED.shards,
                 because = EXCLUDED.because, action = EXCLUDED.action, forecast = EXCLUDED.forecast, figures = EXCLUDED.figures",
            &[
                table.into(),
                opinion.verdict.name().into(),
                (opinion.since as f64).into(),
                shards.into(),
                opinion.because.clone().into(),
                action.clone().into(),
                opinion.forecast.clone().into(),
                figures.into(),
            ],
        )?;
    }
    Ok(())
}
