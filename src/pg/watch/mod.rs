//! What a monitor does in a tick: it looks at all shards, here and on other servers, and at the statements, and stores what was done since the look
//! before; it lets the pure crate judge ([`foreshard_core::health`]) and writes down what that concludes; it acts or advises.
//!
//! It runs as the role that the server was made by, and so runs nothing of anybody else's: functions of the server, the
//! extension's own tables, and for moves the functions of [`act`], as the table's owner.

mod act;
mod ahead;
mod fail_over;
mod judge;
mod keys;
mod measure;
mod nodes;
pub mod policy;
mod remote;
mod statements;
mod store;

use super::error::Result;
use super::ffi::{self, Pinned};
use super::worker::process;
use foreshard_core::capacity::bears;
use foreshard_core::health::{self, slot_of, thinning};
use foreshard_core::model::Verdict;
use foreshard_core::model::node::{Node, NodeCapacity};
use measure::{Look, Shard};
use remote::Remote;
use statements::Statements;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Sizes are asked of the file system: once in so many seconds will do.
const SIZES: Duration = Duration::from_secs(60);
/// Between two decisions, where nothing changes.
const DECIDE: Duration = Duration::from_secs(60);
/// Between two looks for jobs that a crash has left without a worker, and for old shards that were kept long enough.
const RESUME: Duration = Duration::from_secs(60);
/// Between two looks for what is old.
const THIN: Duration = Duration::from_secs(600);

/// Part of the interval after which a suspicion is looked at again. A shard that becomes hot right after a look is seen by the next one, and believed
/// after three more: after one and a half intervals at most.
const CLOSER: f64 = 10.0;
/// Looks in a row that come so soon: what is still no more than suspicious is looked at as all else is.
const CLOSER_LOOKS: u32 = 6;

/// What a monitor knows from one tick to the next.
#[derive(Debug, Default)]
pub struct Watch {
    /// The last look at each shard, and when that was: a node that did not answer leaves out some.
    before: BTreeMap<u32, (Instant, Look)>,
    looked: Option<Instant>,
    sized: Option<Instant>,
    thinned: Option<Instant>,
    resumed: Option<Instant>,
    statements: Statements,
    remote: Remote,
    nodes: nodes::States,
    judge: judge::Judge,
    told: BTreeMap<u32, Verdict>,
    acts: act::Acts,
    decided: Option<Instant>,
    /// Looks in a row that were suspicious.
    closer: u32,
    actions: BTreeMap<u32, String>,
}

/// One look, with what it took.
struct Seen {
    shards: Vec<Shard>,
    nodes: Vec<Node>,
    asked: Vec<remote::Asked>,
    counted: Option<Vec<(pgrx::pg_sys::Oid, f64, f64)>>,
}

impl Watch {
    /// When to look again, after the beginning of this look.
    pub fn next_look(&self, interval: Duration) -> Duration {
        if self.judge.suspicion && self.closer <= CLOSER_LOOKS {
            interval.div_f64(CLOSER).max(Duration::from_secs(1))
        } else {
            interval
        }
    }

    pub fn tick(&mut self) -> Result<()> {
        let now = Instant::now();
        let due = self.sized.is_none_or(|then| now.duration_since(then) >= SIZES);
        let sized = due || self.before.values().any(|(_, look)| look.extent.bytes.is_none());
        let seen = process::transaction(c"foreshard: looking at the shards", || self.look(sized))?;
        let watched = self.looked.replace(now).map(|then| now.duration_since(then).as_secs_f64());
        if sized {
            self.sized = Some(now);
        }
        let loads = self.loads(&seen, now);
        process::transaction(c"foreshard: storing what was seen", || self.store(&seen, watched, &loads, now))?;
        process::transaction(c"foreshard: seeing to nodes", || {
            let _settings = settings();
            fail_over::act(&mut self.nodes)
        })?;
        if self.resumed.is_none_or(|then| now.duration_since(then) >= RESUME) {
            process::transaction(c"foreshard: starting jobs again", resume)?;
            self.resumed = Some(now);
        }
        Ok(())
    }

