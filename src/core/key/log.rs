//! What the whole log says, whatever table is considered: which tables are only looked up, how much of the load each
//! family of columns keeps together, and which columns tables are joined on.

use super::family::Families;
use crate::model::workload::{TableUse, Workload};
use crate::model::{Schema, Table, TableName};
use std::collections::{BTreeMap, BTreeSet};

/// Written share of a table's statements up to which a copy on every node is cheap to keep. Assumed.
const MOSTLY_READ: f64 = 0.01;
/// Share of a table's uses that must find their row by a unique key for the table to be a look-up table. Assumed.
const LOOKED_UP: f64 = 0.9;

/// Per table: weight of its joins by column, and of all of them.
pub(super) type Joins = BTreeMap<TableName, (BTreeMap<String, f64>, f64)>;

pub(super) fn joins(workload: &Workload, weights: &[f64]) -> Joins {
    let mut out = Joins::new();
    for (statement, weight) in workload.statements.iter().zip(weights) {
        for found in &statement.tables {
            for edge in &found.joined {
                let (columns, all) = out.entry(found.table.clone()).or_default();
                *columns.entry(edge.column.clone()).or_default() += weight;
                *all += weight;
            }
        }
    }
    out
}

pub(super) fn written_share(workload: &Workload, table: &TableName) -> f64 {
    let mut all = 0.0;
    let mut written = 0.0;
    for statement in &workload.statements {
        let mut uses = statement.tables.iter().filter(|u| u.table == *table).peekable();
        if uses.peek().is_some() {
            all += statement.calls;
            written += if uses.any(|u| u.written) { statement.calls } else { 0.0 };
        }
    }
    if all > 0.0 { written / all } else { 0.0 }
}

/// Look-up tables: mostly read, rows found by a unique key (or all of them read), while some other table is not.
pub(super) fn copyable(schema: &Schema, workload: &Workload) -> BTreeSet<TableName> {
    let is_lookup = |table: &&Table| {
        let unique = |u: &TableUse| {
            let found =
                |c: &String| u.pinned.contains(c) || u.listed.contains(c) || u.joined.iter().any(|e| e.column == *c);
            let unconditional =
                u.pinned.is_empty() && u.listed.is_empty() && u.ranged.is_empty() && u.joined.is_empty();
            unconditional || table.unique_keys.iter().any(|k| k.columns.iter().all(found))
        };
        let mut all = 0.0;
        let mut by_key = 0.0;
        for statement in &workload.statements {
            for found in statement.tables.iter().filter(|u| u.table == table.name && !u.inserted) {
                all += statement.calls;
                by_key += if unique(found) { statement.calls } else { 0.0 };
            }
        }
        all > 0.0 && by_key >= LOOKED_UP * all && written_share(workload, &table.name) <= MOSTLY_READ
    };
    let found: BTreeSet<TableName> = schema.tables.iter().filter(is_lookup).map(|t| t.name.clone()).collect();
    let others = workload.statements.iter().flat_map(|s| &s.tables).any(|u| !found.contains(&u.table));
    if others { found } else { BTreeSet::new() }
}

/// For each family the share of the log that it pins. A statement counts by the part of its tables that it pins by a
/// column of the family; an INSERT names every column, so it has a home in each family of its table. Look-up tables
/// are left out, since they can be copied to where they are needed.
pub(super) fn home_shares(
    schema: &Schema,
    workload: &Workload,
    weights: &[f64],
    families: &Families,
    copyable: &BTreeSet<TableName>,
) -> BTreeMap<usize, f64> {
    let mut homes: BTreeMap<usize, f64> = BTreeMap::new();
    let mut total = 0.0;
    for (statement, weight) in workload.statements.iter().zip(weights) {
        let uses: Vec<&TableUse> = statement.tables.iter().filter(|u| !copyable.contains(&u.table)).collect();
        if uses.is_empty() {
            continue;
        }
        total += weight;
        for one in &uses {
            let columns: Vec<&String> = match schema.get(&one.table) {
                Some(table) if one.inserted => table.columns.iter().map(|c| &c.name).collect(),
                _ => one.pinned.iter().collect(),
            };
            let served: BTreeSet<usize> = columns.iter().filter_map(|c| families.of(&one.table, c)).collect();
            for family in served {
                *homes.entry(family).or_default() += weight / uses.len() as f64;
            }
        }
    }
    if total > 0.0 {
        homes.values_mut().for_each(|h| *h /= total);
    }
    homes
}
