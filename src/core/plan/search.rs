//! The cheapest combination of choices where some pairs of choices cost something together.
//!
//! Every variable takes one of its values; a design costs the sum of its values' own costs and of its pairs'. A bound
//! from below comes from shifting costs between pairs and values so that the minimum of each adds up to as much as
//! possible (block-coordinate ascent on the dual: Globerson and Jaakkola 2007, "Fixing max-product", MPLP). What the
//! bound rules out is dropped; over the rest goes depth-first branch and bound. Ties go to the values named first.

use std::collections::BTreeMap;

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
        let neighbours = self.neighbours();
        let mut best = self.descend(vec![0; self.own.len()], &neighbours);
        for start in starts.iter().filter(|s| s.len() == self.own.len()) {
            let other = self.descend(start.clone(), &neighbours);
            if other.1 < best.1 - EPSILON {
                best = other;
            }
        }
        let mut dual = self.clone();
        let mut bound = dual.bound();
        for _ in 0..SWEEPS {
            if bound >= best.1 - EPSILON {
                break;
            }
            dual.sweep();
            let next = dual.bound();
            let gain = next - bound;
            bound = bound.max(next);
            if gain < ENOUGH * (1.0 + bound.abs()) {
                break;
            }
        }
        if bound >= best.1 - EPSILON {
            return Found { design: best.0, cost: best.1, lower_bound: best.1 };
        }
        let neighbours = dual.neighbours();
        let mut tree = Tree::new(&dual, &neighbours, best.1, budget);
        tree.branch(0, 0.0);
        let exhausted = tree.left == 0;
        if let Some(design) = tree.best {
            best = (design.clone(), self.of(&design));
        }
        let lower_bound = if exhausted { bound.min(best.1) } else { best.1 };
        Found { design: best.0, cost: best.1, lower_bound }
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
    fn descend(&self, mut design: Vec<usize>, neighbours: &[Vec<Neighbour<'_>>]) -> (Vec<usize>, f64) {
        // Each step lowers the cost, so this ends; the limit is against rounding only.
        for _ in 0..2 * self.own.len().max(4) {
            let mut improved = false;
            for variable in 0..self.own.len() {
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
    fn sweep(&mut self) {
        let Self { own, pairs } = self;
        for (&(a, b), table) in pairs {
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

/// Depth-first search over the variables, most tied first, each value in the order of its cost.
struct Tree<'a> {
    /// Variables in the order of branching, and for each the neighbours that come later.
    order: Vec<usize>,
    later: Vec<Vec<Neighbour<'a>>>,
    /// Own cost of each value plus the pairs with the variables that are decided.
    current: Vec<Vec<f64>>,
    /// From each depth on: minima of the pairs between variables that are not decided.
    open_pairs: Vec<f64>,
    design: Vec<usize>,
    best: Option<Vec<usize>>,
    best_cost: f64,
    left: u64,
}

impl<'a> Tree<'a> {
    fn new(costs: &'a Costs, neighbours: &[Vec<Neighbour<'a>>], best_cost: f64, budget: u64) -> Self {
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
        Self { order, later, current: costs.own.clone(), open_pairs, design, best: None, best_cost, left: budget }
    }

    fn branch(&mut self, depth: usize, decided: f64) {
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
