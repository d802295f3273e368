//! Small schemas, logs and profiles for the planner's tests, written as shortly as they can be read.
#![allow(clippy::unwrap_used)]

use foreshard_core::model::node::Location;
use foreshard_core::model::profile::HeavyHitter;
use foreshard_core::model::schema::{Column, ForeignKey, Schema, Table, TableName, UniqueKey};
use foreshard_core::model::statement::StatementKind;
use foreshard_core::model::workload::{Coverage, Family, JoinEdge, StatementUse, TableUse, Workload, WorkloadProfile};
use foreshard_core::model::{Candidate, ColumnProfile, Config, Interrupts, Node, Plan, Problem, TableProfile};
use foreshard_core::plan::{PlacedTable, PlanInput, TableSize, plan};
use std::collections::BTreeMap;

pub(crate) fn name(table: &str) -> TableName {
    TableName::new("public", table)
}

/// Columns as `name`, `name:type`; `!` at the end of a name: unique by default; `?`: may be null.
pub(crate) fn table(table: &str, columns: &[&str], primary: &[&str]) -> Table {
    Table {
        name: name(table),
        columns: columns.iter().map(|c| column(c)).collect(),
        unique_keys: if primary.is_empty() {
            Vec::new()
        } else {
            vec![UniqueKey { name: format!("{table}_pkey"), columns: strings(primary), primary: true }]
        },
        foreign_keys: Vec::new(),
    }
}

fn column(text: &str) -> Column {
    let (name, type_name) = text.split_once(':').unwrap_or((text, "integer"));
    let bare = name.trim_end_matches(['!', '?']);
    Column {
        name: bare.to_owned(),
        type_name: type_name.to_owned(),
        not_null: !name.ends_with('?'),
        generated: false,
        unique_by_default: name.ends_with('!'),
        hashable: type_name != "json",
        orderable: type_name != "json" && type_name != "xid",
    }
}

pub(crate) fn link(mut from: Table, columns: &[&str], to: &str, referenced: &[&str]) -> Table {
    let number = from.foreign_keys.len();
    from.foreign_keys.push(ForeignKey {
        name: format!("{}_fk{number}", from.name.name),
        columns: strings(columns),
        references: name(to),
        referenced_columns: strings(referenced),
    });
    from
}

pub(crate) fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

/// One reference to a table: `t("orders").pin("o_id")…`
pub(crate) fn t(table: &str) -> TableUse {
    TableUse::of(name(table))
}

pub(crate) trait Uses: Sized {
    fn pin(self, columns: &[&str]) -> Self;
    fn range(self, columns: &[&str]) -> Self;
    /// Limited from below only.
    fn above(self, columns: &[&str]) -> Self;
    fn join(self, column: &str, other: &str, other_column: &str) -> Self;
    fn set(self, columns: &[&str]) -> Self;
}

impl Uses for TableUse {
    fn pin(mut self, columns: &[&str]) -> Self {
        self.pinned = strings(columns);
        self.pinned.sort();
        self
    }
    fn range(mut self, columns: &[&str]) -> Self {
        self.ranged = strings(columns);
        self
    }
    fn above(mut self, columns: &[&str]) -> Self {
        self = self.range(columns);
        self.above = strings(columns);
        self
    }
    fn join(mut self, column: &str, other: &str, other_column: &str) -> Self {
        self.joined.push(JoinEdge {
            column: column.to_owned(),
            other: name(other),
            other_column: other_column.to_owned(),
        });
        self.joined.sort();
        self
    }
    fn set(mut self, columns: &[&str]) -> Self {
        self.updated = strings(columns);
        self
    }
}

#[derive(Default)]
pub(crate) struct Log(Vec<StatementUse>, Vec<Family>);

impl Log {
    fn add(mut self, kind: StatementKind, calls: f64, total_ms: f64, tables: Vec<TableUse>) -> Self {
        let id = self.0.len() as i64 + 1;
        self.0.push(StatementUse { id, text: format!("statement {id}"), kind, calls, total_ms, rows: calls, tables });
        self
    }
    pub(crate) fn select(self, calls: f64, tables: Vec<TableUse>) -> Self {
        self.add(StatementKind::Select, calls, calls * 0.2, tables)
    }
    pub(crate) fn report(self, calls: f64, total_ms: f64, tables: Vec<TableUse>) -> Self {
        self.add(StatementKind::Select, calls, total_ms, tables)
    }
    pub(crate) fn update(self, calls: f64, mut one: TableUse) -> Self {
        one.written = true;
        self.add(StatementKind::Update, calls, calls * 0.3, vec![one])
    }
    pub(crate) fn delete(self, calls: f64, mut one: TableUse) -> Self {
        one.written = true;
        self.add(StatementKind::Delete, calls, calls * 0.3, vec![one])
    }
    /// A DELETE of old rows that takes so many at a time.
    pub(crate) fn retention(mut self, calls: f64, rows_each: f64, table: &str, column: &str) -> Self {
        self = self.delete(calls, t(table).range(&[column]));
        let last = self.0.iter_mut().last().unwrap();
        (last.rows, last.total_ms) = (calls * rows_each, calls * rows_each * 0.002);
        self
    }
    pub(crate) fn insert(self, calls: f64, table: &str) -> Self {
        let mut one = t(table);
        one.written = true;
        one.inserted = true;
        self.add(StatementKind::Insert, calls, calls * 0.3, vec![one])
    }
    pub(crate) fn family(mut self, members: &[(&str, &str)]) -> Self {
        let mut members: Vec<(TableName, String)> = members.iter().map(|(t, c)| (name(t), (*c).to_owned())).collect();
        members.sort();
        self.1.push(Family { members });
        self
    }
    pub(crate) fn build(self, profile: WorkloadProfile) -> Workload {
        let calls: f64 = self.0.iter().map(|s| s.calls).sum();
        let total_ms: f64 = self.0.iter().map(|s| s.total_ms).sum();
        Workload {
            coverage: Coverage {
                statements: self.0.len() as u64,
                calls,
                total_ms,
                understood_calls: 1.0,
                understood_ms: 1.0,
                not_understood: Vec::new(),
            },
            profile,
            statements: self.0,
            families: self.1,
            transactions: Vec::new(),
            same_values: Vec::new(),
            loads: Vec::new(),
        }
    }
    pub(crate) fn oltp(self) -> Workload {
        self.build(WorkloadProfile::Oltp)
    }
}

