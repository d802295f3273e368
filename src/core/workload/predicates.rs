//! Conditions to facts: which columns a condition fixes, limits or equates.
//!
//! Only what holds for every row that passes is a fact: both sides of AND, what all branches of OR have in common,
//! nothing of NOT. Subqueries inside a condition are walked on the way, each exactly once.

use super::levels::Walker;
use super::scope::{Node, Relation};
use super::tree::Part;
use crate::model::statement::{Expr, Query, SubqueryLink};
use std::collections::{BTreeMap, BTreeSet};

/// How a column is limited, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Restriction {
    Pinned,
    Listed,
    Ranged,
    /// From below only, as one asks for what is newest.
    Above,
    Matched,
}

impl Restriction {
    pub(super) const ALL: [Self; 5] = [Self::Pinned, Self::Listed, Self::Ranged, Self::Above, Self::Matched];

    /// What holds if one or the other does. Two values are a list; a limit on one side and anything else is some limit.
    fn either(self, other: Self) -> Self {
        match self.max(other).max(Self::Listed) {
            Self::Above if self != other => Self::Ranged,
            weaker => weaker,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) restricted: BTreeMap<Node, Restriction>,
    /// How many values a list has, where the text tells.
    pub(super) values: BTreeMap<Node, u32>,
    /// Smaller node first.
    pub(super) equal: BTreeSet<(Node, Node)>,
}

impl Facts {
    fn restrict(&mut self, node: Node, restriction: Restriction) {
        let known = self.restricted.entry(node).or_insert(restriction);
        *known = restriction.min(*known);
    }

    pub(super) fn equate(&mut self, a: Node, b: Node) {
        if a != b {
            self.equal.insert((a.min(b), a.max(b)));
        }
    }

    fn and(&mut self, other: Facts) {
        other.restricted.into_iter().for_each(|(node, restriction)| self.restrict(node, restriction));
        self.values.extend(other.values);
        self.equal.extend(other.equal);
    }

    /// What every branch says.
    fn either(mut self, other: &Facts) -> Self {
        let both = self.restricted.keys().filter(|node| other.restricted.contains_key(node));
        self.values = both.filter_map(|node| Some((*node, self.count(*node)? + other.count(*node)?))).collect();
        self.restricted = std::mem::take(&mut self.restricted)
            .into_iter()
            .filter_map(|(node, a)| other.restricted.get(&node).map(|b| (node, a.either(*b))))
            .collect();
        self.equal.retain(|pair| other.equal.contains(pair));
        self
    }

    fn list(&mut self, test: &Operand, items: Option<usize>) {
        let restriction = if items == Some(1) { Restriction::Pinned } else { Restriction::Listed };
        for node in test.columns() {
            self.restrict(node, restriction);
            self.values.extend(items.and_then(|n| u32::try_from(n).ok()).map(|n| (node, n)));
        }
    }

    /// Values that the column may have, where the text tells.
    fn count(&self, node: Node) -> Option<u32> {
        match self.restricted.get(&node)? {
            Restriction::Pinned => Some(1),
            _ => self.values.get(&node).copied(),
        }
    }

    fn compare(&mut self, op: &str, left: &Operand, right: &Operand) {
        match (op, left, right) {
            ("=", Operand::Row(left), Operand::Row(right)) => {
                left.iter().zip(right).for_each(|(l, r)| self.compare(op, l, r));
            }
            ("=", Operand::Column(a), Operand::Column(b)) => self.equate(*a, *b),
            ("=", Operand::Column(node), other) | ("=", other, Operand::Column(node)) if other.is_value() => {
                self.restrict(*node, Restriction::Pinned);
            }
            // (a, b) > ($1, $2) limits a; b only where a is equal.
            ("<" | "<=" | ">" | ">=", Operand::Row(left), Operand::Row(right)) => {
                if let (Some(l), Some(r)) = (left.first(), right.first()) {
                    self.compare(op, l, r);
                }
            }
            (">" | ">=", Operand::Column(node), other) | ("<" | "<=", other, Operand::Column(node))
                if other.is_value() =>
            {
                self.restrict(*node, Restriction::Above);
            }
            ("<" | "<=", Operand::Column(node), other) | (">" | ">=", other, Operand::Column(node))
                if other.is_value() =>
            {
                self.restrict(*node, Restriction::Ranged);
            }
            _ => {}
        }
    }
}

/// One side of a comparison.
#[derive(Debug)]
pub(super) enum Operand {
    Column(Node),
    /// One value at run time.
    Value,
    Row(Vec<Operand>),
    Opaque,
}

impl Operand {
    fn is_value(&self) -> bool {
        match self {
            Self::Value => true,
            Self::Row(items) => items.iter().all(Self::is_value),
            Self::Column(_) | Self::Opaque => false,
        }
    }

