//! From judgements to deeds: what would make a table better and pays for itself is advised or done, and what is left undone is told with its reason,
//! once. Moves are made by the functions that everybody can call, as the owner of the table.

use super::ahead::{Ahead, HOUR};
use super::judge::Judged;
use super::measure::Shard;
use super::policy;
use crate::pg::catalog;
use crate::pg::error::Result;
use crate::pg::ffi::{self, ActingAs};
use crate::pg::worker::process;
use foreshard_core::health::{Auto, Circumstances, NodeAhead, Policy, ShardAhead, World, obstacles, proposals};
use foreshard_core::model::moves::{Move, Proposal};
use foreshard_core::model::node::Node;
use foreshard_core::model::plan::Bound;
use foreshard_core::model::verdict::Verdict;
use foreshard_core::model::words::percent;
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};
use std::collections::BTreeMap;

/// Hours that are looked ahead.
const SLOTS: usize = 24;
/// Proposals that are looked at for one that nothing stands in the way of.
const CONSIDERED: usize = 16;
/// What a copy moves in a second, bytes. Assumed: half of what one core takes in by COPY, since the table is in use meanwhile.
const COPIED_PER_SECOND: f64 = 30e6;

/// What was said last of each table, so that it is said once.
#[derive(Debug, Default)]
pub struct Acts {
    said: BTreeMap<u32, (String, String)>,
    ahead: Ahead,
    /// The highest use that is expected of the servers of each table, and when.
    pub expected: BTreeMap<u32, (f64, i64)>,
}

/// What is to be written into `foreshard.decisions`.
#[derive(Debug)]
struct Decision<'a> {
    judged: &'a Judged,
    proposal: Option<&'a Proposal>,
    statement: Option<String>,
    outcome: &'static str,
    because: String,
    job: Option<i64>,
}

impl Acts {
    /// Decides for every table; gives what will be done about its state, in words.
    pub fn decide(&mut self, judged: &[Judged], shards: &[Shard], nodes: &[Node]) -> Result<BTreeMap<u32, String>> {
        let now = process::clock();
        let ids: Vec<u32> = shards.iter().map(|s| s.shard.to_u32()).collect();
        self.ahead.refresh(&ids, now, SLOTS)?;
        let bounds = bounds()?;
        let rests = resting()?;
        let mut world = self.world(judged, nodes, &bounds, now);
        self.expect(&world, now);
        let mut actions = BTreeMap::new();
        for table in judged {
            let relation = pg_sys::Oid::from(table.relation);
            let policy = policy::of(relation)?;
            if policy.auto_reshard == Auto::Off {
                actions.insert(table.relation, "Nothing: auto_reshard is off.".to_owned());
                continue;
            }
            let Some(owner) = shards.iter().find(|s| s.relation == relation).map(|s| s.owner) else { continue };
            for shard in world.shards.iter_mut().filter(|s| s.table == table.relation) {
                shard.rests = rests.get(&shard.id).is_some_and(|since| now - since < policy.cool_down.0);
            }
            let done = done_within(relation, policy.horizon.0)?;
            let proposals = proposals(&world, Some(table.relation), &done);
            let decision = self.decision(table, &proposals, &policy, &world, owner)?;
            let action = match (&decision.statement, decision.outcome) {
                (Some(statement), "advised") => format!("Advice: {statement} {}", decision.because),
                (Some(statement), "started") => format!("Job {}: {statement}", decision.job.unwrap_or_default()),
                _ => format!("Nothing: {}", decision.because),
            };
            actions.insert(table.relation, action);
            self.record(&decision)?;
        }
        Ok(actions)
    }

