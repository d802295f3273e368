//! Columns that mean the same thing.
//!
//! The workload ties columns by foreign keys and by joins. A log of single-table lookups over a schema without foreign
//! keys ties nothing, although `o_w_id` and `s_w_id` are plainly the same; so columns of one type and one name (a table's
//! own prefix taken off) are tied as well. A family's *home share* is the part of the log that its columns pin: the
//! larger it is, the more transactions stay on one shard when every table is sharded by that family.

use crate::key::values::is_time;
use crate::model::workload::Workload;
use crate::model::{Column, Schema, Table, TableName};
use std::collections::BTreeMap;

type ColumnId = (TableName, String);

/// Every column of the schema in exactly one family, most of them alone.
#[derive(Debug, Clone, Default)]
pub struct Families {
    index: BTreeMap<ColumnId, usize>,
    /// Union-find; a root is the smallest index of its family.
    parent: Vec<usize>,
}

impl Families {
    pub fn new(schema: &Schema, workload: &Workload) -> Self {
        let mut families = Self::default();
        for table in &schema.tables {
            for column in &table.columns {
                families.add(&table.name, &column.name);
            }
        }
        for family in &workload.families {
            for pair in family.members.windows(2) {
                if let [(a, x), (b, y)] = pair {
                    families.tie((a, x), (b, y));
                }
            }
        }
        for table in &schema.tables {
            for key in &table.foreign_keys {
                for (column, referenced) in key.columns.iter().zip(&key.referenced_columns) {
                    families.tie((&table.name, column), (&key.references, referenced));
                }
            }
        }
        families.tie_by_name(schema);
        families
    }

    pub fn of(&self, table: &TableName, column: &str) -> Option<usize> {
        self.index.get(&(table.clone(), column.to_owned())).map(|i| self.root(*i))
    }

    /// The tables with a column of the family, in name order.
    pub fn tables(&self, family: usize) -> Vec<TableName> {
        let mut tables: Vec<TableName> =
            self.index.iter().filter(|(_, i)| self.root(**i) == family).map(|((t, _), _)| t.clone()).collect();
        tables.dedup();
        tables
    }

    fn tie_by_name(&mut self, schema: &Schema) {
        let mut first: BTreeMap<(String, &str), (&TableName, &str)> = BTreeMap::new();
        for table in &schema.tables {
            let prefix = own_prefix(table);
            for column in table.columns.iter().filter(|c| c.type_name != "boolean" && !is_time(&c.type_name)) {
                let Some(name) = meaning(table, column, prefix) else { continue };
                match first.get(&(name.clone(), column.type_name.as_str())) {
                    Some((t, c)) => self.tie((t, c), (&table.name, &column.name)),
                    None => drop(first.insert((name, &column.type_name), (&table.name, &column.name))),
                }
            }
        }
    }

    fn add(&mut self, table: &TableName, column: &str) -> usize {
        let next = self.parent.len();
        let at = *self.index.entry((table.clone(), column.to_owned())).or_insert(next);
        if at == next {
            self.parent.push(next);
        }
        at
    }

    fn tie(&mut self, a: (&TableName, &str), b: (&TableName, &str)) {
        let (a, b) = (self.add(a.0, a.1), self.add(b.0, b.1));
        let (a, b) = (self.root(a), self.root(b));
        if let Some(parent) = self.parent.get_mut(a.max(b)) {
            *parent = a.min(b);
        }
    }

    fn root(&self, mut at: usize) -> usize {
        while let Some(&up) = self.parent.get(at).filter(|up| **up != at) {
            at = up;
        }
        at
    }
}

/// `o_` when every column of the table begins with it.
fn own_prefix(table: &Table) -> &str {
    let Some((prefix, _)) = table.columns.first().and_then(|c| c.name.split_once('_')) else { return "" };
    let with_bar = table.columns.first().and_then(|c| c.name.get(..=prefix.len())).unwrap_or("");
    if table.columns.len() > 1 && table.columns.iter().all(|c| c.name.starts_with(with_bar)) { with_bar } else { "" }
}

/// What a column's name says it is, in any table: `o_w_id` and `w_id` are both `w_id`. None for a name such as `id` or
/// `name`, which is another thing in every table; except the `id` of `customers`, which is the `customer_id`.
fn meaning(table: &Table, column: &Column, prefix: &str) -> Option<String> {
    let rest = column.name.strip_prefix(prefix).unwrap_or(&column.name);
    if rest.contains('_') {
        return Some(rest.to_owned());
    }
    if column.name.contains('_') {
        return Some(column.name.clone());
    }
    let single_key = table.primary_key().is_some_and(|k| k.columns == [column.name.as_str()]);
    let singular = table.name.name.strip_suffix('s').unwrap_or(&table.name.name);
    (column.name == "id" && single_key).then(|| format!("{singular}_id"))
}
