//! Rows that name two values of one family: an order line with the warehouse of its order and that of its goods.
//!
//! A transaction that inserts such a row, and visits the tables that both columns refer to, stays on one shard as far as the
//! two are equal. The log has no values; the rows have: which columns to look at is said by [`paired_columns`], what was
//! found is the workload's [`SameValues`], and without it the two are taken to be equal.

use super::joint::{Value, Variable};
use crate::key::{Context, Families, Place};
use crate::model::workload::{SameValues, StatementUse};
use crate::model::{Schema, Table, TableName, Workload};
use std::collections::{BTreeMap, BTreeSet};

/// Two columns of a table's rows, and the calls that insert such rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedColumns {
    pub table: TableName,
    pub columns: (String, String),
    pub calls: f64,
}

/// What it is worth to know of the rows: columns of one family of which both matter to some transaction.
pub fn paired_columns(schema: &Schema, workload: &Workload) -> Vec<PairedColumns> {
    let families = Families::new(schema, workload);
    let statements: BTreeMap<i64, &StatementUse> = workload.statements.iter().map(|s| (s.id, s)).collect();
    // By statement, since one may be in several kinds of transactions.
    let mut calls: BTreeMap<(&TableName, &str, &str), BTreeMap<i64, f64>> = BTreeMap::new();
    for transaction in workload.transactions.iter().filter(|t| t.statements.len() > 1) {
        let members: Vec<&StatementUse> =
            transaction.statements.iter().filter_map(|e| statements.get(&e.id).copied()).collect();
        for (statement, table) in inserts(schema, &members) {
            for pair in pairs(&families, table, &used_besides(&members, statement)) {
                let inserted = calls.entry((&table.name, pair.columns.0, pair.columns.1)).or_default();
                inserted.insert(statement.id, statement.calls);
            }
        }
    }
    let named = |((table, a, b), calls): ((&TableName, &str, &str), BTreeMap<i64, f64>)| PairedColumns {
        table: table.clone(),
        columns: (a.to_owned(), b.to_owned()),
        calls: calls.values().sum(),
    };
    calls.into_iter().map(named).collect()
}

fn inserts<'a>(schema: &'a Schema, members: &[&'a StatementUse]) -> Vec<(&'a StatementUse, &'a Table)> {
    let of = |s: &&'a StatementUse| {
        let found = s.tables.iter().find(|u| u.inserted)?;
        Some((*s, schema.get(&found.table)?))
    };
    members.iter().filter_map(of).collect()
}

fn used_besides<'a>(members: &[&'a StatementUse], statement: &StatementUse) -> BTreeSet<&'a TableName> {
    members.iter().filter(|m| m.id != statement.id).flat_map(|m| m.tables.iter().map(|u| &u.table)).collect()
}

#[derive(Debug)]
struct Pair<'a> {
    family: usize,
    columns: (&'a str, &'a str),
    /// Tables that each of them refers to and that the transaction uses.
    visited: (BTreeSet<&'a TableName>, BTreeSet<&'a TableName>),
}

/// Columns of one family, at least one of which refers to a table that the transaction uses, and not both to the same.
fn pairs<'a>(families: &Families, table: &'a Table, used: &BTreeSet<&TableName>) -> Vec<Pair<'a>> {
    let mut columns: BTreeMap<&'a str, BTreeSet<&'a TableName>> = BTreeMap::new();
    for key in &table.foreign_keys {
        for column in &key.columns {
            let visited = columns.entry(column).or_default();
            visited.extend(Some(&key.references).filter(|t| used.contains(t) && **t != table.name));
        }
    }
    let known: Vec<(&str, usize, &BTreeSet<&TableName>)> =
        columns.iter().filter_map(|(c, v)| Some((*c, families.of(&table.name, c)?, v))).collect();
    let mut out = Vec::new();
    for (i, (a, family, x)) in known.iter().enumerate() {
        for (b, other, y) in known.iter().skip(i + 1) {
            if family == other && x != y && !(x.is_empty() && y.is_empty()) {
                out.push(Pair { family: *family, columns: (a, b), visited: ((*x).clone(), (*y).clone()) });
            }
        }
    }
    out
}

/// A pair of a transaction, with what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Apart {
    family: usize,
    share: f64,
    times: f64,
    own: usize,
    columns: (String, String),
    visited: (BTreeSet<usize>, BTreeSet<usize>),
}

impl Apart {
    /// All of a transaction's of which the rows told something.
    pub(super) fn of(
        context: &Context<'_>,
        variables: &BTreeMap<&TableName, usize>,
        known: &[SameValues],
        members: &[(&StatementUse, f64)],
    ) -> Vec<Self> {
        let statements: Vec<&StatementUse> = members.iter().map(|m| m.0).collect();
        let mut out = Vec::new();
        for (statement, table) in inserts(context.schema, &statements) {
            let Some(own) = variables.get(&table.name) else { continue };
            let times = members.iter().find(|m| m.0.id == statement.id).map_or(1.0, |m| m.1);
            for pair in pairs(&context.families, table, &used_besides(&statements, statement)) {
                let (a, b) = pair.columns;
                let same = known.iter().find(|k| k.table == table.name && k.columns.0 == a && k.columns.1 == b);
                let Some(share) = same.map(|k| k.share) else { continue };
                let of =
                    |tables: &BTreeSet<&TableName>| tables.iter().filter_map(|t| variables.get(t).copied()).collect();
                let visited = (of(&pair.visited.0), of(&pair.visited.1));
                let columns = (a.to_owned(), b.to_owned());
                out.push(Self { family: pair.family, share, times, own: *own, columns, visited });
            }
        }
        out
    }

    /// Probability that both values are on one shard, per table of the rows; 1 where the design does not part them.
    pub(super) fn together(all: &[Self], context: &Context<'_>, variables: &[Variable<'_>], design: &[usize]) -> f64 {
        let mut of_table: BTreeMap<usize, f64> = BTreeMap::new();
        for apart in all {
            if let Some(count) = apart.parted(context, variables, design) {
                let one = (apart.share + (1.0 - apart.share) / count).powf(apart.times);
                let least = of_table.entry(apart.own).or_insert(1.0);
                *least = least.min(one);
            }
        }
        of_table.values().product()
    }

    /// The number of shards, where the design finds the rows of different tables by the one and by the other column.
    fn parted(&self, context: &Context<'_>, variables: &[Variable<'_>], design: &[usize]) -> Option<f64> {
        let chosen = |at: usize| {
            let variable = variables.get(at)?;
            let value: &Value = variable.values.get(*design.get(at)?)?;
            let Place::Cut { key, layout, .. } = &value.place else { return None };
            Some((variable, key, *layout, value.count))
        };
        let layouts = |visited: &BTreeSet<usize>, column: &String| -> Vec<(usize, usize, u32)> {
            let others = visited.iter().filter_map(|at| {
                let (variable, key, layout, count) = chosen(*at)?;
                let by_family = key.iter().any(|c| context.families.of(variable.table, c) == Some(self.family));
                by_family.then_some((*at, layout, count))
            });
            let own = chosen(self.own).filter(|(_, key, ..)| key.contains(column)).map(|c| (self.own, c.2, c.3));
            others.chain(own).collect()
        };
        let (left, right) = (layouts(&self.visited.0, &self.columns.0), layouts(&self.visited.1, &self.columns.1));
        let parted = left.iter().find(|l| right.iter().any(|r| r.0 != l.0 && r.1 == l.1));
        parted.map(|l| f64::from(l.2.max(1)))
    }
}
