//! The cheapest combination of choices where some pairs of choices cost something together.
//!
//! Every variable takes one of its values; a design costs the sum of its values' own costs and of its pairs'. A bound
//! from below comes from shifting costs between pairs and values so that the minimum of each adds up to as much as
//! possible (block-coordinate ascent on the dual: Globerson and Jaakkola 2007, "Fixing max-product", MPLP). What the
//! bound rules out is dropped; over the rest goes depth-first branch and bound. Ties go to the values named first.

mod reduce;
mod tree;

use crate::model::Interrupts;
use std::collections::BTreeMap;
use tree::Tree;

/// Sweeps over all pairs to raise the bound. It rarely takes more than a few.
const SWEEPS: usize = 40;
/// Gain of a sweep below which the bound is taken as it is, relative to the cost.
const ENOUGH: f64 = 1e-6;
/// Differences below this are none: sums of the same costs in another order differ in the last bits.
const EPSILON: f64 = 1e-9;

/// Costs of the values of each variable, and of pairs of values of two variables (row by row of the first's values).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Costs {
    pub own: Vec<Vec<f64>>,
    /// By the two variables, smaller index first.
    pub pairs: BTreeMap<(usize, usize), Vec<f64>>,
}

/// The best design found, and how far below it the optimum can be at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The index of the value of each variable.
    pub design: Vec<usize>,
    pub cost: f64,
    /// No design costs less; equal to `cost` where the search was exact.
    pub lower_bound: f64,
}

/// A variable that shares a table of pairs with the one whose neighbour it is.
#[derive(Debug, Clone, Copy)]
struct Neighbour<'a> {
    variable: usize,
    table: &'a [f64],
    /// The other one, not this, has the columns.
    first: bool,
    width: usize,
}

impl Neighbour<'_> {
    /// Cost of the one's value `x` with the neighbour's value `y`.
    fn pair(&self, x: usize, y: usize) -> f64 {
        at_or_zero(self.table, if self.first { x * self.width + y } else { y * self.width + x })
    }
}

impl Found {
    pub fn exact(&self) -> bool {
        self.cost - self.lower_bound <= EPSILON * (1.0 + self.cost.abs())
    }
}

impl Costs {
    pub fn of(&self, design: &[usize]) -> f64 {
        let own = self.own.iter().zip(design).map(|(values, at)| at_or_zero(values, *at));
        let pair = |(&(a, b), table): (&(usize, usize), &Vec<f64>)| {
            at_or_zero(table, at(design, a) * self.size(b) + at(design, b))
        };
        own.sum::<f64>() + self.pairs.iter().map(pair).sum::<f64>()
    }

    fn size(&self, variable: usize) -> usize {
        self.own.get(variable).map_or(0, Vec::len)
    }

    /// The costs of the other variables, and a constant, when the first one takes this value.
    pub fn given_first(&self, value: usize) -> (Self, f64) {
        let mut rest = Self { own: self.own.iter().skip(1).cloned().collect(), pairs: BTreeMap::new() };
        for (&(a, b), table) in &self.pairs {
            if a > 0 {
                rest.pairs.insert((a - 1, b - 1), table.clone());
            } else if let Some(own) = rest.own.get_mut(b - 1) {
                let width = self.size(b);
                own.iter_mut().enumerate().for_each(|(y, cost)| *cost += at_or_zero(table, value * width + y));
            }
        }
        (rest, self.own.first().and_then(|v| v.get(value)).copied().unwrap_or(0.0))
    }

    /// The cheapest design, with at most `budget` nodes of the search tree. `starts` are designs to begin with.
    pub fn minimize(&self, starts: &[Vec<usize>], budget: u64) -> Found {
        self.minimize_unless(Interrupts::default(), starts, budget)
    }

