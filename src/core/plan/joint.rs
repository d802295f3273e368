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

/// Tables up to which every option of the target is searched to the end, not only those that might be the best.
const SMALL: usize = 40;
/// Designs to begin the search with. The best is nearly always among those that follow the largest homes.
const STARTS: usize = 8;

/// Tables that are chosen together. Those of one family are weighed pair by pair, so that the time grows with the square of
/// their number; `cargo run --release -p foreshard-core --example planner` shows it. What little load the others of a larger
/// schema have is left out.
pub(super) const MOST_TABLES: usize = 200;

/// One choice of one table.
#[derive(Debug, Clone)]
pub struct Value {
    pub method: Method,
    pub key: KeyColumns,
    pub place: Place,
    /// Shards; 1 for a table that is not cut.
    pub count: u32,
    /// In single-shard statements per statement of the table, ties apart.
    pub own: f64,
    /// See [`Context::homed`].
    pub homed: f64,
}

impl Value {
    fn layout(&self) -> Option<usize> {
        match self.place {
            Place::Cut { layout, .. } => Some(layout),
            Place::Everywhere | Place::Here => None,
        }
    }
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
    /// What it costs a statement to be apart from its transaction: nothing, where everything is on one node.
    apart: f64,
    pub variables: Vec<Variable<'a>>,
    /// Tables that the target's choice does not matter to, each as it stands or as suits it alone.
    pub(super) beyond: Vec<Variable<'a>>,
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
    /// `variables` begins with the target; those that it cannot matter to are not searched: all others, where everything
    /// stays on one node.
    pub fn new(context: &'a Context<'a>, nodes: usize, spreads: bool, variables: Vec<Variable<'a>>) -> Self {
        let joins = if spreads { Joins::all(context) } else { BTreeMap::new() };
        let apart = if spreads { APART } else { 0.0 };
        let mut joint = Self { context, nodes, apart, variables, beyond: Vec::new(), costs: Costs::default(), joins };
        joint.keep_connected();
        joint.weigh();
        joint
    }

    /// For every value of the target the cheapest design that contains it.
    pub fn complete(&self, allowed: &[bool]) -> Vec<Completed> {
        let whole = self.starts();
        let starts: Vec<Vec<usize>> = whole.iter().map(|s| s.iter().skip(1).copied().collect()).collect();
        let minimize = |value: usize| {
            let (rest, constant) = self.costs.given_first(value);
            let mut found = rest.minimize_unless(self.context.interrupts, &starts, BUDGET);
            found.design.insert(0, value);
            Found { cost: found.cost + constant, lower_bound: found.lower_bound + constant, ..found }
        };
        let all = self.variables.len() <= SMALL;
        let target = self.variables.first().map_or(0, |v| v.values.len());
        let mut found: Vec<Found> =
            if all { (0..target).map(minimize).collect() } else { self.costs.outline(self.context.interrupts, &whole) };
        // In a large schema only what might be the best is searched to the end, and where the end is not reached for the most
        // promising it would prove nothing for the others; nor is it fair that one is searched better than the next.
        let mut order: Vec<usize> = (0..target).filter(|at| allowed.get(*at) == Some(&true)).collect();
        let bound = |found: &[Found], at: usize| found.get(at).map_or(0.0, |f| f.lower_bound);
        order.sort_by(|a, b| bound(&found, *a).total_cmp(&bound(&found, *b)).then(a.cmp(b)));
        for at in order.into_iter().filter(|_| !all) {
            let best = found.iter().zip(allowed).filter(|f| *f.1).map(|f| f.0.cost).fold(f64::INFINITY, f64::min);
            if let Some(open) = found.get_mut(at).filter(|f| !f.exact() && f.lower_bound < best) {
                let searched = minimize(at);
                if !searched.exact() {
                    break;
                }
                *open = searched;
            }
        }
        // The best option is proven to be that only as far as no other one could be better.
        let permitted = |at: &usize| allowed.get(*at) == Some(&true);
        let best = (0..target).filter(permitted).min_by(|a, b| {
            let cost = |at: usize| found.get(at).map_or(f64::INFINITY, |f| f.cost);
            cost(*a).total_cmp(&cost(*b))
        });
        let bound = (0..target).filter(permitted).map(|at| bound(&found, at)).fold(f64::INFINITY, f64::min);
        if let Some(best) = best.and_then(|at| found.get_mut(at)) {
            best.lower_bound = best.lower_bound.min(bound);
        }
        let mut out: Vec<Completed> = found.into_iter().map(|f| self.completed(f)).collect();
        let any = allowed.iter().any(|a| *a);
        let others = out.iter().zip(allowed).filter(|(_, allowed)| **allowed || !any).map(|(c, _)| c.ties.others);
        let least = others.fold(f64::INFINITY, f64::min);
        out.iter_mut().for_each(|c| c.ties.others = (c.ties.others - least).max(0.0));
        out
    }

