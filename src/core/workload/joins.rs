//! FROM and the conditions of its joins.
//!
//! What conditions say is committed once the level is known, for a condition in WHERE decides whether a LEFT JOIN of the
//! same level is still an outer one.
//!
//! The right side of an outer join is taken for the nullable one: whoever builds the tree writes `a RIGHT JOIN b` as
//! `b LEFT JOIN a`.

use super::levels::Walker;
use super::predicates::Facts;
use super::scope::{Item, Node, Relation};
use crate::model::schema::Table;
use crate::model::statement::{FromItem, TableRef};
use std::collections::{BTreeMap, BTreeSet};

/// The condition of a join, kept until the level is complete.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) facts: Facts,
    /// The references of the nullable side of an outer join.
    pub(super) nullable: Option<BTreeSet<usize>>,
}

impl<'a> Walker<'a, '_> {
    pub(super) fn add_item(&mut self, item: Item<'a>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.items.push(item);
        }
    }

    pub(super) fn items(&self) -> &[Item<'a>] {
        self.scopes.last().map(|s| s.items.as_slice()).unwrap_or_default()
    }

    pub(super) fn read_from(&mut self, item: &'a FromItem, conditions: &mut Vec<Condition>) {
        match item {
            FromItem::Table(named) => {
                let cte = if named.schema.is_some() { None } else { self.cte(&named.name) };
                let table = if cte.is_some() { None } else { self.tables.find(named) };
                let stored = cte.map(Relation::Derived).or(table.map(Relation::Table));
                let relation = stored.or_else(|| self.view(named));
                let reference = relation.map(|r| self.references.add(r, self.depth()));
                self.add_item(item_of(named, table, reference));
            }
            FromItem::Subquery { alias, query } => {
                let body = self.level(query, false);
                let body = self.references.add_body(body);
                let reference = self.references.add(Relation::Derived(body), self.depth());
                self.add_item(Item { name: alias.as_deref(), schema: None, reference: Some(reference) });
            }
            FromItem::Other { alias } => {
                self.add_item(Item { name: alias.as_deref(), schema: None, reference: None });
            }
            FromItem::Join { left, right, outer, on, using, natural } => {
                let start = self.items().len();
                self.read_from(left, conditions);
                let middle = self.items().len();
                self.read_from(right, conditions);
                let mut facts = Facts::default();
                self.merge_columns(start, middle, using, *natural, &mut facts);
                if let Some(on) = on {
                    self.condition(on, !outer, &mut facts);
                }
                let nullable = outer.then(|| {
                    self.items().get(middle..).unwrap_or_default().iter().filter_map(|i| i.reference).collect()
                });
                conditions.push(Condition { facts, nullable });
            }
        }
    }

    fn cte(&self, name: &str) -> Option<usize> {
        self.ctes.iter().rev().find(|(n, _)| *n == name).map(|(_, body)| *body)
    }

    /// USING and NATURAL: columns of one name on both sides are equal.
    fn merge_columns(&mut self, start: usize, middle: usize, using: &'a [String], natural: bool, facts: &mut Facts) {
        if using.is_empty() && !natural {
            return;
        }
        let items = self.items();
        let columns = |side: &[Item<'a>]| {
            let mut found = BTreeMap::new();
            for reference in side.iter().filter_map(|i| i.reference) {
                for (name, node) in self.references.columns(reference) {
                    if let Some(name) = name {
                        found.entry(name).or_insert(node);
                    }
                }
            }
            found
        };
        let left = columns(items.get(start..middle).unwrap_or_default());
        let right = columns(items.get(middle..).unwrap_or_default());
        let names: Vec<&'a str> = if natural {
            left.keys().filter(|name| right.contains_key(*name)).copied().collect()
        } else {
            using.iter().map(String::as_str).collect()
        };
        for name in names {
            if let (Some(a), Some(b)) = (left.get(name), right.get(name)) {
                facts.equate(*a, *b);
            }
            if let Some(scope) = self.scopes.last_mut() {
                scope.merged.insert(name);
            }
        }
    }

    /// Keeps what the conditions of a level say. The outermost condition comes last and is looked at first: a condition
    /// outside of an outer join that its missing rows cannot pass makes it an inner one.
    pub(super) fn commit(&mut self, conditions: Vec<Condition>) {
        let mut strict = BTreeSet::new();
        for Condition { facts, nullable } in conditions.into_iter().rev() {
            let nullable = nullable.filter(|side| side.is_disjoint(&strict));
            // Rows of `node` that fail the condition are gone.
            let binds = |walker: &Self, node: Node| {
                nullable.as_ref().is_none_or(|side| side.contains(&node.reference)) && walker.restricts_down_to(node)
            };
            if nullable.is_none() {
                strict.extend(facts.restricted.keys().map(|node| node.reference));
                strict.extend(facts.equal.iter().flat_map(|(a, b)| [a.reference, b.reference]));
            }
            for (node, restriction) in &facts.restricted {
                if binds(self, *node) {
                    let known = self.seen.restricted.entry(*node).or_insert(*restriction);
                    *known = (*known).min(*restriction);
                    self.seen.values.extend(facts.values.get(node).map(|count| (*node, *count)));
                }
            }
            for (a, b) in facts.equal {
                for (from, to) in [(a, b), (b, a)] {
                    if binds(self, to) {
                        self.seen.flows.insert((from, to));
                    }
                }
                self.seen.equal.insert((a, b));
            }
        }
    }

    /// A condition of the current level restricts rows of `node`: it is of this level, or of one around it whose rows
    /// all levels in between restrict.
    fn restricts_down_to(&self, node: Node) -> bool {
        self.scopes.iter().skip(self.references.depth(node) + 1).all(|s| s.restricts)
    }
}

pub(super) fn item_of<'a>(named: &'a TableRef, table: Option<&'a Table>, reference: Option<usize>) -> Item<'a> {
    match &named.alias {
        Some(alias) => Item { name: Some(alias), schema: None, reference },
        None => {
            let schema = table.map(|t| t.name.schema.as_str()).or(named.schema.as_deref());
            Item { name: Some(&named.name), schema, reference }
        }
    }
}
