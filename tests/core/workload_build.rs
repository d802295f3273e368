//! Statement trees and schemas by hand, in few words: there is no SQL parser in the core.

use foreshard_core::model::schema::{Column, ForeignKey, Schema, Table, TableName, UniqueKey};
use foreshard_core::model::statement::{Expr, FromItem, Query, StatementKind, SubqueryLink, TableRef};
use foreshard_core::model::workload::{JoinEdge, LogEntry, TableUse, Workload};
use foreshard_core::workload::{AnalyzeOptions, analyze};

/// `"a"`, `"t.a"` or `"s.t.a"`.
pub(crate) fn col(path: &str) -> Expr {
    Expr::Column(path.split('.').map(str::to_owned).collect())
}

pub(crate) fn val() -> Expr {
    Expr::Value
}

pub(crate) fn cmp(left: Expr, op: &str, right: Expr) -> Expr {
    Expr::Compare { op: op.to_owned(), left: Box::new(left), right: Box::new(right) }
}

/// `left = right`, both columns.
pub(crate) fn eq(left: &str, right: &str) -> Expr {
    cmp(col(left), "=", col(right))
}

/// `column = $n`
pub(crate) fn pin(column: &str) -> Expr {
    cmp(col(column), "=", val())
}

pub(crate) fn in_list(test: Expr, items: Option<usize>) -> Expr {
    Expr::In { test: Box::new(test), items, negated: false }
}

pub(crate) fn between(column: &str) -> Expr {
    Expr::Between { test: Box::new(col(column)), low: Box::new(val()), high: Box::new(val()), negated: false }
}

pub(crate) fn like(column: &str, prefix: bool) -> Expr {
    Expr::Like { test: Box::new(col(column)), pattern: Box::new(val()), prefix, negated: false }
}

pub(crate) fn all_of(items: Vec<Expr>) -> Expr {
    Expr::And(items)
}

pub(crate) fn any_of(items: Vec<Expr>) -> Expr {
    Expr::Or(items)
}

pub(crate) fn not(item: Expr) -> Expr {
    Expr::Not(Box::new(item))
}

pub(crate) fn row(columns: &[&str]) -> Expr {
    Expr::Row(columns.iter().map(|c| col(c)).collect())
}

pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Call { name: name.to_owned(), args }
}

pub(crate) fn exists(query: Query) -> Expr {
    Expr::Subquery { link: SubqueryLink::Exists, test: None, query: Box::new(query) }
}

pub(crate) fn in_query(test: Expr, query: Query) -> Expr {
    Expr::Subquery { link: SubqueryLink::EqualsAny, test: Some(Box::new(test)), query: Box::new(query) }
}

pub(crate) fn scalar(query: Query) -> Expr {
    Expr::Subquery { link: SubqueryLink::Scalar, test: None, query: Box::new(query) }
}

/// `"t"`, `"t x"` (alias) or `"s.t x"`.
pub(crate) fn table_ref(text: &str) -> TableRef {
    let (name, alias) = text.split_once(' ').map_or((text, None), |(n, a)| (n, Some(a.to_owned())));
    let (schema, name) = name.split_once('.').map_or((None, name), |(s, n)| (Some(s.to_owned()), n));
    TableRef { schema, name: name.to_owned(), alias }
}

pub(crate) fn table(text: &str) -> FromItem {
    FromItem::Table(table_ref(text))
}

pub(crate) fn sub(alias: &str, query: Query) -> FromItem {
    FromItem::Subquery { alias: Some(alias.to_owned()), query: Box::new(query) }
}

fn join_of(left: FromItem, right: FromItem, outer: bool, on: Option<Expr>, using: &[&str], natural: bool) -> FromItem {
    let using = using.iter().map(|c| (*c).to_owned()).collect();
    FromItem::Join { left: Box::new(left), right: Box::new(right), outer, on, using, natural }
}

pub(crate) fn join(left: FromItem, right: FromItem, on: Expr) -> FromItem {
    join_of(left, right, false, Some(on), &[], false)
}

pub(crate) fn left_join(left: FromItem, right: FromItem, on: Expr) -> FromItem {
    join_of(left, right, true, Some(on), &[], false)
}

pub(crate) fn join_using(left: FromItem, right: FromItem, using: &[&str]) -> FromItem {
    join_of(left, right, false, None, using, false)
}

pub(crate) fn natural_join(left: FromItem, right: FromItem) -> FromItem {
    join_of(left, right, false, None, &[], true)
}

/// A query, clause by clause.
pub(crate) trait Clauses: Sized {
    fn from(self, item: FromItem) -> Self;
    fn filter(self, condition: Expr) -> Self;
    /// Output columns, `"*"` for all.
    fn outputs(self, columns: &[&str]) -> Self;
    fn output(self, alias: &str, expr: Expr) -> Self;
    fn group(self, columns: &[&str]) -> Self;
    fn order(self, columns: &[&str]) -> Self;
    fn set(self, column: &str, value: Expr) -> Self;
    fn with(self, name: &str, query: Query) -> Self;
    fn distinct(self) -> Self;
    fn limit(self) -> Self;
}

impl Clauses for Query {
    fn from(mut self, item: FromItem) -> Self {
        self.from.push(item);
        self
    }

    fn filter(mut self, condition: Expr) -> Self {
        self.filter = Some(condition);
        self
    }

    fn outputs(mut self, columns: &[&str]) -> Self {
        self.outputs.extend(columns.iter().map(|c| (None, if *c == "*" { Expr::Star } else { col(c) })));
        self
    }