    fn decision<'a>(
        &self,
        judged: &'a Judged,
        proposals: &'a [Proposal],
        policy: &Policy,
        world: &World,
        owner: pg_sys::Oid,
    ) -> Result<Decision<'a>> {
        let mut obstructed = None;
        let mut possible = None;
        for proposal in proposals.iter().take(CONSIDERED) {
            let how = circumstances(judged, proposal, world)?;
            let standing = obstacles(policy, proposal, &how, world.slot_seconds);
            if standing.is_empty() {
                possible = Some(proposal);
                break;
            }
            obstructed = obstructed.or(Some((proposal, standing)));
        }
        // Whoever is only advised is told the best, and decides himself when.
        let advised = policy.auto_reshard == Auto::Advise;
        let proposal =
            if advised { proposals.first() } else { possible.or(obstructed.as_ref().map(|(proposal, _)| *proposal)) };
        let decision =
            |statement, outcome, because, job| Decision { judged, proposal, statement, outcome, because, job };
        let Some(proposal) = proposal else {
            return Ok(decision(None, "none", none_because(judged), None));
        };
        let Some(statement) = statement(judged.relation, &proposal.action)? else {
            return Ok(decision(None, "none", "the shard is gone.".to_owned(), None));
        };
        if advised {
            return Ok(decision(Some(statement), "advised", proposal.because.clone(), None));
        }
        if let (None, Some((_, standing))) = (possible, &obstructed) {
            let because = format!("{} waits: {}. {}", proposal.action.name(), standing.join("; "), proposal.because);
            return Ok(decision(Some(statement), "waiting", because, None));
        }
        match start(&statement, owner) {
            Ok(job) => Ok(decision(Some(statement), "started", proposal.because.clone(), job)),
            Err(error) => {
                let because =
                    format!("it could not be started: {}. {}", process::told(&error.into_problems()), proposal.because);
                Ok(decision(Some(statement), "failed", because, None))
            }
        }
    }

    /// Of tables whose shards have a forecast.
    fn expect(&mut self, world: &World, now: i64) {
        self.expected.clear();
        let machines = world.machines();
        for shard in world.shards.iter().filter(|s| self.ahead.is_forecast(s.id)) {
            let Some(machine) = machines.machine(&shard.node) else { continue };
            let capacity = machines.capacity.get(machine).copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
            let work = machines.work_of(machine).iter().zip(0..);
            let Some((most, slot)) = work.max_by(|a, b| a.0.total_cmp(b.0)) else { continue };
            let known = self.expected.entry(shard.table).or_insert((0.0, now));
            if most / capacity > known.0 {
                *known = (most / capacity, now + slot * HOUR);
            }
        }
    }

    fn world(&self, judged: &[Judged], nodes: &[Node], bounds: &BTreeMap<u32, (Bound, bool)>, now: i64) -> World {
        let mut shards = Vec::new();
        for table in judged {
            for shard in &table.look.shards {
                let work = table.recent.get(&shard.id).copied().unwrap_or(shard.work);
                let bound = bounds.get(&shard.id);
                shards.push(ShardAhead {
                    id: shard.id,
                    table: table.relation,
                    name: shard.name.clone(),
                    node: shard.node.clone(),
                    bytes: shard.bytes.unwrap_or_default(),
                    work: self.ahead.of(shard.id, work, now, SLOTS),
                    splits: bound.is_some_and(|(bound, single)| {
                        *single && matches!(bound, Bound::Hash { .. } | Bound::Range { .. })
                    }),
                    sibling: bound.and_then(|(bound, single)| single.then(|| sibling(table, bounds, bound)).flatten()),
                    // What has a shard of its own is all of it, whatever statements on many shards make of its share.
                    hot_value: shard
                        .hottest_value
                        .clone()
                        .map(|(value, share)| (value, if shard.single_value { 1.0 } else { share })),
                    hot: table.conditions.hot.iter().any(|(id, _)| *id == shard.id),
                    rests: true,
                });
            }
        }
        let looks = judged.first().map(|table| table.look.nodes.as_slice()).unwrap_or_default();
        let too_many = judged.iter().filter(|t| t.conditions.over_sharded.is_some()).map(|t| t.relation).collect();
        let node = |n: &foreshard_core::health::NodeLook| NodeAhead {
            name: n.name.clone(),
            machine: n.machine.clone(),
            capacity: n.capacity,
            // The database's own tablespace is no node that can be named unless it is registered.
            active: n.active && nodes.iter().any(|known| known.name == n.name),
            free_bytes: n.free_bytes,
        };
        World {
            shards,
            nodes: looks.iter().map(node).collect(),
            slot_seconds: HOUR as f64,
            copied_per_second: COPIED_PER_SECOND,
            too_many,
        }
    }

    /// Writes a decision down, unless it is what was said last.
    fn record(&mut self, decision: &Decision<'_>) -> Result<()> {
        let Decision { judged, proposal, statement, outcome, because, job } = decision;
        let quiet = judged.opinion.verdict == Verdict::Healthy && proposal.is_none();
        // Figures that change from look to look do not make it another one.
        let what =
            format!("{} {} {}", judged.opinion.verdict.name(), outcome, statement.as_deref().unwrap_or_default());
        let why: String = because.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
        let known = self.said.insert(judged.relation, (what.clone(), why.clone()));
        // What fails for the same reason again and again is told once.
        if *outcome != "started" && (known == Some((what, why)) || (quiet && known.is_none())) {
            return Ok(());
        }
        let relation = pg_sys::Oid::from(judged.relation);
        let name = catalog::name_of(relation)?.map(|n| n.to_string()).unwrap_or_default();
        let action = proposal.map_or("none", |p| p.action.name());
        pgrx::log!(
            "foreshard: decision: table={name} verdict=\"{}\" move={action} outcome={outcome} statement=\"{}\" because=\"{because}\"",
            judged.opinion.verdict.name(),
            statement.as_deref().unwrap_or_default()
        );
        let before: BTreeMap<&str, (f64, Option<f64>, &str)> =
            judged.look.shards.iter().map(|s| (s.name.as_str(), (s.work, s.bytes, s.node.as_str()))).collect();
        let before = serde_json::json!({ "figures": judged.opinion.figures, "shards": before });
        let forecast = proposal.map(|p| JsonB(serde_json::json!({ "gain_seconds": p.gain, "cost_seconds": p.cost, "hours_ahead": p.ahead, "action": p.action })));
        Ok(Spi::run_with_args(
            "INSERT INTO foreshard._decisions (decided_at, relation, verdict, move, statement, outcome, because, job_id, bytes, forecast, before)
             VALUES (pg_catalog.clock_timestamp(), $1::pg_catalog.regclass, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                relation.into(),
                judged.opinion.verdict.name().into(),
                action.into(),
                statement.clone().into(),
                (*outcome).into(),
                because.clone().into(),
                (*job).into(),
                proposal.map(|p| p.bytes).into(),
                forecast.into(),
                JsonB(before).into(),
            ],
        )?)
    }
}