    /// The share of the log that can have one home. In a large schema only of the tables that were looked at: those left
    /// out would follow any choice alike.
    fn best_home(&self) -> f64 {
        if self.context.schema.tables.len() <= MOST_TABLES {
            return self.context.best_home;
        }
        let Some(target) = self.variables.first() else { return self.context.best_home };
        let beside = |value: &Value, other: &Variable<'_>| {
            let shared =
                |theirs: &Value| together((1.0, 0.0, &value.place), (0.0, theirs.homed, &theirs.place)) / APART;
            other.values.iter().map(shared).fold(0.0, f64::max)
        };
        let home = |value: &Value| value.homed + self.variables.iter().skip(1).map(|o| beside(value, o)).sum::<f64>();
        target.values.iter().map(home).fold(0.0, f64::max).min(self.context.best_home)
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
                Place::Cut { .. } => self.apart * (self.best_home() - home),
                Place::Here => self.apart * self.best_home(),
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
        let layout = |at: usize| self.chosen(design, at).and_then(|(_, value)| value.layout());
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
                bytes: self.context.bytes(variable.table).map(|b| b.round() as u64),
            })
            .collect();
        tables.sort_by(|a, b| a.table.cmp(&b.table));
        let (cost, lower_bound) = (round4(found.cost), round4(found.lower_bound));
        let left_out = input.schema.tables.len().saturating_sub(MOST_TABLES);
        JointChoice { tables, cost, lower_bound, exact: found.exact(), left_out }
    }

    fn join_cost(&self, a: &Variable<'a>, x: &Value, b: &Variable<'a>, y: &Value) -> f64 {
        self.joins_of(a.table, b.table).map_or(0.0, |j| self.apart(j, a.table, x, b.table, y))
    }

    fn joins_of(&self, a: &'a TableName, b: &'a TableName) -> Option<&Joins> {
        self.joins.get(&(a.min(b), a.max(b)))
    }

    fn apart(&self, joins: &Joins, a: &TableName, x: &Value, b: &TableName, y: &Value) -> f64 {
        let (left, right) = if a <= b { ((a, &x.place), (b, &y.place)) } else { ((b, &y.place), (a, &x.place)) };
        joins.cost(self.context, self.nodes, left, right)
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
                    Place::Cut { .. } => self.apart * (best_home - value.homed),
                    Place::Here => self.apart * best_home,
                    Place::Everywhere => 0.0,
                };
                v.weight * (value.own + apart) + self.self_joins(v.table, &value.place)
            };
            v.values.iter().map(of).collect()
        };
        let layouts = self.layouts();
        let mut costs = Costs { own: self.variables.iter().map(own).collect(), pairs: BTreeMap::new() };
        for (a, left) in self.variables.iter().enumerate() {
            self.context.interrupts.check();
            for (b, right) in self.variables.iter().enumerate().skip(a + 1) {
                let joins = self.joins_of(left.table, right.table);
                let shared = layouts.get(a).zip(layouts.get(b)).is_some_and(|(x, y)| !x.is_disjoint(y));
                if joins.is_none() && !shared {
                    continue;
                }
                let mut table = Vec::with_capacity(left.values.len() * right.values.len());
                for x in &left.values {
                    for y in &right.values {
                        let gain = together((left.weight, x.homed, &x.place), (right.weight, y.homed, &y.place));
                        table.push(joins.map_or(0.0, |j| self.apart(j, left.table, x, right.table, y)) - gain);
                    }
                }
                if table.iter().any(|c| *c != 0.0) {
                    costs.pairs.insert((a, b), table);
                }
            }
        }
        self.costs = costs;
    }

    /// The layouts that each table may have.
    fn layouts(&self) -> Vec<BTreeSet<usize>> {
        let of = |v: &Variable<'_>| v.values.iter().filter_map(Value::layout).collect();
        self.variables.iter().map(of).collect()
    }

    /// Sets the tables apart that are tied to the target by no join and no layout, not even through others.
    fn keep_connected(&mut self) {
        let layouts = self.layouts();
        let index: BTreeMap<&TableName, usize> = self.variables.iter().enumerate().map(|(i, v)| (v.table, i)).collect();
        let mut by_layout: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, all) in layouts.iter().enumerate() {
            all.iter().for_each(|layout| by_layout.entry(*layout).or_default().push(at));
        }
        if self.apart == 0.0 {
            by_layout.clear();
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
        for (at, mut variable) in std::mem::take(&mut self.variables).into_iter().enumerate() {
            if kept.contains(&at) {
                self.variables.push(variable);
            } else {
                let best = variable.values.drain(..).min_by(|a, b| a.own.total_cmp(&b.own));
                self.beyond.push(Variable { values: best.into_iter().collect(), ..variable });
            }
        }
    }

    /// One design for each layout, in which every table that can follows it.
    fn starts(&self) -> Vec<Vec<usize>> {
        let layout = Value::layout;
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
