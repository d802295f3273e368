//! Leaving out what cannot be part of an optimum, before anything is searched.

use super::{Costs, EPSILON, at_or_zero, least};
use crate::model::Interrupts;
use std::collections::BTreeMap;

/// Rounds of leaving out values that cannot be part of an optimum; each makes more of them visible.
const ROUNDS: usize = 4;

impl Costs {
    /// The values of each variable that some design may need: a value is left out when another one of its variable is
    /// cheaper whatever the neighbours do (dead-end elimination: Goldstein 1994). The first `whole` variables keep all.
    pub(super) fn undominated(&self, interrupts: Interrupts, whole: usize) -> Vec<Vec<usize>> {
        let neighbours = self.neighbours();
        let mut kept: Vec<Vec<usize>> = self.own.iter().map(|values| (0..values.len()).collect()).collect();
        for _ in 0..ROUNDS {
            let mut dropped = false;
            for variable in whole..kept.len() {
                interrupts.check();
                let near = neighbours.get(variable).map(Vec::as_slice).unwrap_or_default();
                let own = self.own.get(variable).map(Vec::as_slice).unwrap_or_default();
                let values = kept.get(variable).cloned().unwrap_or_default();
                let mut alive = values.clone();
                for &bad in &values {
                    let beaten = |&good: &usize| {
                        let mut margin = at_or_zero(own, bad) - at_or_zero(own, good);
                        for n in near {
                            let theirs = kept.get(n.variable).map(Vec::as_slice).unwrap_or_default();
                            margin += least(theirs.iter().map(|&y| n.pair(bad, y) - n.pair(good, y)));
                        }
                        margin > EPSILON
                    };
                    if alive.iter().filter(|v| **v != bad).any(beaten) {
                        alive.retain(|v| *v != bad);
                        dropped = true;
                    }
                }
                if let Some(slot) = kept.get_mut(variable) {
                    *slot = alive;
                }
            }
            if !dropped {
                break;
            }
        }
        kept
    }

    /// The same costs over some of the values; what variables with a single value cost others becomes their own.
    pub(in crate::plan) fn restricted(&self, kept: &[Vec<usize>]) -> (Self, f64) {
        let of = |(values, kept): (&Vec<f64>, &Vec<usize>)| kept.iter().map(|at| at_or_zero(values, *at)).collect();
        let mut rest = Self { own: self.own.iter().zip(kept).map(of).collect(), pairs: BTreeMap::new() };
        let mut constant = 0.0;
        for (&(a, b), table) in &self.pairs {
            let (Some(left), Some(right)) = (kept.get(a), kept.get(b)) else { continue };
            let width = self.size(b);
            let cell = |x: usize, y: usize| at_or_zero(table, x * width + y);
            let costs = left.iter().flat_map(|x| right.iter().map(move |y| cell(*x, *y)));
            match (left.len(), right.len()) {
                (1, 1) => constant += costs.sum::<f64>(),
                (1, _) => rest.add(b, costs),
                (_, 1) => rest.add(a, costs),
                _ => drop(rest.pairs.insert((a, b), costs.collect())),
            }
        }
        (rest, constant)
    }

    fn add(&mut self, variable: usize, costs: impl Iterator<Item = f64>) {
        if let Some(own) = self.own.get_mut(variable) {
            own.iter_mut().zip(costs).for_each(|(own, cost)| *own += cost);
        }
    }
}

/// A design over the values that are kept, and back.
pub(super) fn inner(kept: &[Vec<usize>], design: &[usize]) -> Vec<usize> {
    kept.iter().zip(design).map(|(values, at)| values.iter().position(|v| v == at).unwrap_or(0)).collect()
}

pub(super) fn outer(kept: &[Vec<usize>], design: &[usize]) -> Vec<usize> {
    kept.iter().zip(design).map(|(values, at)| values.get(*at).copied().unwrap_or(0)).collect()
}
