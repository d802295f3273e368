//! Which shard goes where.
//!
//! Expected shares of the rows and a list of nodes come in; the index of a node per shard goes out. Greedy, largest
//! shard first, onto the node that is then the least loaded for its capacity: for equal nodes never worse than 4/3 of
//! the optimum (Graham 1969, "Bounds on Multiprocessing Timing Anomalies", longest processing time first).

use crate::model::Node;

/// How even a placement is. `ratio` is the fullest node's load per capacity over the mean (1.0 is even); no placement
/// of these shards on these nodes comes below `lower_bound`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Imbalance {
    pub ratio: f64,
    pub lower_bound: f64,
}

/// The index into `nodes` for each of `shares`. Nodes that are inactive or have no capacity take nothing; empty when
/// no node is left. Ties go to the node with fewer shards, then to the one named first.
pub fn place(shares: &[f64], nodes: &[Node]) -> Vec<usize> {
    let usable: Vec<(usize, f64)> = usable(nodes);
    if usable.is_empty() {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|&a, &b| share(shares, b).total_cmp(&share(shares, a)).then(a.cmp(&b)));
    let mut loads: Vec<(f64, f64)> = vec![(0.0, 0.0); usable.len()];
    let mut placement = vec![0; shares.len()];
    for shard in order {
        let size = share(shares, shard);
        let after = |slot: usize| {
            let (load, count) = loads.get(slot).copied().unwrap_or_default();
            let capacity = usable.get(slot).map_or(1.0, |n| n.1);
            (tidy((load + size) / capacity), tidy((count + 1.0) / capacity))
        };
        let best = (0..usable.len()).min_by(|&a, &b| {
            let (a, b) = (after(a), after(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let Some(slot) = best else { continue };
        if let (Some(load), Some(at), Some(node)) = (loads.get_mut(slot), placement.get_mut(shard), usable.get(slot)) {
            *load = (load.0 + size, load.1 + 1.0);
            *at = node.0;
        }
    }
    placement
}

/// How even `placement` is, and how even it could be at best: the mean, or the largest shard alone on the largest node.
/// Both are 1.0 when there is nothing to place.
pub fn imbalance(shares: &[f64], nodes: &[Node], placement: &[usize]) -> Imbalance {
    let usable = usable(nodes);
    let capacity: f64 = usable.iter().map(|n| n.1).sum();
    let total: f64 = (0..shares.len()).map(|i| share(shares, i)).sum();
    if capacity <= 0.0 || total <= 0.0 {
        return Imbalance { ratio: 1.0, lower_bound: 1.0 };
    }
    let mean = total / capacity;
    let fullest = usable.iter().map(|&(node, capacity)| {
        let load: f64 = placement.iter().enumerate().filter(|p| *p.1 == node).map(|p| share(shares, p.0)).sum();
        load / capacity
    });
    let largest = (0..shares.len()).map(|i| share(shares, i)).fold(0.0, f64::max);
    let widest = usable.iter().map(|n| n.1).fold(0.0, f64::max);
    Imbalance { ratio: fullest.fold(0.0, f64::max) / mean, lower_bound: (largest / widest / mean).max(1.0) }
}

fn usable(nodes: &[Node]) -> Vec<(usize, f64)> {
    let takes = |n: &Node| n.active && n.capacity.is_finite() && n.capacity > 0.0;
    nodes.iter().enumerate().filter(|(_, n)| takes(n)).map(|(i, n)| (i, n.capacity)).collect()
}

/// A share that is not a number, or below zero, weighs nothing.
fn share(shares: &[f64], i: usize) -> f64 {
    shares.get(i).copied().filter(|s| s.is_finite()).unwrap_or(0.0).max(0.0)
}

/// Sums of the same shares in another order differ in the last bits; without this a tie would go by those bits.
fn tidy(load: f64) -> f64 {
    (load * 1e9).round()
}
