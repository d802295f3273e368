//! One choice for the whole schema: the target's key together with the keys of all tables that it is used with.
//!
//! Every table is a variable whose values are its candidates ([`super::options`]). What a candidate costs by itself, what
//! two tables' joins cost each other and what their transactions gain by being together become [`Costs`]; for each option
//! of the target the cheapest completion by the other tables is searched, so that options compare by what the whole
//! schema would pay. Tables that are already sharded have one value only.

use super::PlanInput;
use super::search::{Costs, Found};
use crate::key::{APART, Context, Joins, Place, Subject, Ties, together};
use crate::model::plan::{JointChoice, TableChoice};
use crate::model::words::round4;
use crate::model::{KeyColumns, Method, TableName};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of the search tree for one option of the target; past it the plan names the gap instead of a proof.
const BUDGET: u64 = 20_000;

/// Designs to begin the search with. The best is nearly always among those that follow the largest homes.
const STARTS: usize = 8;

/// One choice of one table.
#[derive(Debug, Clone)]
pub struct Value {
    pub method: Method,
    pub key: KeyColumns,
    pub place: Place,
    /// In single-shard statements per statement of the table, ties apart.
    pub own: f64,
    /// See [`Context::homed`].
    pub homed: f64,
}

/// A table with its choices; `weight` is what it counts for beside the others.
#[derive(Debug, Clone)]
pub struct Variable<'a> {
    pub table: &'a TableName,
    pub weight: f64,
    pub values: Vec<Value>,
}

impl<'a> Variable<'a> {
    pub fn of(subject: &Subject<'a>, values: Vec<Value>) -> Self {
        Self { table: &subject.table.name, weight: subject.weight, values }
    }
}

/// The objective over the target (the first variable) and all tables that its choice can matter to.
#[derive(Debug, Clone)]
pub struct Joint<'a> {
    context: &'a Context<'a>,
    nodes: usize,
    pub variables: Vec<Variable<'a>>,
    pub costs: Costs,
    joins: BTreeMap<(&'a TableName, &'a TableName), Joins>,
}

/// An option of the target with the best that the other tables can do beside it.
#[derive(Debug, Clone)]
pub struct Completed {
    pub ties: Ties,
    /// Of the whole design, in statements of the log.
    pub found: Found,
}

impl<'a> Joint<'a> {
    /// `variables` begins with the target; those that it cannot matter to are left out.
    pub fn new(context: &'a Context<'a>, nodes: usize, variables: Vec<Variable<'a>>) -> Self {
        let joins = Joins::all(context);
        let mut joint = Self { context, nodes, variables, costs: Costs::default(), joins };
        joint.keep_connected();
        joint.weigh();
        joint
    }

    /// For every value of the target the cheapest design that contains it.
    pub fn complete(&self, allowed: &[bool]) -> Vec<Completed> {
        let target = self.variables.first().map_or(0, |v| v.values.len());
        let starts = self.starts();
        let found: Vec<Found> = (0..target)
            .map(|value| {
                let (rest, constant) = self.costs.given_first(value);
                let starts: Vec<Vec<usize>> = starts.iter().map(|s| s.iter().skip(1).copied().collect()).collect();
                let mut found = rest.minimize(&starts, BUDGET);
                found.design.insert(0, value);
                Found { cost: found.cost + constant, lower_bound: found.lower_bound + constant, ..found }
            })
            .collect();
        let mut out: Vec<Completed> = found.into_iter().map(|f| self.completed(f)).collect();
        let any = allowed.iter().any(|a| *a);
        let others = out.iter().zip(allowed).filter(|(_, allowed)| **allowed || !any).map(|(c, _)| c.ties.others);
        let least = others.fold(f64::INFINITY, f64::min);
        out.iter_mut().for_each(|c| c.ties.others = (c.ties.others - least).max(0.0));
        out
    }

