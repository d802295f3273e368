//! Branch and bound over what the bound from below has left open.

use super::{Costs, EPSILON, Neighbour, at, at_or_zero, least};
use crate::model::Interrupts;

/// Depth-first search over the variables, most tied first, each value in the order of its cost.
pub(super) struct Tree<'a> {
    /// Variables in the order of branching, and for each the neighbours that come later.
    order: Vec<usize>,
    later: Vec<Vec<Neighbour<'a>>>,
    /// Own cost of each value plus the pairs with the variables that are decided.
    current: Vec<Vec<f64>>,
    /// From each depth on: minima of the pairs between variables that are not decided.
    open_pairs: Vec<f64>,
    design: Vec<usize>,
    /// Better than what was known before, if anything is.
    pub(super) best: Option<Vec<usize>>,
    best_cost: f64,
    /// Nodes that may still be visited.
    pub(super) left: u64,
    interrupts: Interrupts,
}

impl<'a> Tree<'a> {
    pub(super) fn new(
        costs: &'a Costs,
        neighbours: &[Vec<Neighbour<'a>>],
        best_cost: f64,
        (left, interrupts): (u64, Interrupts),
    ) -> Self {
        let range =
            |table: &[f64]| table.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least(table.iter().copied());
        let weight: Vec<f64> = neighbours.iter().map(|near| near.iter().map(|n| range(n.table)).sum()).collect();
        let mut order: Vec<usize> = (0..costs.own.len()).collect();
        order.sort_by(|a, b| at_or_zero(&weight, *b).total_cmp(&at_or_zero(&weight, *a)).then(a.cmp(b)));
        let mut place = vec![0; order.len()];
        for (depth, variable) in order.iter().enumerate() {
            if let Some(p) = place.get_mut(*variable) {
                *p = depth;
            }
        }
        let later = order
            .iter()
            .enumerate()
            .map(|(depth, v)| {
                let near = neighbours.get(*v).map(Vec::as_slice).unwrap_or_default();
                near.iter().copied().filter(|n| at(&place, n.variable) > depth).collect()
            })
            .collect();
        let mut open_pairs = vec![0.0; order.len() + 1];
        for (&(a, b), table) in &costs.pairs {
            let first = at(&place, a).min(at(&place, b));
            for sum in open_pairs.iter_mut().take(first + 1) {
                *sum += least(table.iter().copied());
            }
        }
        let design = vec![0; order.len()];
        Self { order, later, current: costs.own.clone(), open_pairs, design, best: None, best_cost, left, interrupts }
    }

    pub(super) fn branch(&mut self, depth: usize, decided: f64) {
        let Some(&variable) = self.order.get(depth) else {
            if decided < self.best_cost - EPSILON {
                self.best_cost = decided;
                self.best = Some(self.design.clone());
            }
            return;
        };
        let rest: f64 = self
            .order
            .iter()
            .skip(depth + 1)
            .filter_map(|v| self.current.get(*v))
            .map(|values| least(values.iter().copied()))
            .sum();
        let open = self.open_pairs.get(depth).copied().unwrap_or(0.0);
        let values = self.current.get(variable).cloned().unwrap_or_default();
        let mut sequence: Vec<usize> = (0..values.len()).collect();
        sequence.sort_by(|a, b| at_or_zero(&values, *a).total_cmp(&at_or_zero(&values, *b)).then(a.cmp(b)));
        for value in sequence {
            if decided + at_or_zero(&values, value) + rest + open >= self.best_cost - EPSILON || self.left == 0 {
                return;
            }
            self.left -= 1;
            self.interrupts.check();
            if let Some(chosen) = self.design.get_mut(variable) {
                *chosen = value;
            }
            let later = self.later.get(depth).cloned().unwrap_or_default();
            let mut saved = Vec::with_capacity(later.len());
            for other in later {
                if let Some(current) = self.current.get_mut(other.variable) {
                    saved.push((other.variable, current.clone()));
                    current.iter_mut().enumerate().for_each(|(y, cost)| *cost += other.pair(value, y));
                }
            }
            self.branch(depth + 1, decided + at_or_zero(&values, value));
            for (other, current) in saved {
                if let Some(slot) = self.current.get_mut(other) {
                    *slot = current;
                }
            }
        }
    }
}
