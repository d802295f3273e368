//! The table under consideration, with everything known of it, prepared once and asked many times.

use super::context::{Context, Weighed};
use super::retention::{self, Retention};
use super::values::is_time;
use crate::model::statement::StatementKind;
use crate::model::workload::{StatementUse, TableUse};
use crate::model::{Table, TableProfile};
use std::borrow::Cow;

/// What the figures on how rows are found stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Statements of the log.
    Log,
    /// The definition alone: rows are assumed to be found by primary key and by foreign keys.
    Assumed,
}

#[derive(Debug, Clone)]
pub struct Subject<'a> {
    pub table: &'a Table,
    pub profile: Option<&'a TableProfile>,
    pub context: &'a Context<'a>,
    pub basis: Basis,
    /// Statements that find rows of the table by condition.
    pub(super) statements: Vec<Weighed<'a>>,
    /// What the table counts for beside the others: the weight of those statements.
    pub weight: f64,
    /// Calls of those statements, and of the INSERTs and COPYs.
    pub(super) calls: f64,
    pub(super) insert_calls: f64,
    /// Share of the table's calls that write it, INSERTs included.
    pub written: f64,
    /// Other tables depend on it: a foreign key, a join, or their being written while this one is only looked up.
    pub(super) looked_up: bool,
    pub(super) retention: Vec<Retention>,
}

impl<'a> Subject<'a> {
    pub fn new(table: &'a Table, context: &'a Context<'a>, profile: Option<&'a TableProfile>) -> Self {
        let mut subject = Self {
            table,
            profile,
            context,
            basis: Basis::Log,
            statements: Vec::new(),
            weight: 0.0,
            calls: 0.0,
            insert_calls: 0.0,
            written: context.written_share(&table.name),
            looked_up: context.copyable.contains(&table.name),
            retention: Vec::new(),
        };
        subject.gather();
        subject.retention = retention::find(&subject);
        subject
    }

    pub(super) fn uses<'s>(&'s self, of: &'s StatementUse) -> impl Iterator<Item = &'s TableUse> {
        of.tables.iter().filter(|u| u.table == self.table.name)
    }

    /// The logged INSERTs and COPYs.
    pub(super) fn inserts(&self) -> impl Iterator<Item = &StatementUse> {
        let all = self.context.on(&self.table.name).map(|w| w.statement.as_ref());
        all.filter(|s| self.uses(s).all(|u| u.inserted))
    }

    /// Old rows are deleted by a limit on this column.
    pub fn is_retired_by(&self, column: &str) -> bool {
        self.retention.iter().any(|old| old.column == column)
    }

    /// Identity and weight of the logged statements that find rows of the table by condition.
    pub fn weights(&self) -> Vec<(i64, f64)> {
        let logged = self.statements.iter().filter(|_| self.basis == Basis::Log);
        logged.map(|w| (w.statement.id, w.weight)).collect()
    }

    /// Home share of a key: of all its columns together, the least.
    pub(super) fn home(&self, key: &[String]) -> f64 {
        let families = &self.context.families;
        let of = |c: &String| {
            families.of(&self.table.name, c).and_then(|f| self.context.homes.get(&f)).copied().unwrap_or(0.0)
        };
        key.iter().map(of).fold(f64::INFINITY, f64::min).min(1.0)
    }

    /// The column holds dates or timestamps.
    pub(super) fn is_time(&self, column: &str) -> bool {
        self.table.column(column).is_some_and(|c| is_time(&c.type_name))
    }

    /// Bytes of the rows' text: counted, told or estimated.
    pub(super) fn text_bytes(&self) -> Option<u64> {
        self.profile.map(|p| p.text_bytes).or_else(|| self.context.bytes(&self.table.name).map(|b| b as u64))
    }

    fn gather(&mut self) {
        let mut inserted = 0.0;
        for weighed in self.context.on(&self.table.name) {
            if self.uses(&weighed.statement).all(|u| u.inserted) {
                self.insert_calls += weighed.statement.calls;
                inserted += weighed.weight;
            } else {
                self.calls += weighed.statement.calls;
                self.statements.push(weighed.clone());
            }
        }
        let total: f64 = self.statements.iter().map(|s| s.weight).sum();
        self.weight = if self.statements.is_empty() { inserted } else { total }.max(UNSEEN);
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

/// What a table counts for that no statement touches. Assumed: one statement in a thousand.
const UNSEEN: f64 = 0.001;
/// Part of an assumed statement's cost that counts: enough to put keys in an order, too little to speak against
/// sharding. Assumed.
const ASSUMED_OVERHEAD: f64 = 0.2;

/// Without statements: rows are found by the whole primary key twice as often as by foreign keys. Assumed.
fn assumed(table: &Table) -> Vec<Weighed<'static>> {
    let lookup = |columns: &[String], weight: f64| {
        let mut pinned = columns.to_vec();
        pinned.sort();
        let found = TableUse { pinned, ..TableUse::of(table.name.clone()) };
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