/// `(column, distinct values, all equally frequent)`; few values are counted exactly, the rest are estimates.
pub(crate) fn profile(rows: u64, row_bytes: u64, columns: &[(&str, u64)]) -> TableProfile {
    let columns = columns
        .iter()
        .map(|(name, distinct)| {
            let exact = *distinct <= 1024;
            let heavy = (1..=*distinct)
                .take(if exact { 1024 } else { 0 })
                .map(|v| HeavyHitter { value: v.to_string(), count: rows / distinct })
                .collect();
            ColumnProfile {
                name: (*name).to_owned(),
                distinct: *distinct,
                distinct_exact: exact,
                nulls: 0,
                mean_width: 4.0,
                max_width: 8,
                heavy,
                monotonicity: 0.0,
                quantiles: (0..=100).map(|i| (i * distinct / 100).to_string()).collect(),
            }
        })
        .collect();
    TableProfile { rows, text_bytes: rows * row_bytes, columns, pairs: Vec::new() }
}

pub(crate) fn nodes(names: &[&str]) -> Vec<Node> {
    let node = |name: &&str| Node {
        name: (*name).to_owned(),
        location: Location::Tablespace((*name).to_owned()),
        capacity: 1.0,
        zone: String::new(),
        serves: Vec::new(),
        active: true,
        free_bytes: None,
        measured: None,
    };
    names.iter().map(node).collect()
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) schema: Schema,
    pub(crate) workload: Workload,
    pub(crate) profile: Option<TableProfile>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) config: Config,
    pub(crate) sizes: BTreeMap<TableName, TableSize>,
    pub(crate) placed: Vec<PlacedTable>,
}

impl World {
    pub(crate) fn new(tables: Vec<Table>, workload: Workload) -> Self {
        Self {
            schema: Schema::new(tables),
            workload,
            profile: None,
            nodes: nodes(&["a", "b"]),
            config: Config::default(),
            sizes: BTreeMap::new(),
            placed: Vec::new(),
        }
    }
    pub(crate) fn profiled(mut self, profile: TableProfile) -> Self {
        self.profile = Some(profile);
        self
    }
    /// `(table, rows, bytes)`
    pub(crate) fn sized(mut self, sizes: &[(&str, u64, u64)]) -> Self {
        let size = |(table, rows, bytes): &(&str, u64, u64)| {
            (name(table), TableSize { rows: Some(*rows), bytes: Some(*bytes) })
        };
        self.sizes.extend(sizes.iter().map(size));
        self
    }
    pub(crate) fn config(mut self, json: serde_json::Value) -> Self {
        self.config = Config::read(&json).unwrap();
        self
    }
    pub(crate) fn input(&self, table: &str) -> PlanInput<'_> {
        PlanInput {
            target: name(table),
            source: name(table),
            schema: &self.schema,
            workload: &self.workload,
            likeness: None,
            profile: self.profile.as_ref(),
            sizes: &self.sizes,
            placed: &self.placed,
            nodes: &self.nodes,
            config: &self.config,
            outlook: None,
            notes: Vec::new(),
            basis: "query log".to_owned(),
            interrupts: Interrupts::default(),
        }
    }
    pub(crate) fn try_plan(&self, table: &str) -> Result<Plan, Vec<Problem>> {
        plan(&self.input(table))
    }
    pub(crate) fn plan(&self, table: &str) -> Plan {
        self.try_plan(table).unwrap()
    }
}

pub(crate) fn chosen(plan: &Plan) -> &Candidate {
    &plan.candidates[plan.chosen]
}

/// `hash(customer_id)`, `none()`
pub(crate) fn choice(plan: &Plan) -> String {
    let candidate = chosen(plan);
    let within = candidate.within.as_ref().map(|w| format!(" {}({})", w.method.name(), w.key.join(",")));
    format!("{}({}){}", candidate.method.name(), candidate.key.join(","), within.unwrap_or_default())
}

/// Candidates with cost and parts, for a failing test.
pub(crate) fn table_of(plan: &Plan) -> String {
    let line = |c: &Candidate| {
        format!(
            "{:.3} {}({}) {:?} x{} {:?} {:?}",
            c.cost,
            c.method.name(),
            c.key.join(","),
            c.within.as_ref().map(|w| w.key.join(",")),
            c.shard_count,
            c.rejected,
            c.evidence.cost_parts
        )
    };
    plan.candidates.iter().map(line).collect::<Vec<_>>().join("\n")
}
