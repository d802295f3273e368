//! The whole log and schema, prepared once for every table that is considered.
//!
//! Statements get their weights, are sorted by identity (so that no sum depends on the log's order) and are found by
//! table. From them come the look-up tables, the families' homes and the sizes of tables as far as they are known.

use super::family::Families;
use super::weight::{overhead_felt, weights};
use crate::model::profile::TableSize;
use crate::model::workload::{ColumnLoad, StatementUse, TableUse, Workload, WorkloadProfile};
use crate::model::{Interrupts, Schema, Table, TableName, TableProfile};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Written share of a table's statements up to which a copy on every node is cheap to keep. Assumed.
const MOSTLY_READ: f64 = 0.01;
/// Share of a table's uses that must find their row by a unique key for the table to be a look-up table. Assumed.
const LOOKED_UP: f64 = 0.9;
/// Share of the log that a family of columns fixes for the load to be said to belong to its values. Assumed: a majority.
const MOST_OF_THE_LOAD: f64 = 0.5;
/// Size of a look-up table against the largest of its statement where nothing tells. Assumed.
pub(super) const LOOKUP_SIZE: f64 = 0.01;

/// A statement with its weight; the weights of a log add up to 1, and so do those of a subject's statements.
#[derive(Debug, Clone)]
pub(super) struct Weighed<'a> {
    pub(super) statement: Cow<'a, StatementUse>,
    pub(super) weight: f64,
    /// See [`overhead_felt`].
    pub(super) overhead: f64,
}

#[derive(Debug, Clone)]
pub struct Context<'a> {
    pub schema: &'a Schema,
    pub families: Families,
    /// Tables that could be reference tables by the way they are used.
    pub(super) copyable: BTreeSet<&'a TableName>,
    /// Sorted by id, then text.
    pub(super) statements: Vec<Weighed<'a>>,
    by_table: BTreeMap<&'a TableName, Vec<usize>>,
    /// Share of the log that each family pins, 0..=1, and the largest of them.
    pub(super) homes: BTreeMap<usize, f64>,
    pub best_home: f64,
    /// Weight of the statements that use more than look-up tables.
    pub(super) homed_total: f64,
    bytes: BTreeMap<&'a TableName, f64>,
    workload: &'a Workload,
    pub interrupts: Interrupts,
}

impl<'a> Context<'a> {
    /// `kind` is the load's profile: the workload's own, unless the config declares another. `profiled` is the table in
    /// the backup that was read; `sizes` is what is known of the others.
    pub fn new(
        schema: &'a Schema,
        workload: &'a Workload,
        kind: WorkloadProfile,
        profiled: Option<(&TableName, &TableProfile)>,
        sizes: &BTreeMap<TableName, TableSize>,
    ) -> Self {
        let mut statements: Vec<Weighed<'a>> = workload
            .statements
            .iter()
            .zip(weights(workload, kind))
            .map(|(s, weight)| Weighed { statement: Cow::Borrowed(s), weight, overhead: overhead_felt(kind, s) })
            .collect();
        statements.sort_by(|a, b| {
            (a.statement.id, &a.statement.text)
                .cmp(&(b.statement.id, &b.statement.text))
                .then(a.weight.total_cmp(&b.weight))
        });
        let mut by_table: BTreeMap<&'a TableName, Vec<usize>> = BTreeMap::new();
        for (at, weighed) in statements.iter().enumerate() {
            for used in &weighed.statement.tables {
                let Some(table) = schema.get(&used.table) else { continue };
                let list = by_table.entry(&table.name).or_default();
                if list.last() != Some(&at) {
                    list.push(at);
                }
            }
        }
        let mut context = Self {
            schema,
            families: Families::new(schema, workload),
            copyable: BTreeSet::new(),
            statements,
            by_table,
            homes: BTreeMap::new(),
            best_home: 0.0,
            homed_total: 0.0,
            bytes: BTreeMap::new(),
            workload,
            interrupts: Interrupts::default(),
        };
        context.find_homes();
        context.copyable = context.find_copyable();
        context.find_homes();
        context.find_sizes(profiled, sizes);
        context
    }

