//! A table as it is watched: look after look, what its shards do, and which conditions hold of it and since when.

use super::latch::{Latch, Level, Patience};
use super::smooth::Smoothed;
use crate::count::DEFAULT_TARGET_SHARD_BYTES;
use std::collections::{BTreeMap, BTreeSet};

/// A shard's work over the median of the others' from which on it is hot, and below which it is not any more. Assumed: with
/// three times the load of its neighbours it decides how long everybody waits.
const HOT: (f64, f64) = (3.0, 2.0);
/// Part of a node's time that a table takes before anything of it matters, and below which nothing does. Assumed.
const MATTERS: (f64, f64) = (0.05, 0.03);
/// Share of a table's load that a shard must have beyond its fair one to be hot. Assumed: of a hundred shards the busiest has
/// three times the median's load without anybody noticing.
const HOT_SHARE: f64 = 0.05;
/// Standard deviations by which a share must be more than chance: how often a shard is met is a count.
const DEVIATIONS: f64 = 4.0;
/// The busiest shard's load over the mean, for long enough, from which on a table is skewed.
const SKEWED: (f64, f64) = (2.0, 1.5);
/// The same of bytes, once the largest has this many.
const UNEVEN: (f64, f64) = (3.0, 2.0);
const UNEVEN_BYTES: f64 = (1_u64 << 30) as f64;
/// Share of a shard's load that is one value's from which on splitting the shard is useless.
const HOT_VALUE: (f64, f64) = (0.5, 0.35);
/// Part of a node's time that is used from which on there is none left for a peak. Assumed: beyond, waiting times grow faster than the load.
pub const CEILING: (f64, f64) = (0.7, 0.5);
/// Free share of a disk below which it is full, and above which it is not any more; where the table's shards there could not grow by as
/// much as they have, or by this much.
const FREE: (f64, f64) = (0.10, 0.15);
const ROOM_BYTES: f64 = (1_u64 << 30) as f64;
/// Seconds that a copy may be behind.
const LAG: (f64, f64) = (30.0, 10.0);
/// Mean size of the shards over the size that plans aim at.
const TOO_LARGE: (f64, f64) = (2.0, 1.5);
/// A table has too many shards when it has so many times what anything asks for.
const TOO_MANY: (f64, f64) = (8.0, 4.0);

/// A hot shard is told at once and believed gone after a minute; what is a matter of days takes hours.
const AT_ONCE: Patience = Patience { start: 2, stop: 60 };
const MINUTES: Patience = Patience { start: 600, stop: 600 };
const SOON: Patience = Patience { start: 300, stop: 600 };
const HOURS: Patience = Patience { start: 6 * 3_600, stop: 3_600 };

/// Seconds over which a mean load is taken where a single look says little, and for what is happening now.
const LONG: f64 = 600.0;
const RECENT: f64 = 60.0;
/// A look that sees a part of something hot, which began since the look before, is worth another one soon: parts of the thresholds, and how
/// much more than before it must be.
const SUSPECT: f64 = 1.0 / 3.0;
const MORE_THAN_BEFORE: f64 = 1.5;

/// One look at one shard.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardLook {
    pub id: u32,
    pub name: String,
    pub node: String,
    /// Share of a node's time that it took.
    pub work: f64,
    /// Reads and writes that were counted.
    pub events: f64,
    pub bytes: Option<f64>,
    /// It is where an always increasing key puts all that is new: that it is the busiest was meant so.
    pub newest: bool,
    /// The share of its load that is one value's, as far as that was sampled.
    pub hottest_value: Option<(String, f64)>,
    /// Its bound lets a single value in.
    pub single_value: bool,
}

/// What is known of a place.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeLook {
    pub name: String,
    /// Nodes that are one server have one of these.
    pub machine: String,
    /// What it bears, as a share of an ordinary node's time.
    pub capacity: f64,
    /// That was measured.
    pub calibrated: bool,
    pub active: bool,
    pub free_bytes: Option<f64>,
    /// Of the disk; where free bytes are known.
    pub disk_bytes: Option<f64>,
    /// How far the last of the copies of what it has is behind, where it has any.
    pub lag_seconds: Option<f64>,
    /// Work of all tables.
    pub work: f64,
}

/// One look at a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableLook {
    pub time: i64,
    pub seconds: f64,
    pub shards: Vec<ShardLook>,
    pub nodes: Vec<NodeLook>,
    /// Highest work expected within the horizon over what its nodes bear together; None without a forecast.
    pub expected_use: Option<f64>,
}

#[derive(Debug, Default)]
struct ShardState {
    hot: Latch,
    value: Latch,
    long: Smoothed,
    recent: Smoothed,
}

/// What is kept of a table from look to look.
#[derive(Debug, Default)]
pub struct TableState {
    shards: BTreeMap<u32, ShardState>,
    skewed: Latch,
    under: Latch,
    over: Latch,
    growing: Latch,
    lagging: Latch,
    full: Latch,
    matters: bool,
}

