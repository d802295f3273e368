//! From what a statement says to what each reference to a table knows.
//!
//! A pin spreads along the equalities of the statement, in the directions in which they hold; every restriction passes
//! between an output of a subquery and the column that it shows. Then each reference gathers its own.

use super::levels::Seen;
use super::predicates::Restriction;
use super::scope::{Node, References, Source};
use crate::model::workload::{JoinEdge, TableUse};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn table_uses(references: &References<'_>, seen: &Seen) -> Vec<TableUse> {
    let mut uses: Vec<Option<TableUse>> =
        (0..references.all.len()).map(|reference| empty_use(references, seen, reference)).collect();
    let mut tell = |node: Node, list: fn(&mut TableUse) -> &mut Vec<String>| {
        if let (Some(Some(table_use)), Some(name)) = (uses.get_mut(node.reference), column_name(references, node)) {
            list(table_use).push(name.to_owned());
        }
    };
    for (node, restriction) in spread(references, seen) {
        match restriction {
            Restriction::Pinned => tell(node, |u| &mut u.pinned),
            Restriction::Listed => tell(node, |u| &mut u.listed),
            Restriction::Ranged => tell(node, |u| &mut u.ranged),
            Restriction::Above => {
                tell(node, |u| &mut u.ranged);
                tell(node, |u| &mut u.above);
            }
            Restriction::Matched => tell(node, |u| &mut u.matched),
        }
    }
    seen.grouped.iter().flat_map(|n| stored(references, *n)).for_each(|n| tell(n, |u| &mut u.grouped));
    seen.ordered.iter().flat_map(|n| stored(references, *n)).for_each(|n| tell(n, |u| &mut u.ordered));
    seen.updated.iter().flat_map(|n| stored(references, *n)).for_each(|n| tell(n, |u| &mut u.updated));
    for (a, b) in joins(references, seen) {
        let (Some(Some(table_use)), Some(column), Some(other), Some(other_column)) = (
            uses.get_mut(a.reference),
            column_name(references, a),
            references.table(b.reference),
            column_name(references, b),
        ) else {
            continue;
        };
        table_use.joined.push(JoinEdge {
            column: column.to_owned(),
            other: other.name.clone(),
            other_column: other_column.to_owned(),
        });
    }
    uses.into_iter().flatten().map(sorted).collect()
}

/// What is known of the reference as a whole.
fn empty_use(references: &References<'_>, seen: &Seen, reference: usize) -> Option<TableUse> {
    let known = references.all.get(reference)?;
    let lists = seen.values.range(Node { reference, column: 0 }..Node { reference: reference + 1, column: 0 });
    Some(TableUse {
        written: known.written,
        inserted: known.inserted,
        rewritten: known.rewritten,
        list_values: lists.map(|(_, values)| *values).max(),
        limited: seen.limited.get(&reference).copied(),
        ..TableUse::of(references.table(reference)?.name.clone())
    })
}

fn sorted(mut table_use: TableUse) -> TableUse {
    for list in [
        &mut table_use.pinned,
        &mut table_use.listed,
        &mut table_use.ranged,
        &mut table_use.above,
        &mut table_use.matched,
        &mut table_use.grouped,
        &mut table_use.ordered,
        &mut table_use.updated,
    ] {
        list.sort();
        list.dedup();
    }
    table_use.joined.sort();
    table_use.joined.dedup();
    table_use
}

fn column_name<'a>(references: &References<'a>, node: Node) -> Option<&'a str> {
    references.table(node.reference)?.columns.get(node.column).map(|c| c.name.as_str())
}

/// The strongest restriction of each column, after it has spread.
fn spread(references: &References<'_>, seen: &Seen) -> BTreeMap<Node, Restriction> {
    let (shown, values) = shown(references);
    let mut known: BTreeMap<Node, Restriction> = BTreeMap::new();
    for restriction in Restriction::ALL {
        let direct = seen.restricted.iter().filter(|(_, r)| **r == restriction).map(|(n, _)| *n);
        let mut waiting: Vec<Node> = direct.collect();
        if restriction == Restriction::Pinned {
            waiting.extend(&values);
        }
        while let Some(node) = waiting.pop() {
            if known.contains_key(&node) {
                continue;
            }
            known.insert(node, restriction);
            waiting.extend(after(&shown, node));
            if restriction == Restriction::Pinned {
                waiting.extend(after(&seen.flows, node));
            }
        }
    }
    known
}

fn after(edges: &BTreeSet<(Node, Node)>, node: Node) -> impl Iterator<Item = Node> {
    let first = (node, Node { reference: 0, column: 0 });
    edges.range(first..).take_while(move |(from, _)| *from == node).map(|(_, to)| *to)
}

/// Which restrictions pass between outputs and the columns they show, and the outputs that are one value by themselves.
fn shown(references: &References<'_>) -> (BTreeSet<(Node, Node)>, Vec<Node>) {
    let mut edges = BTreeSet::new();
    let mut values = Vec::new();
    for reference in 0..references.all.len() {
        let Some(body) = references.body(reference) else { continue };
        for (column, output) in body.outputs.iter().enumerate() {
            let outer = Node { reference, column };
            let alone = output.sources.len() == 1;
            for source in &output.sources {
                match source {
                    Source::Column { node, open_down } => {
                        if alone {
                            edges.insert((*node, outer));
                        }
                        if *open_down && body.uses == 1 {
                            edges.insert((outer, *node));
                        }
                    }
                    Source::Value if alone => values.push(outer),
                    Source::Value | Source::Unknown => {}
                }
            }
        }
    }
    (edges, values)
}

/// The columns of tables that a column shows: itself, or what is behind a subquery's output.
fn stored(references: &References<'_>, node: Node) -> BTreeSet<Node> {
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        if !seen.insert(node) {
            continue;
        }
        match references.body(node.reference) {
            None => {
                found.insert(node);
            }
            Some(body) => {
                let sources = body.outputs.get(node.column).map(|o| o.sources.as_slice()).unwrap_or_default();
                waiting.extend(sources.iter().filter_map(|s| match s {
                    Source::Column { node, .. } => Some(*node),
                    Source::Value | Source::Unknown => None,
                }));
            }
        }
    }
    found
}

/// Equalities between columns of two references to tables, in both directions.
fn joins(references: &References<'_>, seen: &Seen) -> BTreeSet<(Node, Node)> {
    let mut found = BTreeSet::new();
    for (a, b) in &seen.equal {
        let right = stored(references, *b);
        for a in stored(references, *a) {
            for b in right.iter().filter(|b| b.reference != a.reference) {
                found.insert((a, *b));
                found.insert((*b, a));
            }
        }
    }
    found
}