    /// The same, unless it is interrupted.
    pub fn minimize_unless(&self, interrupts: Interrupts, starts: &[Vec<usize>], budget: u64) -> Found {
        let kept = self.undominated(interrupts, 0);
        let (rest, constant) = self.restricted(&kept);
        let starts: Vec<Vec<usize>> = starts.iter().map(|start| reduce::inner(&kept, start)).collect();
        let found = rest.branch_and_bound(interrupts, &starts, budget);
        Found {
            design: reduce::outer(&kept, &found.design),
            cost: found.cost + constant,
            lower_bound: found.lower_bound + constant,
        }
    }

    /// For every value of the first variable a cheap design that contains it, by descent alone, and a bound: all bounds
    /// come from one dual, so that this takes little more than one of them would by itself.
    pub fn outline(&self, interrupts: Interrupts, starts: &[Vec<usize>]) -> Vec<Found> {
        let kept = self.undominated(interrupts, 1);
        let (rest, constant) = self.restricted(&kept);
        let starts: Vec<Vec<usize>> =
            starts.iter().map(|start| reduce::inner(&kept, start).into_iter().skip(1).collect()).collect();
        let mut dual = rest.clone();
        dual.raise(interrupts, f64::INFINITY);
        let first = dual.own.first().map(Vec::as_slice).unwrap_or_default();
        let others = dual.bound() - least(first.iter().copied());
        let of = |(value, own): (usize, &f64)| {
            let (given, fixed) = rest.given_first(value);
            let (mut design, cost) = given.descend_from(interrupts, &starts, &given.neighbours());
            design.insert(0, value);
            let cost = cost + fixed + constant;
            Found { design: reduce::outer(&kept, &design), cost, lower_bound: (others + own + constant).min(cost) }
        };
        first.iter().enumerate().map(of).collect()
    }

    fn branch_and_bound(&self, interrupts: Interrupts, starts: &[Vec<usize>], budget: u64) -> Found {
        let neighbours = self.neighbours();
        let mut best = self.descend_from(interrupts, starts, &neighbours);
        let mut dual = self.clone();
        let bound = dual.raise(interrupts, best.1);
        if bound >= best.1 - EPSILON {
            return Found { design: best.0, cost: best.1, lower_bound: best.1 };
        }
        let neighbours = dual.neighbours();
        let mut tree = Tree::new(&dual, &neighbours, best.1, (budget, interrupts));
        tree.branch(0, 0.0);
        let exhausted = tree.left == 0;
        if let Some(design) = tree.best {
            best = (design.clone(), self.of(&design));
        }
        let lower_bound = if exhausted { bound.min(best.1) } else { best.1 };
        Found { design: best.0, cost: best.1, lower_bound }
    }

    /// Shifts costs until the bound has come up to `wanted`, or rises no more.
    fn raise(&mut self, interrupts: Interrupts, wanted: f64) -> f64 {
        let mut bound = self.bound();
        for _ in 0..SWEEPS {
            if bound >= wanted - EPSILON {
                break;
            }
            self.sweep(interrupts);
            let next = self.bound();
            let gain = next - bound;
            bound = bound.max(next);
            if gain < ENOUGH * (1.0 + bound.abs()) {
                break;
            }
        }
        bound
    }

    /// The best that descent finds, from the values named first and from `starts`.
    fn descend_from(
        &self,
        interrupts: Interrupts,
        starts: &[Vec<usize>],
        neighbours: &[Vec<Neighbour<'_>>],
    ) -> (Vec<usize>, f64) {
        let mut best = self.descend(interrupts, vec![0; self.own.len()], neighbours);
        for start in starts.iter().filter(|s| s.len() == self.own.len()) {
            let other = self.descend(interrupts, start.clone(), neighbours);
            if other.1 < best.1 - EPSILON {
                best = other;
            }
        }
        best
    }

    fn neighbours(&self) -> Vec<Vec<Neighbour<'_>>> {
        let mut out = vec![Vec::new(); self.own.len()];
        for (&(a, b), table) in &self.pairs {
            for (from, to, first) in [(a, b, true), (b, a, false)] {
                if let Some(list) = out.get_mut(from) {
                    list.push(Neighbour { variable: to, table, first, width: self.size(b) });
                }
            }
        }
        out
    }

