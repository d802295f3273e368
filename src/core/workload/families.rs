//! Families: columns that mean the same thing in several tables, so that rows with one value of them belong together.
//!
//! Foreign keys say so by themselves. An equality join says so if it is more than an accident: both columns are of
//! one kind of type that names things (a date equals a date without meaning the same), it carries a share of the calls
//! ([`MIN_JOIN_SHARE`]), and it does not put two columns of one table into one family, which is how two families would
//! be glued by an odd statement. Joins are taken most calls first.

use crate::model::schema::{Schema, TableName};
use crate::model::workload::{Family, StatementUse};
use std::collections::{BTreeMap, BTreeSet};

/// Share of the calls of all joining statements that an equality carries at least. One in a thousand, by estimate: a
/// schema of a hundred tables has some hundreds of join pairs, so that those in regular use are above it, and what was
/// typed by hand once is not.
pub const MIN_JOIN_SHARE: f64 = 0.001;

/// A column by its table's name and its own.
type Member<'a> = (&'a TableName, &'a str);

pub(super) fn find(schema: &Schema, statements: &[StatementUse]) -> Vec<Family> {
    let mut groups = Groups::default();
    for table in &schema.tables {
        for key in &table.foreign_keys {
            let Some(referenced) = schema.get(&key.references) else { continue };
            for (from, to) in key.columns.iter().zip(&key.referenced_columns) {
                if let (Some(from), Some(to)) = (table.column(from), referenced.column(to)) {
                    groups.unite((&table.name, &from.name), (&referenced.name, &to.name));
                }
            }
        }
    }
    let joining: f64 =
        statements.iter().filter(|s| s.tables.iter().any(|t| !t.joined.is_empty())).map(|s| s.calls).sum();
    let mut joins: Vec<((Member<'_>, Member<'_>), f64)> = join_calls(statements).into_iter().collect();
    // Stable: joins of equal calls stay in the order of their names.
    joins.sort_by(|a, b| b.1.total_cmp(&a.1));
    for ((a, b), calls) in joins {
        if calls > 0.0 && calls >= MIN_JOIN_SHARE * joining && same_kind(schema, a, b) && !groups.share_a_table(a, b) {
            groups.unite(a, b);
        }
    }
    groups.families()
}

/// Calls of each pair of equal columns, smaller name first.
fn join_calls(statements: &[StatementUse]) -> BTreeMap<(Member<'_>, Member<'_>), f64> {
    let mut calls = BTreeMap::new();
    for statement in statements {
        let mut pairs = BTreeSet::new();
        for table_use in &statement.tables {
            for edge in &table_use.joined {
                let (a, b) = ((&table_use.table, edge.column.as_str()), (&edge.other, edge.other_column.as_str()));
                if a != b {
                    pairs.insert((a.min(b), a.max(b)));
                }
            }
        }
        pairs.into_iter().for_each(|pair| *calls.entry(pair).or_insert(0.0) += statement.calls);
    }
    calls
}

fn same_kind(schema: &Schema, a: Member<'_>, b: Member<'_>) -> bool {
    let kind = |(table, column): Member<'_>| {
        schema.get(table).and_then(|t| t.column(column)).and_then(|c| naming_kind(&c.type_name))
    };
    kind(a).is_some_and(|a| kind(b) == Some(a))
}

/// The kind of a type, by `format_type`, whose values name things; types of one kind compare and hash alike (they share
/// an operator family). `None` for what measures or states: times, floating point, truth.
fn naming_kind(type_name: &str) -> Option<&str> {
    let base = base_type(type_name);
    match base {
        "smallint" | "integer" | "bigint" => Some("integer"),
        "text" | "character varying" => Some("text"),
        "boolean" | "real" | "double precision" | "interval" => None,
        _ if is_time(base) => None,
        _ => Some(base),
    }
}

/// Dates, times and timestamps.
pub(super) fn is_time(type_name: &str) -> bool {
    type_name == "date" || type_name.starts_with("time")
}

/// The type without its length or precision: `numeric(10,2)` is `numeric`.
pub(super) fn base_type(type_name: &str) -> &str {
    type_name.split('(').next().unwrap_or(type_name).trim_end()
}

/// Disjoint sets of columns. The smaller set is renamed into the larger.
#[derive(Debug, Default)]
struct Groups<'a> {
    group_of: BTreeMap<Member<'a>, usize>,
    groups: Vec<BTreeSet<Member<'a>>>,
}

impl<'a> Groups<'a> {
    fn group(&mut self, member: Member<'a>) -> usize {
        *self.group_of.entry(member).or_insert_with(|| {
            self.groups.push(BTreeSet::from([member]));
            self.groups.len() - 1
        })
    }

    fn members(&self, member: Member<'a>) -> BTreeSet<Member<'a>> {
        let known = self.group_of.get(&member).and_then(|g| self.groups.get(*g));
        known.cloned().unwrap_or_else(|| BTreeSet::from([member]))
    }

    fn share_a_table(&self, a: Member<'a>, b: Member<'a>) -> bool {
        let (a, b) = (self.members(a), self.members(b));
        a != b && a.iter().any(|(table, _)| b.iter().any(|(other, _)| table == other))
    }

    fn unite(&mut self, a: Member<'a>, b: Member<'a>) {
        let (a, b) = (self.group(a), self.group(b));
        let size = |g: usize| self.groups.get(g).map_or(0, BTreeSet::len);
        let (from, into) = if size(a) < size(b) { (a, b) } else { (b, a) };
        if from == into {
            return;
        }
        let moved = self.groups.get_mut(from).map(std::mem::take).unwrap_or_default();
        for member in moved {
            self.group_of.insert(member, into);
            if let Some(group) = self.groups.get_mut(into) {
                group.insert(member);
            }
        }
    }

    fn families(self) -> Vec<Family> {
        let mut groups: Vec<_> = self.groups.into_iter().filter(|g| g.len() >= 2).collect();
        groups.sort();
        let owned = |(table, column): Member<'a>| (table.clone(), column.to_owned());
        groups.into_iter().map(|g| Family { members: g.into_iter().map(owned).collect() }).collect()
    }
}