/// Why nothing is done about a table that is not as it should be.
fn none_because(judged: &Judged) -> String {
    let busiest = judged.opinion.figures.get("busiest_server").copied().unwrap_or_default();
    match judged.opinion.verdict {
        Verdict::Healthy => "it is as it should be.".to_owned(),
        _ => format!(
            "no move avoids more than it costs; its busiest server is at {} of what it bears, as far as that is known.",
            percent(busiest)
        ),
    }
}

/// The statement that does it, as anybody could run it.
fn statement(relation: u32, action: &Move) -> Result<Option<String>> {
    let named = |oid: u32| {
        Ok::<_, crate::pg::error::Error>(
            catalog::name_of(pg_sys::Oid::from(oid))?.map(|n| ffi::quote_literal(&ffi::quote_table(&n))),
        )
    };
    Ok(match action {
        Move::Split { shard } => named(*shard)?.map(|shard| format!("SELECT foreshard.split_shard({shard});")),
        Move::Move { shard, to, .. } => {
            named(*shard)?.map(|shard| format!("SELECT foreshard.move_shard({shard}, {});", ffi::quote_literal(to)))
        }
        Move::Merge { shards: [a, b] } => named(*a)?
            .zip(named(*b)?)
            .map(|(a, b)| format!("SELECT foreshard.merge_shards(ARRAY[{a}, {b}]::regclass[]);")),
        Move::Isolate { value, .. } => named(relation)?
            .map(|table| format!("SELECT foreshard.isolate_value({table}, {});", ffi::quote_literal(value))),
    })
}

/// Runs it as the table's owner; the job's number.
fn start(statement: &str, owner: pg_sys::Oid) -> Result<Option<i64>> {
    ffi::subtransaction(true, || {
        let _acting = ActingAs::restricted(owner);
        Ok(Spi::connect_mut(|client| match client.update(statement.trim_end_matches(';'), Some(1), &[])?.next() {
            Some(row) => row.get::<i64>(1),
            None => Ok(None),
        })?)
    })
}

fn circumstances(judged: &Judged, proposal: &Proposal, world: &World) -> Result<Circumstances> {
    let relation = pg_sys::Oid::from(judged.relation);
    let (moves_today, bytes_today, job, second_of_day, oldest) = Spi::connect(|client| {
        let query = "SELECT count(*)::pg_catalog.int8, coalesce(sum(d.bytes), 0), (SELECT max(j.id) FROM foreshard._jobs j JOIN foreshard._decisions k ON k.job_id = j.id
                 WHERE k.relation = $1 AND j.state NOT IN ('done', 'failed', 'cancelled')),
                 extract(epoch FROM pg_catalog.clock_timestamp()::pg_catalog.time)::pg_catalog.int8,
                 coalesce((SELECT extract(epoch FROM max(pg_catalog.clock_timestamp() - a.xact_start)) FROM pg_catalog.pg_stat_activity a WHERE a.datname = pg_catalog.current_database()
                     AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type = 'client backend'), 0)::pg_catalog.float8
             FROM foreshard._decisions d WHERE d.relation = $1 AND d.outcome = 'started' AND d.decided_at > pg_catalog.now() - pg_catalog.make_interval(days => 1)";
        match client.select(query, Some(1), &[relation.into()])?.next() {
            Some(row) => Ok::<_, pgrx::spi::Error>((
                row.get::<i64>(1)?.unwrap_or_default(),
                row.get::<f64>(2)?.unwrap_or_default(),
                row.get::<i64>(3)?,
                row.get::<i64>(4)?.unwrap_or_default(),
                row.get::<f64>(5)?.unwrap_or_default(),
            )),
            None => Ok((0, 0.0, None, 0, 0.0)),
        }
    })?;
    let goes_to = match &proposal.action {
        Move::Move { to, .. } => Some(to.clone()),
        other => {
            other.shards().first().and_then(|id| world.shards.iter().find(|s| s.id == *id)).map(|s| s.node.clone())
        }
    };
    let node = judged.look.nodes.iter().find(|n| Some(&n.name) == goes_to.as_ref());
    let total = |slot: usize| world.shards.iter().filter_map(|s| s.work.get(slot)).sum::<f64>();
    let quietest = (0..proposal.ahead).map(|slot| (slot, total(slot))).min_by(|a, b| a.1.total_cmp(&b.1));
    Ok(Circumstances {
        second_of_day,
        moves_today: u32::try_from(moves_today).unwrap_or(u32::MAX),
        bytes_today,
        job,
        disk: node.and_then(|n| n.free_bytes.zip(n.disk_bytes)),
        lag_seconds: node.and_then(|n| n.lag_seconds),
        oldest_transaction_seconds: oldest,
        used: node.filter(|n| n.calibrated).map(|n| n.work / n.capacity),
        quietest,
        used_now: judged.look.nodes.iter().map(|n| n.work).sum(),
    })
}