    /// One variable after the other takes its best value until none improves.
    fn descend(
        &self,
        interrupts: Interrupts,
        mut design: Vec<usize>,
        neighbours: &[Vec<Neighbour<'_>>],
    ) -> (Vec<usize>, f64) {
        // Each step lowers the cost, so this ends; the limit is against rounding only.
        for _ in 0..2 * self.own.len().max(4) {
            let mut improved = false;
            for variable in 0..self.own.len() {
                interrupts.check();
                let cost = |value: usize| {
                    let own = self.own.get(variable).and_then(|v| v.get(value)).copied().unwrap_or(0.0);
                    let near = neighbours.get(variable).map(Vec::as_slice).unwrap_or_default();
                    own + near.iter().map(|n| n.pair(value, at(&design, n.variable))).sum::<f64>()
                };
                let mut best = (at(&design, variable), cost(at(&design, variable)));
                for value in 0..self.size(variable) {
                    let other = cost(value);
                    if other < best.1 - EPSILON {
                        best = (value, other);
                    }
                }
                if best.0 != at(&design, variable) {
                    improved = true;
                    if let Some(value) = design.get_mut(variable) {
                        *value = best.0;
                    }
                }
            }
            if !improved {
                break;
            }
        }
        let cost = self.of(&design);
        (design, cost)
    }

    /// The sum of all minima.
    fn bound(&self) -> f64 {
        self.own.iter().chain(self.pairs.values()).map(|costs| least(costs.iter().copied())).sum()
    }

    /// Moves, for each pair in turn, as much cost as possible to its values, half to each side.
    fn sweep(&mut self, interrupts: Interrupts) {
        let Self { own, pairs } = self;
        for (&(a, b), table) in pairs {
            interrupts.check();
            let (Some(mut left), Some(mut right)) = (own.get(a).cloned(), own.get(b).cloned()) else { continue };
            let width = right.len().max(1);
            let joint = |row: usize, column: usize, cost: f64, left: &[f64], right: &[f64]| {
                cost + at_or_zero(left, row) + at_or_zero(right, column)
            };
            let mut rows = vec![f64::INFINITY; left.len()];
            let mut columns = vec![f64::INFINITY; right.len()];
            for (i, cost) in table.iter().enumerate() {
                let (row, column) = (i / width, i % width);
                let all = joint(row, column, *cost, &left, &right);
                lower(&mut rows, row, all);
                lower(&mut columns, column, all);
            }
            for (i, cost) in table.iter_mut().enumerate() {
                let (row, column) = (i / width, i % width);
                let all = joint(row, column, *cost, &left, &right);
                *cost = all - (at_or_zero(&rows, row) + at_or_zero(&columns, column)) / 2.0;
            }
            left.iter_mut().zip(&rows).for_each(|(value, row)| *value = row / 2.0);
            right.iter_mut().zip(&columns).for_each(|(value, column)| *value = column / 2.0);
            if let Some(values) = own.get_mut(a) {
                *values = left;
            }
            if let Some(values) = own.get_mut(b) {
                *values = right;
            }
        }
    }
}

fn at(design: &[usize], variable: usize) -> usize {
    design.get(variable).copied().unwrap_or(0)
}

fn at_or_zero(values: &[f64], at: usize) -> f64 {
    values.get(at).copied().unwrap_or(0.0)
}

fn lower(values: &mut [f64], at: usize, to: f64) {
    if let Some(value) = values.get_mut(at) {
        *value = value.min(to);
    }
}

fn least(values: impl Iterator<Item = f64>) -> f64 {
    let least = values.fold(f64::INFINITY, f64::min);
    if least.is_finite() { least } else { 0.0 }
}
