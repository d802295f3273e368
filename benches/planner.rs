//! How long a large log takes to analyse and to plan: `cargo run --release -p foreshard-core --example planner`.
//!
//! Synthetic: tenants' tables in chains of foreign keys, statements that find rows by tenant, by key, by a parent's key, or
//! join a table with its parent; the statements are distinct and their calls follow Zipf's law. Prints one line a size.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use foreshard_core::model::node::Location;
use foreshard_core::model::schema::{Column, ForeignKey, UniqueKey};
use foreshard_core::model::statement::TableRef;
use foreshard_core::model::workload::LogEntry;
use foreshard_core::model::{Config, Expr, FromItem, Interrupts, Node, Query, Schema, StatementKind, Table, TableName};
use foreshard_core::plan::{PlanInput, plan};
use foreshard_core::workload::{AnalyzeOptions, analyze};
use std::collections::BTreeMap;
use std::time::Instant;

const MODULES: usize = 10;

fn column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        type_name: "bigint".to_owned(),
        not_null: true,
        generated: false,
        unique_by_default: name == "id",
        hashable: true,
        orderable: true,
    }
}

fn schema(tables: usize) -> Schema {
    let table = |i: usize| {
        let parent = (i >= MODULES).then(|| format!("t{}", i - MODULES));
        let mut columns: Vec<Column> = ["id", "tenant_id", "state", "created", "kind", "amount"].map(column).into();
        columns.extend(parent.iter().map(|_| column("parent_id")));
        let links = parent.map(|p| ForeignKey {
            name: format!("t{i}_parent"),
            columns: vec!["parent_id".to_owned()],
            references: TableName::new("public", p),
            referenced_columns: vec!["id".to_owned()],
        });
        Table {
            name: TableName::new("public", format!("t{i}")),
            columns,
            unique_keys: vec![UniqueKey { name: format!("t{i}_pkey"), columns: vec!["id".to_owned()], primary: true }],
            foreign_keys: links.into_iter().collect(),
        }
    };
    Schema::new((0..tables).map(table).collect())
}

fn equals(table: &str, name: &str, to: Expr) -> Expr {
    let left = Box::new(Expr::Column(vec![table.to_owned(), name.to_owned()]));
    Expr::Compare { op: "=".to_owned(), left, right: Box::new(to) }
}

fn statement(i: usize, tables: usize) -> Query {
    let at = (i * 7919) % tables;
    let name = format!("t{at}");
    let refer = |name: &str| TableRef { schema: None, name: name.to_owned(), alias: None };
    let shape = i / tables % 6;
    let mut query = Query::new(match shape {
        3 => StatementKind::Update,
        4 => StatementKind::Insert,
        _ => StatementKind::Select,
    });
    if matches!(shape, 3 | 4) {
        query.target = Some(refer(&name));
    } else {
        query.from.push(FromItem::Table(refer(&name)));
    }
    let pin = |column: &str| equals(&name, column, Expr::Value);
    query.filter = match shape {
        0 => Some(pin("tenant_id")),
        1 => Some(Expr::And(vec![pin("tenant_id"), pin("kind")])),
        2 => Some(pin("id")),
        3 => {
            query.assigned.push(("amount".to_owned(), Expr::Value));
            Some(Expr::And(vec![pin("tenant_id"), pin("id")]))
        }
        4 => None,
        _ if at >= MODULES => {
            let parent = format!("t{}", at - MODULES);
            query.from.push(FromItem::Table(refer(&parent)));
            let id = Expr::Column(vec![parent, "id".to_owned()]);
            Some(Expr::And(vec![equals(&name, "parent_id", id), pin("state")]))
        }
        _ => Some(pin("state")),
    };
    query
}

fn main() {
    for (statements, tables) in
        [(625, 200), (1_250, 200), (2_500, 200), (5_000, 200), (10_000, 200), (5_000, 50), (5_000, 400)]
    {
        let schema = schema(tables);
        let log: Vec<LogEntry> = (0..statements)
            .map(|i| {
                let calls = 1e6 / (1 + i) as f64;
                LogEntry {
                    id: i as i64,
                    text: format!("statement {i}"),
                    calls,
                    total_ms: calls * if i / tables % 6 == 5 { 40.0 } else { 0.2 },
                    rows: calls,
                    parsed: Ok(vec![statement(i, tables)]),
                }
            })
            .collect();
        let node = |name: &str| Node {
            name: name.to_owned(),
            location: Location::Tablespace(name.to_owned()),
            capacity: 1.0,
            zone: String::new(),
            serves: Vec::new(),
            active: true,
            free_bytes: None,
            measured: None,
        };
        let (nodes, config, sizes) = (["a", "b"].map(node), Config::default(), BTreeMap::new());
        let begun = Instant::now();
        let workload = analyze(&schema, &log, &AnalyzeOptions::default());
        let analysed = begun.elapsed();
        let target = TableName::new("public", "t42");
        let input = PlanInput {
            target: target.clone(),
            source: target,
            schema: &schema,
            workload: &workload,
            likeness: None,
            profile: None,
            sizes: &sizes,
            placed: &[],
            nodes: &nodes,
            config: &config,
            outlook: None,
            notes: Vec::new(),
            basis: "query log".to_owned(),
            interrupts: Interrupts::default(),
        };
        let plan = plan(&input).unwrap();
        let all = begun.elapsed();
        let chosen = &plan.candidates[plan.chosen];
        let joint = plan.joint.as_ref().unwrap();
        println!(
            "{statements:>6} statements, {tables:>3} tables: analysed in {:.2} s, planned in {:.2} s: {} on {}, beside {} tables, exact: {}",
            analysed.as_secs_f64(),
            (all - analysed).as_secs_f64(),
            chosen.method.name(),
            chosen.key.join(", "),
            joint.tables.len(),
            joint.exact
        );
    }
}