    /// The watched load on a column.
    pub(super) fn load(&self, table: &TableName, column: &str) -> Option<&'a ColumnLoad> {
        self.workload.load(table, column)
    }

    /// The statements that use a table, in order.
    pub(super) fn on(&self, table: &TableName) -> impl Iterator<Item = &Weighed<'a>> {
        let list = self.by_table.get(table).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|at| self.statements.get(*at))
    }

    /// The tables that carry most of the log's weight, `most` of them at the most; of equal ones the first by name.
    pub fn heaviest(&self, most: usize) -> BTreeSet<&'a TableName> {
        let weight = |table: &TableName| self.on(table).map(|w| w.weight).sum::<f64>();
        let mut tables: Vec<(f64, &TableName)> =
            self.schema.tables.iter().map(|t| (weight(&t.name), &t.name)).collect();
        tables.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        tables.into_iter().take(most).map(|(_, table)| table).collect()
    }

    /// Share of the calls on a table that write it, INSERTs included.
    pub(super) fn written_share(&self, table: &TableName) -> f64 {
        let (mut all, mut written) = (0.0, 0.0);
        for Weighed { statement, .. } in self.on(table) {
            all += statement.calls;
            if statement.tables.iter().any(|u| u.table == *table && u.written) {
                written += statement.calls;
            }
        }
        if all > 0.0 { written / all } else { 0.0 }
    }

    /// Share of the log that a table's statements contribute to the home of its key: the weight of those that fix every
    /// column of it. An INSERT names every column. Look-up tables have none, since they can be copied to where they are
    /// needed; and where time counts, a statement counts by the overhead that it feels.
    pub fn homed(&self, table: &TableName, key: &[String]) -> f64 {
        if self.homed_total <= 0.0 || self.copyable.contains(table) {
            return 0.0;
        }
        let mut sum = 0.0;
        for Weighed { statement, weight, overhead } in self.on(table) {
            let uses = self.homing(statement).count();
            let fixed = self
                .homing(statement)
                .filter(|u| u.table == *table && (u.inserted || key.iter().all(|c| u.pinned.contains(c))));
            sum += weight * overhead * fixed.count() as f64 / uses.max(1) as f64;
        }
        sum / self.homed_total
    }

    /// Share of the log that a family could pin if every table were cut by it.
    pub fn home(&self, family: usize) -> f64 {
        self.homes.get(&family).copied().unwrap_or(0.0)
    }

    /// Bytes of a table's text: counted, told, or estimated from the values of a column that refers to it.
    pub fn bytes(&self, table: &TableName) -> Option<f64> {
        self.bytes.get(table).copied()
    }

    /// Size of a table against the largest of a statement, 0..=1.
    pub(super) fn relative_size(&self, table: &TableName, statement: &StatementUse) -> f64 {
        let largest = statement.tables.iter().filter_map(|u| self.bytes(&u.table)).fold(0.0, f64::max);
        match self.bytes(table) {
            Some(own) if largest > own => own / largest,
            _ if self.copyable.contains(table) => LOOKUP_SIZE,
            _ => 1.0,
        }
    }

    /// The references of a statement that need a home.
    fn homing<'s>(&'s self, statement: &'s StatementUse) -> impl Iterator<Item = &'s TableUse> {
        statement.tables.iter().filter(|u| !self.copyable.contains(&u.table))
    }

    /// Look-up tables: mostly read, rows found by a unique key (or all of them read), while some other table is not.
    fn find_copyable(&self) -> BTreeSet<&'a TableName> {
        let is_lookup = |table: &&Table| {
            let unique = |u: &TableUse| {
                let found = |c: &String| {
                    u.pinned.contains(c) || u.listed.contains(c) || u.joined.iter().any(|e| e.column == *c)
                };
                let unconditional =
                    u.pinned.is_empty() && u.listed.is_empty() && u.ranged.is_empty() && u.joined.is_empty();
                unconditional || table.unique_keys.iter().any(|k| k.columns.iter().all(found))
            };
            let (mut all, mut by_key) = (0.0, 0.0);
            for Weighed { statement, .. } in self.on(&table.name) {
                for found in statement.tables.iter().filter(|u| u.table == table.name && !u.inserted) {
                    all += statement.calls;
                    by_key += if unique(found) { statement.calls } else { 0.0 };
                }
            }
            let read = all > 0.0 && by_key >= LOOKED_UP * all && self.written_share(&table.name) <= MOSTLY_READ;
            read && !self.owns_the_load(table)
        };
        let found: BTreeSet<&TableName> = self.schema.tables.iter().filter(is_lookup).map(|t| &t.name).collect();
        let others = self.statements.iter().flat_map(|s| &s.statement.tables).any(|u| !found.contains(&u.table));
        if others { found } else { BTreeSet::new() }
    }

    /// The table has a row for each value by which most of the load finds its rows (tenants, users): it grows as they do,
    /// and each part of it belongs beside what it owns. Before look-up tables are left out of the homes.
    fn owns_the_load(&self, table: &Table) -> bool {
        let home = |column: &String| {
            self.families.of(&table.name, column).and_then(|f| self.homes.get(&f)).copied().unwrap_or(0.0)
        };
        let owns = |columns: &[String]| {
            columns.iter().all(|c| home(c) >= MOST_OF_THE_LOAD && home(c) >= self.best_home - 1e-9)
        };
        table.unique_keys.iter().any(|k| owns(&k.columns))
    }

    /// For each family the share of the log that it could pin if every table were cut by it.
    fn find_homes(&mut self) {
        let mut homes: BTreeMap<usize, f64> = BTreeMap::new();
        let mut total = 0.0;
        for Weighed { statement, weight, overhead } in &self.statements {
            let uses: Vec<&TableUse> = self.homing(statement).collect();
            total += if uses.is_empty() { 0.0 } else { *weight };
            for one in &uses {
                let columns: Vec<&String> = match self.schema.get(&one.table) {
                    Some(table) if one.inserted => table.columns.iter().map(|c| &c.name).collect(),
                    _ => one.pinned.iter().collect(),
                };
                let served: BTreeSet<usize> = columns.iter().filter_map(|c| self.families.of(&one.table, c)).collect();
                for family in served {
                    *homes.entry(family).or_default() += weight * overhead / uses.len() as f64;
                }
            }
        }
        if total > 0.0 {
            homes.values_mut().for_each(|h| *h /= total);
        }
        self.best_home = homes.values().copied().fold(0.0, f64::max);
        self.homes = homes;
        self.homed_total = total;
    }

    /// A table that nothing tells of has about as many rows as a column has values that refers to its unique key.
    fn find_sizes(&mut self, profiled: Option<(&TableName, &TableProfile)>, sizes: &BTreeMap<TableName, TableSize>) {
        for table in &self.schema.tables {
            let told = sizes.get(&table.name).and_then(|s| s.bytes).map(|b| b as f64);
            let read = profiled.filter(|p| *p.0 == table.name).map(|p| p.1.text_bytes as f64);
            if let Some(bytes) = read.or(told) {
                self.bytes.insert(&table.name, bytes);
            }
        }
        let Some((target, profile)) = profiled.filter(|p| p.1.rows > 0) else { return };
        let mut guessed: BTreeMap<&'a TableName, f64> = BTreeMap::new();
        for weighed in self.on(target) {
            for edge in weighed.statement.tables.iter().filter(|u| u.table == *target).flat_map(|u| &u.joined) {
                let other = self.schema.get(&edge.other).filter(|t| !self.bytes.contains_key(&t.name));
                let Some((other, column)) = other.zip(profile.column(&edge.column)) else { continue };
                if !other.unique_keys.iter().any(|k| k.columns == [edge.other_column.as_str()]) {
                    continue;
                }
                let share = (column.distinct as f64 / profile.rows as f64).min(1.0);
                let bytes = guessed.entry(&other.name).or_default();
                *bytes = bytes.max(share * profile.text_bytes as f64);
            }
        }
        self.bytes.append(&mut guessed);
    }
}
