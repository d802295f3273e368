//! All shards and where they are, with what is expected of them slot by slot: what a move would make of it.
//!
//! What counts is overload: work beyond what a server bears without making everybody wait, and work of one shard beyond what a single
//! shard should carry. A move is good when it avoids overload by itself, so that stopping after any of them is safe.

use super::table::CEILING;
use std::collections::BTreeMap;

/// Part of a server's time that a hot shard may take. Assumed: its hottest pages, the upper pages of its indexes and its vacuum are worked on by one
/// process at a time. Shards that are as busy as their neighbours share the server as well as any number of others would.
const HOT_CEILING: f64 = 0.2;

/// Part of a server's time that is planned to be used, at peaks. Less than where overload begins: what comes is never what was expected. Assumed:
/// of three real days (benches/day.rs) 0.7 was better on two, and 0.6 on one.
const PLANNED: f64 = 0.6;

#[derive(Debug, Clone, PartialEq)]
pub struct ShardAhead {
    pub id: u32,
    pub table: u32,
    pub name: String,
    pub node: String,
    pub bytes: f64,
    /// Work expected in each slot.
    pub work: Vec<f64>,
    /// It can be cut in two: by a hash or a range, at one level.
    pub splits: bool,
    /// The other half, where the two make one again.
    pub sibling: Option<u32>,
    /// A value of the key with its share of the work.
    pub hot_value: Option<(String, f64)>,
    /// It does the work of many now.
    pub hot: bool,
    /// Something was done to it lately, or nothing may be done to its table.
    pub rests: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NodeAhead {
    pub name: String,
    pub machine: String,
    /// Beside an ordinary node: what its machine bears.
    pub capacity: f64,
    pub active: bool,
    /// None where nobody can see.
    pub free_bytes: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct World {
    pub shards: Vec<ShardAhead>,
    pub nodes: Vec<NodeAhead>,
    pub slot_seconds: f64,
    /// What a copy moves in a second.
    pub copied_per_second: f64,
    /// Tables that have too many shards.
    pub too_many: Vec<u32>,
}

/// The work of each machine, slot by slot.
#[derive(Debug, Clone)]
pub struct Machines {
    pub work: BTreeMap<String, Vec<f64>>,
    pub capacity: BTreeMap<String, f64>,
    pub of_node: BTreeMap<String, String>,
}

impl World {
    pub fn slots(&self) -> usize {
        self.shards.iter().map(|s| s.work.len()).max().unwrap_or(0)
    }

    pub fn machines(&self) -> Machines {
        let of_node: BTreeMap<String, String> =
            self.nodes.iter().map(|n| (n.name.clone(), n.machine.clone())).collect();
        let mut capacity: BTreeMap<String, f64> = BTreeMap::new();
        for node in &self.nodes {
            let known = capacity.entry(node.machine.clone()).or_default();
            *known = known.max(node.capacity);
        }
        let mut work: BTreeMap<String, Vec<f64>> =
            capacity.keys().map(|m| (m.clone(), vec![0.0; self.slots()])).collect();
        for shard in &self.shards {
            let Some(slots) = of_node.get(&shard.node).and_then(|machine| work.get_mut(machine)) else { continue };
            slots.iter_mut().zip(&shard.work).for_each(|(sum, work)| *sum += work);
        }
        Machines { work, capacity, of_node }
    }

    /// Seconds of overload of all servers and shards over the slots.
    pub fn overload(&self) -> f64 {
        let machines = self.machines();
        let of_machine = |(machine, work): (&String, &Vec<f64>)| {
            work.iter().map(|w| beyond(*w, machines.ceiling(machine))).sum::<f64>()
        };
        let of_shard = |shard: &ShardAhead| {
            let most = machines.shard_ceiling(shard);
            shard.work.iter().map(|w| beyond(*w, most)).sum::<f64>()
        };
        let total = machines.work.iter().map(of_machine).sum::<f64>() + self.shards.iter().map(of_shard).sum::<f64>();
        total * self.slot_seconds
    }
}

impl Machines {
    /// The work that a machine is planned to take at most.
    pub fn ceiling(&self, machine: &str) -> f64 {
        self.capacity.get(machine).copied().unwrap_or(1.0) * PLANNED
    }

    /// The work that a shard should have at most where it is.
    pub fn shard_ceiling(&self, shard: &ShardAhead) -> f64 {
        let machine = self.of_node.get(&shard.node);
        let capacity = machine.and_then(|m| self.capacity.get(m)).copied().unwrap_or(1.0);
        capacity * if shard.hot { HOT_CEILING } else { CEILING.0 }
    }

    pub fn machine(&self, node: &str) -> Option<&str> {
        self.of_node.get(node).map(String::as_str)
    }

    pub fn work_of(&self, machine: &str) -> &[f64] {
        self.work.get(machine).map(Vec::as_slice).unwrap_or_default()
    }
}

pub fn beyond(work: f64, ceiling: f64) -> f64 {
    (work - ceiling).max(0.0)
}