    pub(super) fn columns(&self) -> Vec<Node> {
        match self {
            Self::Column(node) => vec![*node],
            Self::Row(items) => items.iter().flat_map(Self::columns).collect(),
            Self::Value | Self::Opaque => Vec::new(),
        }
    }
}

impl<'a> Walker<'a, '_> {
    /// Adds the facts of a condition. `conjunct`: rows that fail it are gone, so that a subquery in it restricts them.
    pub(super) fn condition(&mut self, expr: &'a Expr, conjunct: bool, facts: &mut Facts) {
        match expr {
            Expr::And(items) => items.iter().for_each(|e| self.condition(e, conjunct, facts)),
            Expr::Or(items) => {
                let mut common: Option<Facts> = None;
                for item in items {
                    let mut branch = Facts::default();
                    self.condition(item, conjunct && items.len() == 1, &mut branch);
                    common = Some(match common {
                        None => branch,
                        Some(before) => before.either(&branch),
                    });
                }
                facts.and(common.unwrap_or_default());
            }
            Expr::Compare { op, left, right } => {
                let (left, right) = (self.operand(left), self.operand(right));
                facts.compare(op, &left, &right);
            }
            Expr::In { test, items, negated: false } => {
                let test = self.operand(test);
                facts.list(&test, *items);
            }
            Expr::Between { test, low, high, negated: false } => {
                let test = self.operand(test);
                let (low, high) = (self.operand(low), self.operand(high));
                facts.compare(">=", &test, &low);
                facts.compare("<=", &test, &high);
            }
            Expr::Like { test, pattern, prefix: true, negated: false } => {
                if let (Operand::Column(node), Operand::Value) = (self.operand(test), self.operand(pattern)) {
                    facts.restrict(node, Restriction::Matched);
                }
            }
            Expr::Subquery { link: SubqueryLink::Exists, query, .. } => {
                self.level(query, conjunct);
            }
            Expr::Subquery { link: SubqueryLink::EqualsAny, test: Some(test), query } if conjunct => {
                self.in_subquery(test, query, facts);
            }
            other => {
                self.operand(other);
            }
        }
    }

    /// `test IN (SELECT …)`: the subquery is one more relation, and its outputs equal the test.
    fn in_subquery(&mut self, test: &'a Expr, query: &'a Query, facts: &mut Facts) {
        let test = match self.operand(test) {
            Operand::Row(items) => items,
            one => vec![one],
        };
        let body = self.level(query, true);
        let outputs = body.outputs.len();
        let body = self.references.add_body(body);
        let reference = self.references.add(Relation::Derived(body), self.depth());
        for (column, operand) in test.iter().enumerate().take(outputs) {
            facts.compare("=", operand, &Operand::Column(Node { reference, column }));
        }
    }

    /// What an expression is to a comparison. Subqueries in it restrict nothing outside of themselves.
    pub(super) fn operand(&mut self, expr: &'a Expr) -> Operand {
        match expr {
            Expr::Column(path) => match self.resolve(path) {
                Some(node) => Operand::Column(node),
                None if self.is_variable(path) => Operand::Value,
                None => Operand::Opaque,
            },
            Expr::Value => Operand::Value,
            Expr::Star => Operand::Opaque,
            Expr::Row(items) => Operand::Row(items.iter().map(|e| self.operand(e)).collect()),
            Expr::Subquery { link, test, query } => {
                if let Some(test) = test {
                    self.operand(test);
                }
                let correlated = self.correlated(query);
                if !correlated && *link == SubqueryLink::Scalar { Operand::Value } else { Operand::Opaque }
            }
            other => {
                let mut values = true;
                Part::Expr(other).children(&mut |child| {
                    if let Part::Expr(e) = child {
                        values &= self.operand(e).is_value();
                    }
                });
                if values { Operand::Value } else { Operand::Opaque }
            }
        }
    }
}