/// What holds of a table, each with the time since when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// Shards, hottest first.
    pub hot: Vec<(u32, i64)>,
    pub hot_values: Vec<(u32, i64)>,
    pub skewed: Option<i64>,
    pub under_sharded: Option<i64>,
    pub over_sharded: Option<i64>,
    pub growing: Option<i64>,
    pub lagging: Option<i64>,
    pub full: Option<i64>,
    /// Something was seen for the first time: another look soon would tell whether it is so.
    pub suspicion: bool,
}

impl TableState {
    /// As it was found after a restart: hot since then.
    pub fn recall_hot(&mut self, shard: u32, since: i64) {
        self.shards.entry(shard).or_default().hot = Latch::known(since);
    }

    /// The work of a shard in the last minute.
    pub fn recent_work(&self, shard: u32) -> f64 {
        self.shards.get(&shard).map_or(0.0, |s| s.recent.mean())
    }

    fn long_work(&self, shard: u32) -> f64 {
        self.shards.get(&shard).map_or(0.0, |s| s.long.mean())
    }

    pub fn look(&mut self, look: &TableLook) -> Conditions {
        let total: f64 = look.shards.iter().map(|s| s.work).sum();
        self.matters = total >= if self.matters { MATTERS.1 } else { MATTERS.0 };
        let works: BTreeMap<u32, f64> = look.shards.iter().map(|s| (s.id, s.work)).collect();
        self.shards.retain(|id, _| works.contains_key(id));
        let mut found = Conditions::default();
        self.look_at_shards(look, total, &mut found);
        let work = |id: &u32| works.get(id).copied().unwrap_or_default();
        for hot in [&mut found.hot, &mut found.hot_values] {
            hot.sort_by(|a, b| work(&b.0).total_cmp(&work(&a.0)).then(a.0.cmp(&b.0)));
        }
        let long: Vec<f64> = look.shards.iter().map(|s| self.long_work(s.id)).collect();
        let time = look.time;
        let skew = temperature(&long);
        let bytes: Vec<f64> = look.shards.iter().filter_map(|s| s.bytes).collect();
        let largest = bytes.iter().copied().fold(0.0, f64::max);
        // The newest part of an always increasing key is busiest and smallest, and meant to be.
        let meant = look.shards.iter().any(|s| s.newest);
        let by_load = Level::of(skew, SKEWED.0, SKEWED.1).only_if(self.matters && !meant);
        let by_bytes = Level::of(temperature(&bytes), UNEVEN.0, UNEVEN.1).only_if(largest >= UNEVEN_BYTES && !meant);
        self.skewed.look(time, graver(by_load, by_bytes), MINUTES);
        let used = busiest(look);
        let even = found.hot.is_empty() && skew < SKEWED.0;
        let room = look.nodes.iter().filter(|n| n.active).count() > look.shards.len() || idle_machine(look);
        let too_busy = Level::of(used, CEILING.0, CEILING.1).only_if(even && room);
        let target = DEFAULT_TARGET_SHARD_BYTES as f64;
        let mean_bytes = bytes.iter().sum::<f64>() / bytes.len().max(1) as f64;
        let too_large = Level::of(mean_bytes / target, TOO_LARGE.0, TOO_LARGE.1);
        self.under.look(time, graver(too_busy, too_large), SOON);
        let asked = look.nodes.len().max(1) as f64;
        let asked = asked.max(bytes.iter().sum::<f64>() / target).max(total / CEILING.0);
        let many = look.shards.len() as f64 / asked;
        self.over.look(time, Level::of(many, TOO_MANY.0, TOO_MANY.1), HOURS);
        let expected = look.expected_use.unwrap_or(0.0);
        self.growing.look(time, Level::of(expected, CEILING.0, CEILING.1), SOON);
        let lag = furthest_behind(look).map_or(0.0, |(_, lag)| lag);
        self.lagging.look(time, Level::of(lag, LAG.0, LAG.1), AT_ONCE);
        let full = fullest(look).filter(|(node, _)| is_tight(look, node)).map_or(0.0, |(_, free)| 1.0 - free);
        self.full.look(time, Level::of(full, 1.0 - FREE.0, 1.0 - FREE.1), AT_ONCE);
        found.skewed = self.skewed.on();
        found.under_sharded = self.under.on();
        found.over_sharded = self.over.on();
        found.growing = self.growing.on();
        found.lagging = self.lagging.on();
        found.full = self.full.on();
        found
    }

