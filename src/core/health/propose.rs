//! The one move that helps most: every split, move, merge and isolation of a value that is possible is weighed by the overload that it avoids within the
//! horizon and by what the copying costs. The next one is looked for when that is done, in the world as it is then.

use super::world::{Machines, NodeAhead, ShardAhead, World, beyond};
use crate::model::moves::{Move, Proposal};
use crate::model::words::{bytes, figure, percent};
use std::collections::BTreeMap;

/// A move must avoid so many times what it costs. Assumed: forecasts of single shards are half wrong.
const PAYS: f64 = 2.0;
/// Seconds of overload below which nothing is done. Assumed: a minute of waiting a day is nobody's trouble.
const LEAST_GAIN: f64 = 60.0;
/// Part of a server's time that a copy takes, there and here. Measured: throughput during one is 0.7 to 0.85 of what it was.
const COPY_USE: f64 = 0.3;
/// Seconds of node time that any move takes, however small: its steps, its checks. Assumed.
const FIXED_COST: f64 = 2.0;
/// Share of a disk's free bytes that a copy may take.
const DISK_SHARE: f64 = 0.8;
/// Shards up to this are merged where there are too many: what that costs is next to nothing.
const MERGED_BYTES: f64 = (64_u64 << 20) as f64;

/// The best move of all tables or of one; None where none pays.
pub fn propose(world: &World, table: Option<u32>, done: &[Move]) -> Option<Proposal> {
    proposals(world, table, done).into_iter().next()
}

/// All moves of all tables or of one that pay, the best first: where something stands in the way of that one, another may be possible.
/// `done`: what was done within the horizon, and must not be undone.
pub fn proposals(world: &World, table: Option<u32>, done: &[Move]) -> Vec<Proposal> {
    let machines = world.machines();
    let mut shards: Vec<&ShardAhead> =
        world.shards.iter().filter(|s| !s.rests && table.is_none_or(|t| t == s.table)).collect();
    shards.sort_by_key(|s| s.id);
    let mut found: Vec<Proposal> = Vec::new();
    for shard in &shards {
        found.extend(split(world, &machines, shard));
        found.extend(isolate(world, &machines, shard));
        found.extend(world.nodes.iter().filter_map(|node| to_node(world, &machines, shard, node)));
    }
    if found.is_empty() {
        found.extend(merge(world, &machines, &shards));
    }
    found.retain(|p| !done.iter().any(|d| p.action.undoes(d)));
    let net = |p: &Proposal| p.gain - p.cost;
    found.sort_by(|a, b| net(b).total_cmp(&net(a)).then_with(|| a.action.cmp(&b.action)));
    found
}

/// Seconds of an ordinary node.
fn cost(world: &World, bytes: f64) -> f64 {
    FIXED_COST + 2.0 * COPY_USE * bytes / world.copied_per_second.max(1.0)
}

fn pays(
    world: &World,
    shard: &ShardAhead,
    action: Move,
    gains: &[f64],
    because: impl Fn(usize, f64) -> String,
) -> Option<Proposal> {
    let gain = gains.iter().sum::<f64>() * world.slot_seconds;
    let cost = cost(world, shard.bytes);
    let ahead = gains.iter().position(|g| *g > 0.0)?;
    (gain >= LEAST_GAIN && gain >= PAYS * cost).then(|| Proposal {
        table: shard.table,
        action,
        gain,
        cost,
        bytes: shard.bytes,
        ahead,
        because: format!(
            "{} That avoids {} s of overload for {} s of a server's time.",
            because(ahead, gain),
            figure(gain),
            figure(cost)
        ),
    })
}

/// What becomes of a shard's own overload when it is cut into parts with these shares of its work.
fn cut(machines: &Machines, shard: &ShardAhead, parts: [f64; 2]) -> Vec<f64> {
    let most = machines.shard_ceiling(shard);
    let gain = |work: &f64| beyond(*work, most) - parts.iter().map(|part| beyond(work * part, most)).sum::<f64>();
    shard.work.iter().map(gain).collect()
}

fn fits(world: &World, node: &str, bytes: f64) -> bool {
    let free = world.nodes.iter().find(|n| n.name == node).and_then(|n| n.free_bytes);
    free.is_none_or(|free| bytes <= free * DISK_SHARE)
}

fn highest(shard: &ShardAhead) -> f64 {
    shard.work.iter().copied().fold(0.0, f64::max)
}