/// The bounds of all shards, and whether their table has one level.
fn bounds() -> Result<BTreeMap<u32, (Bound, bool)>> {
    Ok(Spi::connect(|client| {
        let mut found = BTreeMap::new();
        for row in
            client.select("SELECT shard::pg_catalog.oid, bound, within IS NULL FROM foreshard._shards", None, &[])?
        {
            let bound = row.get::<JsonB>(2)?.and_then(|JsonB(bound)| serde_json::from_value(bound).ok());
            if let (Some(shard), Some(bound)) = (row.get::<pg_sys::Oid>(1)?, bound) {
                found.insert(shard.to_u32(), (bound, row.get(3)?.unwrap_or(false)));
            }
        }
        Ok::<_, pgrx::spi::Error>(found)
    })?)
}

/// The shard that makes one with this again: of a hash, the other half of the next smaller modulus.
fn sibling(table: &Judged, bounds: &BTreeMap<u32, (Bound, bool)>, bound: &Bound) -> Option<u32> {
    let Bound::Hash { modulus, remainder } = bound else { return None };
    let half = modulus / 2;
    let other = if *remainder < half { remainder + half } else { remainder - half };
    let wanted = Bound::Hash { modulus: *modulus, remainder: other };
    let found = |s: &&foreshard_core::health::ShardLook| bounds.get(&s.id).is_some_and(|(known, _)| *known == wanted);
    (modulus % 2 == 0).then(|| table.look.shards.iter().find(found)).flatten().map(|s| s.id)
}

/// When something was last done to shards, as far as the decisions tell.
fn resting() -> Result<BTreeMap<u32, i64>> {
    Ok(Spi::connect(|client| {
        let query = "SELECT c.oid, extract(epoch FROM max(d.decided_at))::pg_catalog.int8 FROM foreshard._decisions d
            JOIN foreshard._shards s ON s.relation = d.relation JOIN pg_catalog.pg_class c ON c.oid = s.shard
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE d.outcome IN ('started', 'failed') AND d.decided_at > pg_catalog.now() - pg_catalog.make_interval(days => 14)
                AND pg_catalog.strpos(d.statement, pg_catalog.format('%I.%I', n.nspname, c.relname)) > 0 GROUP BY 1";
        let mut found = BTreeMap::new();
        for row in client.select(query, None, &[])? {
            found.extend(row.get::<pg_sys::Oid>(1)?.map(|oid| oid.to_u32()).zip(row.get::<i64>(2)?));
        }
        Ok::<_, pgrx::spi::Error>(found)
    })?)
}

/// What was begun with a table within so many seconds.
fn done_within(relation: pg_sys::Oid, seconds: i64) -> Result<Vec<Move>> {
    Ok(Spi::connect(|client| {
        let query = "SELECT forecast -> 'action' FROM foreshard._decisions WHERE relation = $1 AND outcome = 'started'
            AND decided_at > pg_catalog.now() - pg_catalog.make_interval(secs => $2)";
        let mut found = Vec::new();
        for row in client.select(query, None, &[relation.into(), (seconds as f64).into()])? {
            found.extend(row.get::<JsonB>(1)?.and_then(|JsonB(action)| serde_json::from_value(action).ok()));
        }
        Ok::<_, pgrx::spi::Error>(found)
    })?)
}
