//! What a level does with the rows it has found: SET, GROUP BY, ORDER BY, and the outputs for the level around it.

use super::families::is_time;
use super::levels::Walker;
use super::predicates::Operand;
use super::scope::{Body, MAX_OUTPUTS, Node, Output, Source, is_open};
use crate::model::schema::Table;
use crate::model::statement::{Expr, Query, StatementKind};
use crate::model::workload::Limit;
use std::collections::BTreeSet;

impl<'a> Walker<'a, '_> {
    /// SET: the columns whose values may change.
    pub(super) fn assigned(&mut self, query: &'a Query, reference: usize, table: &Table) {
        for (name, value) in &query.assigned {
            let value_of = self.operand(value);
            let Some(node) = self.references.column(reference, name) else { continue };
            let same = matches!(value_of, Operand::Column(from) if from == node);
            let repeated = query.kind == StatementKind::Insert && repeats_conflict(table, name, value);
            if !same && !repeated {
                self.seen.updated.insert(node);
            }
        }
        let stored = self.references.behind(reference).map(|(stored, _)| stored);
        if let Some(known) = stored.and_then(|stored| self.references.all.get_mut(stored)) {
            known.rewritten = rewrites(query, table);
        }
    }

    /// GROUP BY: a bare name is first a column's of this level, then an output's.
    pub(super) fn grouped(&mut self, query: &'a Query) -> BTreeSet<Node> {
        let mut found = BTreeSet::new();
        for expr in &query.group_by {
            let columns = self.operand(expr).columns();
            let own = columns.iter().all(|node| self.references.depth(*node) == self.depth());
            match named_output(query, expr) {
                Some(output) if columns.is_empty() || !own => found.extend(self.output_column(output)),
                _ => found.extend(columns),
            }
        }
        found
    }

    /// ORDER BY: a bare name is first an output's, then a column's.
    pub(super) fn ordered(&mut self, query: &'a Query) -> BTreeSet<Node> {
        let mut found = BTreeSet::new();
        for expr in &query.order_by {
            match named_output(query, expr) {
                Some(output) => found.extend(self.output_column(output)),
                None => found.extend(self.operand(expr).columns()),
            }
        }
        found
    }

    /// What the level's LIMIT ends. An expression may have an aggregate in it, which needs all rows, as does an order by
    /// anything but columns.
    pub(super) fn limit(&mut self, query: &Query, by_columns: bool) {
        let needs_all = query.distinct || !query.group_by.is_empty() || query.having.is_some();
        let passes = by_columns && !needs_all && query.outputs.iter().all(|(_, e)| plain(e)) && self.items().len() == 1;
        let limit = match (passes, self.depth()) {
            (false, _) => Limit::Nothing,
            (true, 0) => Limit::Statement,
            (true, _) => Limit::Subquery,
        };
        let read: Vec<usize> = self.items().iter().filter_map(|i| i.reference).collect();
        self.seen.limited.extend(read.into_iter().map(|reference| (reference, limit)));
    }

    /// The column that an output shows. Anything else is not looked into: it is walked with the outputs.
    fn output_column(&mut self, output: &Expr) -> Option<Node> {
        match output {
            Expr::Column(path) => self.resolve(path),
            _ => None,
        }
    }

    /// The outputs as the level around sees them.
    pub(super) fn outputs(&mut self, query: &'a Query, grouped: &BTreeSet<Node>) -> Body<'a> {
        let depth = self.depth();
        let mut body = Body::default();
        for (alias, expr) in &query.outputs {
            if matches!(expr, Expr::Star) {
                body.open |= self.items().iter().any(|item| is_open(&self.references, item));
                let all: Vec<_> =
                    self.items().iter().filter_map(|i| i.reference).flat_map(|r| self.references.columns(r)).collect();
                if query.distinct && self.items().len() == 1 {
                    self.seen.grouped.extend(all.iter().map(|(_, node)| *node));
                }
                body.outputs.extend(
                    all.into_iter()
                        .map(|(name, node)| Output { name, sources: vec![Source::Column { node, open_down: true }] }),
                );
            } else {
                let source = match self.operand(expr) {
                    Operand::Column(node) => {
                        if query.distinct {
                            self.seen.grouped.insert(node);
                        }
                        if self.references.depth(node) == depth {
                            Source::Column { node, open_down: true }
                        } else {
                            Source::Unknown
                        }
                    }
                    Operand::Value => Source::Value,
                    Operand::Row(_) | Operand::Opaque => Source::Unknown,
                };
                let name = alias.as_deref().or(output_name(expr));
                body.open |= name.is_none();
                body.outputs.push(Output { name, sources: vec![source] });
            }
            // Stars of stars double with each level.
            body.outputs.truncate(MAX_OUTPUTS);
        }
        // A condition from outside picks among the rows that LIMIT or DML has let through; it does not choose them.
        if query.limited || query.kind != StatementKind::Select {
            close_down(&mut body);
        } else if !query.group_by.is_empty() {
            for source in body.outputs.iter_mut().flat_map(|o| &mut o.sources) {
                if let Source::Column { node, open_down } = source {
                    *open_down &= grouped.contains(node);
                }
            }
        }
        body
    }
}

pub(super) fn close_down(body: &mut Body<'_>) {
    for source in body.outputs.iter_mut().flat_map(|o| &mut o.sources) {
        if let Source::Column { open_down, .. } = source {
            *open_down = false;
        }
    }
}

fn plain(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(_) | Expr::Star | Expr::Value)
}

fn named_output<'a>(query: &'a Query, expr: &Expr) -> Option<&'a Expr> {
    let name = single_name(expr)?;
    query.outputs.iter().find(|(alias, _)| alias.as_deref() == Some(name)).map(|(_, output)| output)
}

pub(super) fn single_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(path) => match path.as_slice() {
            [name] => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// The name that the server gives an output without an alias, where the tree tells.
fn output_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(path) => path.last().map(String::as_str),
        Expr::Call { name, .. } => Some(name),
        _ => None,
    }
}

/// Every column outside of the primary key is set, three of them at least, times apart (a mapper leaves out when a row was
/// made): the row is saved as a whole, whatever of it has changed.
fn rewrites(query: &Query, table: &Table) -> bool {
    let in_key = |name: &str| table.primary_key().is_some_and(|k| k.columns.iter().any(|c| c == name));
    let is_set = |name: &str| query.assigned.iter().any(|(set, _)| set == name);
    let mut told = table.columns.iter().filter(|c| !c.generated && !in_key(&c.name) && !is_time(&c.type_name));
    told.clone().count() >= 3 && told.all(|c| is_set(&c.name))
}

/// `SET a = excluded.a` in an upsert where the row in the way has the same `a`. The tree does not say which key was in
/// conflict: it is taken to be the primary key, since an upsert that names it in SET does so because it names every
/// column; without one, `a` must be in all unique keys.
fn repeats_conflict(table: &Table, column: &str, value: &Expr) -> bool {
    let Expr::Column(path) = value else { return false };
    let excluded = matches!(path.as_slice(), [relation, from] if relation == "excluded" && from == column);
    excluded
        && match table.primary_key() {
            Some(key) => key.columns.iter().any(|c| c == column),
            None => {
                !table.unique_keys.is_empty() && table.unique_keys.iter().all(|k| k.columns.iter().any(|c| c == column))
            }
        }
}