    fn completed(&self, found: Found) -> Completed {
        let mut ties = Ties::default();
        if let Some((target, value)) = self.chosen(&found.design, 0) {
            let weight = target.weight;
            ties.joins = self.self_joins(target.table, &value.place) / weight;
            let mut home = value.homed;
            for at in 1..self.variables.len() {
                let Some((other, theirs)) = self.chosen(&found.design, at) else { continue };
                ties.joins += self.join_cost(target, value, other, theirs) / weight;
                home += together((1.0, 0.0, &value.place), (0.0, theirs.homed, &theirs.place)) / APART;
            }
            ties.apart = match value.place {
                Place::Cut { .. } => APART * (self.context.best_home - home),
                Place::Here => APART * self.context.best_home,
                Place::Everywhere => 0.0,
            };
            ties.others = found.cost / weight - value.own - ties.joins - ties.apart;
        }
        Completed { ties, found }
    }

    /// The table and its value in a design.
    pub fn chosen(&self, design: &[usize], at: usize) -> Option<(&Variable<'a>, &Value)> {
        let variable = self.variables.get(at)?;
        Some((variable, variable.values.get(*design.get(at)?)?))
    }

    /// The tables that a design cuts as it cuts the target.
    pub fn beside(&self, design: &[usize]) -> Vec<&'a TableName> {
        let layout = |at: usize| match self.chosen(design, at) {
            Some((_, Value { place: Place::Cut { layout, .. }, .. })) => Some(*layout),
            _ => None,
        };
        let Some(own) = layout(0) else { return Vec::new() };
        let others = self.variables.iter().enumerate().skip(1);
        others.filter(|(at, _)| layout(*at) == Some(own)).map(|(_, v)| v.table).collect()
    }

    /// A completed option as the plan tells it.
    pub(super) fn describe(&self, completed: &Completed, input: &PlanInput<'_>) -> JointChoice {
        let found = &completed.found;
        let beside = self.beside(&found.design);
        let mut tables: Vec<TableChoice> = (1..self.variables.len())
            .filter_map(|at| self.chosen(&found.design, at))
            .map(|(variable, value)| TableChoice {
                table: variable.table.clone(),
                method: value.method,
                key: value.key.clone(),
                together: beside.contains(&variable.table),
                placed: input.placed.iter().any(|p| p.table == *variable.table),
            })
            .collect();
        tables.sort_by(|a, b| a.table.cmp(&b.table));
        JointChoice { tables, cost: round4(found.cost), lower_bound: round4(found.lower_bound), exact: found.exact() }
    }

    fn join_cost(&self, a: &Variable<'_>, x: &Value, b: &Variable<'_>, y: &Value) -> f64 {
        let (left, right) = if a.table <= b.table { ((a, x), (b, y)) } else { ((b, y), (a, x)) };
        let joins = self.joins.get(&(left.0.table, right.0.table));
        joins.map_or(0.0, |j| {
            j.cost(self.context, self.nodes, (left.0.table, &left.1.place), (right.0.table, &right.1.place))
        })
    }

    fn self_joins(&self, table: &TableName, place: &Place) -> f64 {
        self.joins
            .get(&(table, table))
            .map_or(0.0, |j| j.cost(self.context, self.nodes, (table, place), (table, place)))
    }

    fn weigh(&mut self) {
        let best_home = self.context.best_home;
        let own = |v: &Variable<'_>| -> Vec<f64> {
            let of = |value: &Value| {
                let apart = match value.place {
                    Place::Cut { .. } => APART * (best_home - value.homed),
                    Place::Here => APART * best_home,
                    Place::Everywhere => 0.0,
                };
                v.weight * (value.own + apart) + self.self_joins(v.table, &value.place)
            };
            v.values.iter().map(of).collect()
        };
        let mut costs = Costs { own: self.variables.iter().map(own).collect(), pairs: BTreeMap::new() };
        for (a, left) in self.variables.iter().enumerate() {
            for (b, right) in self.variables.iter().enumerate().skip(a + 1) {
                let mut table = Vec::with_capacity(left.values.len() * right.values.len());
                for x in &left.values {
                    for y in &right.values {
                        let gain = together((left.weight, x.homed, &x.place), (right.weight, y.homed, &y.place));
                        table.push(self.join_cost(left, x, right, y) - gain);
                    }
                }
                if table.iter().any(|c| *c != 0.0) {
                    costs.pairs.insert((a, b), table);
                }
            }
        }
        self.costs = costs;
    }

    /// Leaves out the tables that are tied to the target by no join and no layout, not even through others.
    fn keep_connected(&mut self) {
        let layouts: Vec<BTreeSet<usize>> = self
            .variables
            .iter()
            .map(|v| {
                let of = |value: &Value| match value.place {
                    Place::Cut { layout, .. } => Some(layout),
                    _ => None,
                };
                v.values.iter().filter_map(of).collect()
            })
            .collect();
        let index: BTreeMap<&TableName, usize> = self.variables.iter().enumerate().map(|(i, v)| (v.table, i)).collect();
        let mut by_layout: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, all) in layouts.iter().enumerate() {
            all.iter().for_each(|layout| by_layout.entry(*layout).or_default().push(at));
        }
        let mut near: Vec<Vec<usize>> = vec![Vec::new(); self.variables.len()];
        for (a, b) in self.joins.keys() {
            if let (Some(a), Some(b)) = (index.get(a), index.get(b)) {
                for (from, to) in [(a, b), (b, a)] {
                    if let Some(list) = near.get_mut(*from) {
                        list.push(*to);
                    }
                }
            }
        }
        let mut kept = BTreeSet::new();
        let mut waiting = vec![0];
        while let Some(at) = waiting.pop() {
            if !kept.insert(at) {
                continue;
            }
            waiting.extend(near.get(at).into_iter().flatten());
            for layout in layouts.get(at).into_iter().flatten() {
                waiting.extend(by_layout.remove(layout).unwrap_or_default());
            }
        }
        let variables = std::mem::take(&mut self.variables);
        self.variables = variables.into_iter().enumerate().filter(|(i, _)| kept.contains(i)).map(|(_, v)| v).collect();
    }

    /// One design for each layout, in which every table that can follows it.
    fn starts(&self) -> Vec<Vec<usize>> {
        let layout = |value: &Value| match value.place {
            Place::Cut { layout, .. } => Some(layout),
            _ => None,
        };
        let layouts: BTreeSet<usize> = self.variables.iter().flat_map(|v| &v.values).filter_map(layout).collect();
        let cheapest = |at: usize| {
            let own = self.costs.own.get(at).map(Vec::as_slice).unwrap_or_default();
            (0..own.len()).min_by(|a, b| own.get(*a).partial_cmp(&own.get(*b)).unwrap_or(a.cmp(b))).unwrap_or(0)
        };
        let free: Vec<usize> = (0..self.variables.len()).map(cheapest).collect();
        let follow = |wanted: usize| -> Vec<usize> {
            let of = |(at, v): (usize, &Variable<'_>)| {
                let follows = v.values.iter().position(|value| layout(value) == Some(wanted));
                follows.or_else(|| free.get(at).copied()).unwrap_or(0)
            };
            self.variables.iter().enumerate().map(of).collect()
        };
        let shared = |l: &usize| {
            self.variables.iter().filter(|v| v.values.iter().any(|value| layout(value) == Some(*l))).count() > 1
        };
        let gain = |wanted: usize| -> f64 {
            let values = self.variables.iter().flat_map(|v| &v.values);
            values.filter(|v| layout(v) == Some(wanted)).map(|v| v.homed).sum()
        };
        let mut shared: Vec<(usize, f64)> = layouts.into_iter().filter(shared).map(|l| (l, gain(l))).collect();
        shared.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shared.into_iter().take(STARTS).map(|(l, _)| follow(l)).collect()
    }
}
