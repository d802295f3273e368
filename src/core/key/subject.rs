//! The table under consideration, with everything known of it, prepared once and asked many times.

use super::family::Families;
use super::log::{Joins, copyable, home_shares, joins, written_share};
use super::weight::{overhead_felt, weights};
use crate::model::statement::StatementKind;
use crate::model::workload::{JoinEdge, StatementUse, TableUse, Workload, WorkloadProfile};
use crate::model::{Schema, Table, TableName, TableProfile};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What the figures on how rows are found stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Statements of the log.
    Log,
    /// The definition alone: rows are assumed to be found by primary key and by foreign keys.
    Assumed,
}

/// A statement on the table with its weight; the weights of a subject's statements add up to 1.
#[derive(Debug, Clone)]
pub(super) struct Weighed<'a> {
    pub(super) statement: Cow<'a, StatementUse>,
    pub(super) weight: f64,
    /// See [`overhead_felt`].
    pub(super) overhead: f64,
}

#[derive(Debug, Clone)]
pub struct Subject<'a> {
    pub table: &'a Table,
    pub profile: Option<&'a TableProfile>,
    pub families: Families,
    pub basis: Basis,
    /// Statements that find rows of the table by condition.
    pub(super) statements: Vec<Weighed<'a>>,
    /// Calls of those statements, and of the INSERTs and COPYs.
    pub(super) calls: f64,
    pub(super) insert_calls: f64,
    /// Share of the table's calls that write it, INSERTs included.
    pub(super) written: f64,
    /// Other tables depend on it: a foreign key, a join, or their being written while this one is only looked up.
    pub(super) looked_up: bool,
    /// Home share of each family, 0..=1, and the largest of them.
    pub(super) homes: BTreeMap<usize, f64>,
    pub(super) best_home: f64,
    /// Tables that could be reference tables by the way they are used.
    pub(super) copyable: BTreeSet<TableName>,
    /// Weight of the joins of each column of each table, and of all joins of each table.
    joins: Joins,
}

impl<'a> Subject<'a> {
    /// `kind` is the load's profile: the workload's own, unless the config declares another.
    pub fn new(
        table: &'a Table,
        schema: &Schema,
        workload: &'a Workload,
        kind: WorkloadProfile,
        profile: Option<&'a TableProfile>,
    ) -> Self {
        let families = Families::new(schema, workload);
        let weights = weights(workload, kind);
        let copyable = copyable(schema, workload);
        let homes = home_shares(schema, workload, &weights, &families, &copyable);
        let mut subject = Self {
            table,
            profile,
            families,
            basis: Basis::Log,
            statements: Vec::new(),
            calls: 0.0,
            insert_calls: 0.0,
            written: written_share(workload, &table.name),
            looked_up: copyable.contains(&table.name),
            best_home: homes.values().copied().fold(0.0, f64::max),
            homes,
            copyable,
            joins: joins(workload, &weights),
        };
        subject.gather(workload, kind, &weights);
        subject
    }

    pub(super) fn uses<'s>(&'s self, of: &'s StatementUse) -> impl Iterator<Item = &'s TableUse> {
        of.tables.iter().filter(|u| u.table == self.table.name)
    }

    /// Home share of a key: of all its columns together, the least.
    pub(super) fn home(&self, key: &[String]) -> f64 {
        let of =
            |c: &String| self.families.of(&self.table.name, c).and_then(|f| self.homes.get(&f)).copied().unwrap_or(0.0);
        key.iter().map(of).fold(f64::INFINITY, f64::min).min(1.0)
    }

    /// The part of a table's joins, by weight, that are on this column.
    pub(super) fn joined_share(&self, table: &TableName, column: &str) -> f64 {
        let of = |(columns, all): &(BTreeMap<String, f64>, f64)| {
            columns.get(column).filter(|_| *all > 0.0).map_or(0.0, |one| one / all)
        };
        self.joins.get(table).map_or(0.0, of)
    }

    pub(super) fn text_bytes(&self) -> Option<u64> {
        self.profile.map(|p| p.text_bytes)
    }

    fn gather(&mut self, workload: &'a Workload, kind: WorkloadProfile, weights: &[f64]) {
        for (statement, &weight) in workload.statements.iter().zip(weights) {
            let uses: Vec<bool> = self.uses(statement).map(|u| u.inserted).collect();
            if uses.is_empty() {
                continue;
            }
            if uses.iter().all(|inserted| *inserted) {
                self.insert_calls += statement.calls;
            } else {
                self.calls += statement.calls;
                let overhead = overhead_felt(kind, statement);
                self.statements.push(Weighed { statement: Cow::Borrowed(statement), weight, overhead });
            }
        }
        if self.statements.is_empty() {
            self.basis = Basis::Assumed;
            self.statements = assumed(self.table);
        }
        let total: f64 = self.statements.iter().map(|s| s.weight).sum();
        if total > 0.0 {
            self.statements.iter_mut().for_each(|s| s.weight /= total);
        }
    }
}

/// Part of an assumed statement's cost that counts: enough to put keys in an order, too little to speak against
/// sharding. Assumed.
const ASSUMED_OVERHEAD: f64 = 0.2;

/// Without statements: rows are found by the whole primary key twice as often as by foreign keys. Assumed.
fn assumed(table: &Table) -> Vec<Weighed<'static>> {
    let lookup = |columns: &[String], weight: f64| {
        let mut pinned = columns.to_vec();
        pinned.sort();
        let found = TableUse { pinned, ..empty_use(&table.name) };
        let statement = StatementUse {
            id: 0,
            text: String::new(),
            kind: StatementKind::Select,
            calls: 0.0,
            total_ms: 0.0,
            rows: 0.0,
            tables: vec![found],
        };
        Weighed { statement: Cow::Owned(statement), weight, overhead: ASSUMED_OVERHEAD }
    };
    let key = table.primary_key().or(table.unique_keys.first());
    let mut out: Vec<Weighed<'static>> = key.iter().map(|k| lookup(&k.columns, 2.0)).collect();
    let each = 1.0 / table.foreign_keys.len().max(1) as f64;
    out.extend(table.foreign_keys.iter().map(|f| lookup(&f.columns, each)));
    out
}

fn empty_use(table: &TableName) -> TableUse {
    TableUse {
        table: table.clone(),
        written: false,
        inserted: false,
        pinned: Vec::new(),
        listed: Vec::new(),
        ranged: Vec::new(),
        matched: Vec::new(),
        joined: Vec::<JoinEdge>::new(),
        grouped: Vec::new(),
        ordered: Vec::new(),
        updated: Vec::new(),
    }
}