    fn look(&mut self, sized: bool) -> Result<Seen> {
        let _settings = settings();
        let mut shards = measure::shards(sized)?;
        let nodes = super::nodes::registered()?;
        let idle = nodes::without_shards(&nodes, &shards);
        let asked = self.remote.look(&mut shards, &idle, sized)?;
        let watched = self.looked.map_or(0.0, |then| then.elapsed().as_secs_f64());
        keys::look(&mut shards, watched)?;
        let counted = self.statements.look(&shards)?;
        Ok(Seen { shards, nodes, asked, counted })
    }

    /// What each shard did since the look before. One that is looked at for the first time has done nothing that is known.
    fn loads(&mut self, seen: &Seen, now: Instant) -> Vec<store::Load> {
        let mut loads = Vec::new();
        let mut before = std::mem::take(&mut self.before);
        for shard in &seen.shards {
            let key = shard.shard.to_u32();
            let then = before.remove(&key);
            let Some(mut look) = shard.look else {
                // Whoever does not answer has counted on when it does again.
                self.before.extend(then.map(|then| (key, then)));
                continue;
            };
            look.extent.bytes = look.extent.bytes.or(then.and_then(|(_, then)| then.extent.bytes));
            if let Some((at, then)) = then {
                let watched = now.duration_since(at).as_secs_f64();
                let counted = health::since(&then.counters, &look.counters);
                let work = health::work(&counted, &capacity(&seen.nodes, &shard.node));
                let (relation, shard) = (shard.relation, shard.shard);
                loads.push(store::Load { relation, shard, watched, work, counted, extent: look.extent });
            }
            self.before.insert(key, (now, look));
        }
        loads
    }

    fn store(&mut self, seen: &Seen, watched: Option<f64>, loads: &[store::Load], now: Instant) -> Result<()> {
        let _settings = settings();
        let clock = process::clock();
        let slot = slot_of(clock, super::settings::monitor_interval().as_secs().try_into().unwrap_or(1));
        store::loads(slot, loads)?;
        if let (Some(counted), Some(watched)) = (&seen.counted, watched) {
            store::statements(slot, watched, counted)?;
        }
        self.nodes.store(&seen.asked)?;
        if let Some(watched) = watched {
            self.closer = if self.judge.suspicion { self.closer + 1 } else { 0 };
            let judged =
                self.judge.look(&seen.shards, loads, &seen.nodes, &self.nodes, watched, &self.acts.expected)?;
            let changed = judged.iter().any(|j| self.told.get(&j.relation) != Some(&j.opinion.verdict));
            if changed || self.decided.is_none_or(|then| now.duration_since(then) >= DECIDE) {
                self.actions = self.acts.decide(&judged, &seen.shards, &seen.nodes)?;
                self.decided = Some(now);
            }
            let action = |judged: &judge::Judged| self.actions.get(&judged.relation).cloned().unwrap_or_default();
            let said: Vec<_> = judged.iter().map(|judged| (judged, action(judged))).collect();
            judge::store(&said, &mut self.told)?;
        }
        if self.thinned.is_none_or(|then| now.duration_since(then) >= THIN) {
            store::thin(thinning(clock, super::settings::load_retention()))?;
            self.thinned = Some(now);
        }
        Ok(())
    }
}

/// Jobs go on as the roles that began them.
fn resume() -> Result<()> {
    let _settings = settings();
    super::reshard::resume_all()?.iter().for_each(|(job, role)| super::worker::task::start_after_commit(*job, *role));
    Ok(())
}

/// Under what all of a monitor's statements run: nothing of anybody else's is found by a name, nobody is waited for, and
/// no query log fills with them.
fn settings() -> (Pinned, Pinned) {
    let pinned = Pinned::new(&[
        ("search_path", "pg_catalog, pg_temp"),
        ("lock_timeout", "500ms"),
        ("jit", "off"),
        ("row_security", "off"),
    ]);
    (pinned, ffi::unlisted())
}

fn capacity(nodes: &[Node], name: &str) -> NodeCapacity {
    nodes.iter().find(|n| n.name == name).map(bears).unwrap_or_default()
}