    fn look_at_shards(&mut self, look: &TableLook, total: f64, found: &mut Conditions) {
        let mut sorted: Vec<f64> = look.shards.iter().map(|s| s.work).collect();
        sorted.sort_by(f64::total_cmp);
        let events: f64 = look.shards.iter().map(|s| s.events).sum();
        let fair = 1.0 / look.shards.len().max(1) as f64;
        for shard in &look.shards {
            let state = self.shards.entry(shard.id).or_default();
            let before = state.recent.mean();
            state.long.take(shard.work, look.seconds, LONG);
            state.recent.take(shard.work, look.seconds, RECENT);
            let share = if total > 0.0 { shard.work / total } else { 0.0 };
            // What chance alone would make of a fair share.
            let chance = (fair * (1.0 - fair) / events.max(1.0)).sqrt() * DEVIATIONS;
            let times = shard.work / median_of_others(&sorted, shard.work).max(total * 1e-6).max(f64::MIN_POSITIVE);
            let stands_out = share > fair + HOT_SHARE.min(fair).max(chance) && share >= HOT_SHARE;
            // What was meant to be busiest is hot when it is more than a node bears.
            let counts = self.matters && (!shard.newest || shard.work >= CEILING.0);
            let level = Level::of(times, HOT.0, HOT.1);
            let level = if level == Level::Above && !stands_out { Level::Between } else { level }.only_if(counts);
            let hot = state.hot.look(look.time, level, AT_ONCE);
            let begins = times >= HOT.0 * SUSPECT
                && share >= fair + (HOT_SHARE.min(fair) * SUSPECT).max(chance)
                && share >= HOT_SHARE * SUSPECT
                && shard.work >= before * MORE_THAN_BEFORE;
            found.suspicion |= state.hot.is_suspected() || (!hot && counts && begins);
            let value = shard.hottest_value.as_ref().map_or(0.0, |v| v.1);
            state.value.look(look.time, Level::of(value, HOT_VALUE.0, HOT_VALUE.1).only_if(counts), AT_ONCE);
            found.hot.extend(state.hot.on().map(|since| (shard.id, since)));
            // Of a shard that is not hot itself nobody has to know.
            let both = state.hot.on().zip(state.value.on());
            found.hot_values.extend(both.map(|(hot, value)| (shard.id, hot.max(value))));
        }
    }
}

fn graver(a: Level, b: Level) -> Level {
    match (a, b) {
        (Level::Above, _) | (_, Level::Above) => Level::Above,
        (Level::Between, _) | (_, Level::Between) => Level::Between,
        _ => Level::Below,
    }
}

/// The highest over the mean; 1 where there is nothing to compare.
pub fn temperature(loads: &[f64]) -> f64 {
    let mean = loads.iter().sum::<f64>() / loads.len().max(1) as f64;
    if mean > 0.0 { loads.iter().copied().fold(0.0, f64::max) / mean } else { 1.0 }
}

/// The median without one of the values, of all in order.
fn median_of_others(sorted: &[f64], value: f64) -> f64 {
    let at = sorted.partition_point(|v| v.total_cmp(&value).is_lt());
    let others = sorted.len().saturating_sub(1);
    let nth = |n: usize| sorted.get(if n < at { n } else { n + 1 }).copied();
    match (others.checked_sub(1).and_then(|last| nth(last / 2)), nth(others / 2)) {
        (Some(lower), Some(upper)) if others > 0 => (lower + upper) / 2.0,
        _ => value,
    }
}

/// The nodes that have shards of the table.
pub fn used(look: &TableLook) -> BTreeSet<&str> {
    look.shards.iter().map(|s| s.node.as_str()).collect()
}

/// The highest use of a machine that has shards of the table.
pub fn busiest(look: &TableLook) -> f64 {
    let mut machines: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for node in &look.nodes {
        let machine = machines.entry(&node.machine).or_default();
        machine.0 += node.work;
        machine.1 = machine.1.max(node.capacity);
    }
    let used = used(look);
    let own = |node: &NodeLook| used.contains(node.name.as_str());
    let of = |node: &NodeLook| {
        machines.get(node.machine.as_str()).map(|(work, capacity)| work / capacity.max(f64::MIN_POSITIVE))
    };
    look.nodes.iter().filter(|n| own(n)).filter_map(of).fold(0.0, f64::max)
}

/// There is a machine that could take shards and has none of this table's.
fn idle_machine(look: &TableLook) -> bool {
    let has =
        |machine: &str| look.nodes.iter().any(|n| n.machine == machine && look.shards.iter().any(|s| s.node == n.name));
    look.nodes.iter().any(|n| n.active && !has(&n.machine))
}

fn is_tight(look: &TableLook, node: &NodeLook) -> bool {
    let there: f64 = look.shards.iter().filter(|s| s.node == node.name).filter_map(|s| s.bytes).sum();
    node.free_bytes.is_some_and(|free| free < there.max(ROOM_BYTES))
}

/// The node with shards of the table whose copies are furthest behind, and how many seconds.
pub fn furthest_behind(look: &TableLook) -> Option<(&NodeLook, f64)> {
    let used = used(look);
    let own = |node: &&NodeLook| used.contains(node.name.as_str());
    look.nodes.iter().filter(own).filter_map(|node| Some((node, node.lag_seconds?))).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// The node with shards of the table whose disk has the smallest free share.
pub fn fullest(look: &TableLook) -> Option<(&NodeLook, f64)> {
    let used = used(look);
    let own = |node: &&NodeLook| used.contains(node.name.as_str());
    fn free(node: &NodeLook) -> Option<(&NodeLook, f64)> {
        Some((node, node.free_bytes? / node.disk_bytes.filter(|d| *d > 0.0)?))
    }
    look.nodes.iter().filter(own).filter_map(free).min_by(|a, b| a.1.total_cmp(&b.1))
}
