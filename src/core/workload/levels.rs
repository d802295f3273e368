//! A statement, walked query level by query level.
//!
//! A level opens its scope, reads FROM (`joins`), then WHERE (`predicates`), then what the statement does with the rows
//! (`outputs`), and hands its outputs to the level around it.

use super::joins::{Condition, item_of};
use super::outputs::{close_down, single_name};
use super::predicates::{Facts, Restriction};
use super::scope::{Body, Lookup, Node, References, Relation, Scope, Source, Tables};
use super::spread;
use super::views::Views;
use crate::model::schema::Table;
use crate::model::statement::{FromItem, Query, StatementKind, TableRef};
use crate::model::workload::{Limit, TableUse};
use std::collections::{BTreeMap, BTreeSet};

/// How one statement finds its rows: one entry for each time that it names a table of the schema.
pub(super) fn table_uses<'a>(tables: &mut Tables<'a>, query: &'a Query) -> Vec<TableUse> {
    let mut walker = Walker {
        tables,
        references: References::default(),
        seen: Seen::default(),
        scopes: Vec::new(),
        ctes: Vec::new(),
        reach: usize::MAX,
        views: Views::default(),
        variables: query.variables,
    };
    walker.level(query, false);
    spread::table_uses(&walker.references, &walker.seen)
}

/// Columns that every table has and no schema lists.
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// What the walk finds, by column.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) restricted: BTreeMap<Node, Restriction>,
    /// How many values a list has, where the text tells.
    pub(super) values: BTreeMap<Node, u32>,
    /// A pin of the first column is one of the second.
    pub(super) flows: BTreeSet<(Node, Node)>,
    /// Every equality of two columns.
    pub(super) equal: BTreeSet<(Node, Node)>,
    pub(super) grouped: BTreeSet<Node>,
    pub(super) ordered: BTreeSet<Node>,
    pub(super) updated: BTreeSet<Node>,
    /// By reference.
    pub(super) limited: BTreeMap<usize, Limit>,
}

#[derive(Debug)]
pub(super) struct Walker<'a, 't> {
    pub(super) tables: &'t mut Tables<'a>,
    pub(super) references: References<'a>,
    pub(super) seen: Seen,
    /// From the outermost level to the current one.
    pub(super) scopes: Vec<Scope<'a>>,
    /// The CTEs that can be named here, later ones in front of earlier ones, with their bodies.
    pub(super) ctes: Vec<(&'a str, usize)>,
    /// The outermost scope that a name was found in, since the last one who asked.
    pub(super) reach: usize,
    pub(super) views: Views,
    /// See [`Query::variables`].
    variables: bool,
}

impl<'a> Walker<'a, '_> {
    /// Place of the current scope.
    pub(super) fn depth(&self) -> usize {
        self.scopes.len().saturating_sub(1)
    }

    pub(super) fn resolve(&mut self, path: &[String]) -> Option<Node> {
        for (depth, scope) in self.scopes.iter().enumerate().rev() {
            match scope.find(&self.references, path) {
                Lookup::Found(node) => {
                    self.reach = self.reach.min(depth);
                    return Some(node);
                }
                Lookup::Unclear => return None,
                Lookup::Absent => {}
            }
        }
        None
    }