    fn output(mut self, alias: &str, expr: Expr) -> Self {
        self.outputs.push((Some(alias.to_owned()), expr));
        self
    }

    fn group(mut self, columns: &[&str]) -> Self {
        self.group_by.extend(columns.iter().map(|c| col(c)));
        self
    }

    fn order(mut self, columns: &[&str]) -> Self {
        self.order_by.extend(columns.iter().map(|c| col(c)));
        self
    }

    fn set(mut self, column: &str, value: Expr) -> Self {
        self.assigned.push((column.to_owned(), value));
        self
    }

    fn with(mut self, name: &str, query: Query) -> Self {
        self.ctes.push((name.to_owned(), query));
        self
    }

    fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    fn limit(mut self) -> Self {
        self.limited = true;
        self
    }
}

/// `SELECT … FROM the tables`
pub(crate) fn select(tables: &[&str]) -> Query {
    tables.iter().fold(Query::new(StatementKind::Select), |q, t| q.from(table(t)))
}

pub(crate) fn union(sides: Vec<Query>) -> Query {
    Query { set_operands: sides, ..Query::new(StatementKind::Select) }
}

fn writing(kind: StatementKind, target: &str) -> Query {
    Query { target: Some(table_ref(target)), ..Query::new(kind) }
}

pub(crate) fn insert(target: &str, columns: &[&str]) -> Query {
    Query { inserted: columns.iter().map(|c| (*c).to_owned()).collect(), ..writing(StatementKind::Insert, target) }
}

pub(crate) fn update(target: &str) -> Query {
    writing(StatementKind::Update, target)
}

pub(crate) fn delete(target: &str) -> Query {
    writing(StatementKind::Delete, target)
}

pub(crate) fn merge(target: &str) -> Query {
    writing(StatementKind::Merge, target)
}

pub(crate) fn copy_from(target: &str) -> Query {
    writing(StatementKind::Copy, target)
}

/// A table of schema public. `columns`: `"a b c:text"`, bigint where no type is said (`~` stands for a space in it);
/// `keys`: the primary key first, then unique ones, columns separated by spaces.
pub(crate) fn a_table(name: &str, columns: &str, keys: &[&str]) -> Table {
    let column = |text: &str| {
        let (name, type_name) = text.split_once(':').unwrap_or((text, "bigint"));
        Column {
            name: name.to_owned(),
            type_name: type_name.replace('~', " "),
            not_null: false,
            generated: false,
            unique_by_default: false,
            hashable: true,
            orderable: true,
        }
    };
    let key = |(i, text): (usize, &&str)| UniqueKey {
        name: format!("{name}_key{i}"),
        columns: text.split_whitespace().map(str::to_owned).collect(),
        primary: i == 0,
    };
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    Table {
        name: TableName::new(schema, name),
        columns: columns.split_whitespace().map(column).collect(),
        unique_keys: keys.iter().enumerate().map(key).collect(),
        foreign_keys: Vec::new(),
    }
}

/// Adds a foreign key: `"a b"` -> `"x y"` of `references`.
pub(crate) fn references(mut table: Table, columns: &str, references: &str, referenced: &str) -> Table {
    let list = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    table.foreign_keys.push(ForeignKey {
        name: format!("fk{}", table.foreign_keys.len()),
        columns: list(columns),
        references: TableName::new("public", references),
        referenced_columns: list(referenced),
    });
    table
}

/// An entry of 10 calls, 1 ms and 1 row each.
pub(crate) fn entry(id: i64, query: Query) -> LogEntry {
    LogEntry { id, text: format!("statement {id}"), calls: 10.0, total_ms: 10.0, rows: 10.0, parsed: Ok(vec![query]) }
}

pub(crate) fn read(schema: &Schema, log: &[LogEntry]) -> Workload {
    analyze(schema, log, &AnalyzeOptions::default())
}

/// The table uses of one statement.
pub(crate) fn uses(schema: &Schema, query: Query) -> Vec<TableUse> {
    read(schema, &[entry(1, query)]).statements.into_iter().flat_map(|s| s.tables).collect()
}

/// One use in a line: `orders w pin(a b) list(c) join(a=users.id)`; parts that are empty are left out.
pub(crate) fn line(table_use: &TableUse) -> String {
    let short = |t: &TableName| if t.schema == "public" { t.name.clone() } else { t.to_string() };
    let mut text = short(&table_use.table);
    if table_use.written {
        text.push_str(" w");
    }
    if table_use.inserted {
        text.push_str(" ins");
    }
    let edge = |e: &JoinEdge| format!("{}={}.{}", e.column, short(&e.other), e.other_column);
    for (label, list) in [
        ("pin", table_use.pinned.clone()),
        ("list", table_use.listed.clone()),
        ("range", table_use.ranged.clone()),
        ("match", table_use.matched.clone()),
        ("join", table_use.joined.iter().map(edge).collect()),
        ("group", table_use.grouped.clone()),
        ("order", table_use.ordered.clone()),
        ("set", table_use.updated.clone()),
    ] {
        if !list.is_empty() {
            text.push_str(&format!(" {label}({})", list.join(" ")));
        }
    }
    text
}

pub(crate) fn lines(schema: &Schema, query: Query) -> Vec<String> {
    uses(schema, query).iter().map(line).collect()
}

/// Each family in a line: `t.a u.b`.
pub(crate) fn families(workload: &Workload) -> Vec<String> {
    let member = |(t, c): &(TableName, String)| format!("{}.{c}", t.name);
    workload.families.iter().map(|f| f.members.iter().map(member).collect::<Vec<_>>().join(" ")).collect()
}