fn split(world: &World, machines: &Machines, shard: &ShardAhead) -> Option<Proposal> {
    if !shard.splits || !fits(world, &shard.node, shard.bytes) {
        return None;
    }
    // One value stays together, whatever is cut.
    let together = shard.hot_value.as_ref().map_or(0.0, |(_, share)| *share);
    let half = (1.0 - together) / 2.0;
    let gains = cut(machines, shard, [together + half, half]);
    pays(world, shard, Move::Split { shard: shard.id }, &gains, |_, _| {
        format!(
            "Shard {} comes to {} of what its server bears; in two halves, neither does more than {}.",
            shard.name,
            percent(use_of(machines, shard, 1.0)),
            percent(use_of(machines, shard, together + half))
        )
    })
}

fn isolate(world: &World, machines: &Machines, shard: &ShardAhead) -> Option<Proposal> {
    let (value, share) = shard.hot_value.as_ref()?;
    if !fits(world, &shard.node, shard.bytes) {
        return None;
    }
    let gains = cut(machines, shard, [*share, 1.0 - share]);
    pays(world, shard, Move::Isolate { shard: shard.id, value: value.clone() }, &gains, |_, _| {
        format!(
            "{} of the load of shard {} is one value's: splitting is useless, isolating it is not.",
            percent(*share),
            shard.name
        )
    })
}

/// A shard's highest work as a share of what its server bears.
fn use_of(machines: &Machines, shard: &ShardAhead, part: f64) -> f64 {
    let capacity = machines.machine(&shard.node).and_then(|m| machines.capacity.get(m)).copied().unwrap_or(1.0);
    highest(shard) * part / capacity
}

fn to_node(world: &World, machines: &Machines, shard: &ShardAhead, node: &NodeAhead) -> Option<Proposal> {
    let (from, to) = (machines.machine(&shard.node)?, node.machine.as_str());
    if from == to || !node.active || !fits(world, &node.name, shard.bytes) {
        return None;
    }
    let (at_from, at_to) = (machines.ceiling(from), machines.ceiling(to));
    let slots = shard.work.iter().zip(machines.work_of(from)).zip(machines.work_of(to));
    let gain = |((work, here), there): ((&f64, &f64), &f64)| {
        let before = beyond(*here, at_from) + beyond(*there, at_to);
        before - beyond(here - work, at_from) - beyond(there + work, at_to)
    };
    let gains: Vec<f64> = slots.map(gain).collect();
    let action = Move::Move { shard: shard.id, from: shard.node.clone(), to: node.name.clone() };
    pays(world, shard, action, &gains, |ahead, _| {
        let capacity = machines.capacity.get(from).copied().unwrap_or(1.0);
        let most = machines.work_of(from).iter().copied().fold(0.0, f64::max) / capacity;
        let when = match ahead {
            0 => "is".to_owned(),
            slots => format!("will be in {} minutes", figure(slots as f64 * world.slot_seconds / 60.0)),
        };
        format!(
            "The server of node {} {when} beyond what it should bear, {} at most; node {} has room for shard {} ({}).",
            shard.node,
            percent(most),
            node.name,
            shard.name,
            bytes(shard.bytes)
        )
    })
}

/// Two small halves of a table that has too many shards, which nothing keeps apart.
fn merge(world: &World, machines: &Machines, shards: &[&ShardAhead]) -> Option<Proposal> {
    let by_id: BTreeMap<u32, &&ShardAhead> = shards.iter().map(|s| (s.id, s)).collect();
    let mut pairs: Vec<(f64, &ShardAhead, &ShardAhead)> = Vec::new();
    for shard in shards.iter().filter(|s| world.too_many.contains(&s.table)) {
        let Some(other) = shard.sibling.filter(|s| *s > shard.id).and_then(|s| by_id.get(&s)) else { continue };
        let size = shard.bytes + other.bytes;
        let busy = shard.work.iter().zip(&other.work).any(|(a, b)| a + b > machines.shard_ceiling(shard) / 2.0);
        if shard.node == other.node && size <= MERGED_BYTES && !busy {
            pairs.push((size, shard, other));
        }
    }
    let (size, a, b) = pairs.into_iter().min_by(|x, y| x.0.total_cmp(&y.0).then(x.1.id.cmp(&y.1.id)))?;
    Some(Proposal {
        table: a.table,
        action: Move::Merge { shards: [a.id, b.id] },
        gain: 0.0,
        cost: cost(world, size),
        bytes: size,
        ahead: 0,
        because: format!(
            "The table has many more shards than anything asks for; {} and {} have {} together and little to do.",
            a.name,
            b.name,
            bytes(size)
        ),
    })
}
