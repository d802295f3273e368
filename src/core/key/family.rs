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
use std::collections::btree_map::Entry;

type ColumnId = (TableName, String);

/// Every column of the schema in exactly one family, most of them alone.
#[derive(Debug, Clone, Default)]
pub struct Families {
    index: BTreeMap<ColumnId, usize>,
    /// Union-find; a root is the smallest index of its family.
    parent: Vec<usize>,
    /// Tables of each family by its root, in name order.
    tables: BTreeMap<usize, Vec<TableName>>,
    /// Links from a column to the end of its chain of foreign keys; columns without a foreign key have none.
    depth: BTreeMap<ColumnId, usize>,
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
        families.parent = (0..families.parent.len()).map(|at| families.root(at)).collect();
        families.gather_tables();
        families.measure(schema);
        families
    }

    pub fn of(&self, table: &TableName, column: &str) -> Option<usize> {
        self.index.get(&(table.clone(), column.to_owned())).map(|i| self.root(*i))
    }

    /// Foreign keys between a column and the end of the shortest chain that begins with it; 0 for the root of a family.
    pub fn depth(&self, table: &TableName, column: &str) -> usize {
        self.depth.get(&(table.clone(), column.to_owned())).copied().unwrap_or(0)
    }

    /// The tables with a column of the family, in name order.
    pub fn tables(&self, family: usize) -> &[TableName] {
        self.tables.get(&family).map(Vec::as_slice).unwrap_or_default()
    }

    fn gather_tables(&mut self) {
        let mut tables: BTreeMap<usize, Vec<TableName>> = BTreeMap::new();
        for ((table, _), at) in &self.index {
            let list = tables.entry(self.root(*at)).or_default();
            if list.last() != Some(table) {
                list.push(table.clone());
            }
        }
        self.tables = tables;
    }

    /// Shortest chains of foreign keys, from the roots outwards.
    fn measure(&mut self, schema: &Schema) {
        let mut referring: BTreeMap<ColumnId, Vec<ColumnId>> = BTreeMap::new();
        let mut linked: std::collections::BTreeSet<ColumnId> = std::collections::BTreeSet::new();
        for table in &schema.tables {
            for key in &table.foreign_keys {
                for (column, referenced) in key.columns.iter().zip(&key.referenced_columns) {
                    let from = (table.name.clone(), column.clone());
                    referring.entry((key.references.clone(), referenced.clone())).or_default().push(from.clone());
                    linked.insert(from);
                }
            }
        }
        let mut waiting: std::collections::VecDeque<(ColumnId, usize)> =
            referring.keys().filter(|c| !linked.contains(*c)).map(|c| (c.clone(), 0)).collect();
        while let Some((column, depth)) = waiting.pop_front() {
            if self.depth.contains_key(&column) {
                continue;
            }
            waiting.extend(referring.get(&column).into_iter().flatten().map(|c| (c.clone(), depth + 1)));
            self.depth.insert(column, depth);
        }
    }

    fn tie_by_name(&mut self, schema: &Schema) {
        // Values that two tables make for themselves are not the same: a `row_id` in every table names another thing in each.
        let mut first: BTreeMap<(String, &str), (&TableName, &str, bool)> = BTreeMap::new();
        for table in &schema.tables {
            let prefix = own_prefix(table);
            for column in table.columns.iter().filter(|c| c.type_name != "boolean" && !is_time(&c.type_name)) {
                let Some(name) = meaning(table, column, prefix) else { continue };
                let made = column.unique_by_default;
                match first.entry((name, &column.type_name)) {
                    Entry::Occupied(mut known) => {
                        let (t, c, also_made) = *known.get();
                        if !(made && also_made) {
                            self.tie((t, c), (&table.name, &column.name));
                            known.get_mut().2 |= made;
                        }
                    }
                    Entry::Vacant(new) => drop(new.insert((&table.name, &column.name, made))),
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
/// `name`, which is another thing in every table; except a `custid`, and the `id` of `customers`, which is the `customer_id`.
fn meaning(table: &Table, column: &Column, prefix: &str) -> Option<String> {
    let rest = column.name.strip_prefix(prefix).unwrap_or(&column.name);
    if rest.contains('_') {
        return Some(rest.to_owned());
    }
    if column.name.contains('_') {
        return Some(column.name.clone());
    }
    if column.name.len() > 2 && column.name.ends_with("id") {
        return Some(column.name.clone());
    }
    let single_key = table.primary_key().is_some_and(|k| k.columns == [column.name.as_str()]);
    let singular = table.name.name.strip_suffix('s').unwrap_or(&table.name.name);
    (column.name == "id" && single_key).then(|| format!("{singular}_id"))
}