    /// The name is a variable of the function that the statement is in: nothing that the statement itself can name.
    pub(super) fn is_variable(&self, path: &[String]) -> bool {
        let absent = |scope: &Scope<'_>| matches!(scope.find(&self.references, path), Lookup::Absent);
        let whole_row = |scope: &Scope<'_>| {
            path.len() == 1 && scope.items.iter().any(|i| i.name == path.first().map(String::as_str))
        };
        let of_system = path.last().is_some_and(|c| SYSTEM_COLUMNS.contains(&c.as_str()));
        let here = self.variables && !self.views.inside();
        here && !of_system && self.scopes.iter().all(|s| absent(s) && !whole_row(s))
    }

    /// Walks a subquery and says whether it names columns of the levels around it.
    pub(super) fn correlated(&mut self, query: &'a Query) -> bool {
        let before = std::mem::replace(&mut self.reach, usize::MAX);
        self.level(query, false);
        let correlated = self.reach < self.scopes.len();
        self.reach = before.min(self.reach);
        correlated
    }

    /// Walks one level and all below it.
    pub(super) fn level(&mut self, query: &'a Query, restricts: bool) -> Body<'a> {
        // COPY … TO is a backup or an export: it reads every row once, and says nothing of how an application finds rows.
        let export = query.kind == StatementKind::Copy && query.target.is_none();
        if !query.kind.has_rows() || export {
            return Body { open: true, ..Body::default() };
        }
        let ctes = self.ctes.len();
        for (name, cte) in &query.ctes {
            let body = self.level(cte, false);
            let body = self.references.add_body(body);
            self.ctes.push((name, body));
        }
        let body = if query.set_operands.is_empty() { self.plain(query, restricts) } else { self.set_operation(query) };
        self.ctes.truncate(ctes);
        body
    }

    /// Each side by itself; an output stands for the columns at its place in all sides.
    fn set_operation(&mut self, query: &'a Query) -> Body<'a> {
        let mut sides = query.set_operands.iter().map(|side| self.level(side, false)).collect::<Vec<_>>().into_iter();
        let mut body = sides.next().unwrap_or_default();
        for side in sides {
            for (output, other) in body.outputs.iter_mut().zip(side.outputs) {
                output.sources.extend(other.sources);
            }
        }
        if query.limited {
            close_down(&mut body);
        }
        // ORDER BY of the whole names outputs.
        for name in query.order_by.iter().filter_map(single_name) {
            let found = body.outputs.iter().filter(|o| o.name == Some(name)).flat_map(|o| &o.sources);
            self.seen.ordered.extend(found.filter_map(|s| match s {
                Source::Column { node, .. } => Some(*node),
                Source::Value | Source::Unknown => None,
            }));
        }
        body
    }

    fn plain(&mut self, query: &'a Query, restricts: bool) -> Body<'a> {
        self.scopes.push(Scope { restricts, ..Scope::default() });
        let target = query.target.as_ref().and_then(|t| self.target(t, query.kind));
        let mut conditions = Vec::new();
        for item in &query.from {
            match item {
                // The SELECT of an INSERT is not in the scope of its ON CONFLICT and RETURNING.
                FromItem::Subquery { query: select, .. } if query.kind == StatementKind::Insert => {
                    self.level(select, false);
                }
                _ => self.read_from(item, &mut conditions),
            }
        }
        // INSERT finds no rows: its WHERE is that of ON CONFLICT DO UPDATE. MERGE also acts on source rows without a
        // match: its condition is that of source LEFT JOIN target.
        let nullable: Option<BTreeSet<usize>> = match query.kind {
            StatementKind::Insert => Some(BTreeSet::new()),
            StatementKind::Merge => Some(target.iter().map(|(reference, _)| *reference).collect()),
            _ => None,
        };
        let mut facts = Facts::default();
        for condition in query.filter.iter().chain(&query.having) {
            self.condition(condition, nullable.is_none(), &mut facts);
        }
        conditions.push(Condition { facts, nullable });
        self.commit(conditions);

        if let Some((reference, table)) = target {
            self.assigned(query, reference, table);
        } else {
            query.assigned.iter().for_each(|(_, value)| drop(self.operand(value)));
        }
        let grouped = self.grouped(query);
        let ordered = self.ordered(query);
        if query.limited {
            self.limit(query, ordered.len() == query.order_by.len());
        }
        self.seen.ordered.extend(ordered);
        let body = self.outputs(query, &grouped);
        self.seen.grouped.extend(grouped);
        self.scopes.pop();
        body
    }

    /// Adds the table that the statement writes to its scope.
    fn target(&mut self, named: &'a TableRef, kind: StatementKind) -> Option<(usize, &'a Table)> {
        let table = self.tables.find(named);
        let relation = table.map(Relation::Table).or_else(|| self.view(named));
        let reference = relation.map(|r| self.references.add(r, self.depth()));
        self.add_item(item_of(named, table, reference));
        let reference = reference?;
        let (stored, table) = self.references.behind(reference)?;
        if let Some(known) = self.references.all.get_mut(stored) {
            known.written = true;
            known.inserted = matches!(kind, StatementKind::Insert | StatementKind::Copy);
        }
        Some((reference, table))
    }
}
