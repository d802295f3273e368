//! What watched predicates add to the statements: how the look-ups spread over the values of a column, how many items a
//! list has, how many rows a condition on a period lets pass, and joins that the texts do not show.
//!
//! A value can be hot by its load without having many rows: an account that everybody looks at has one row. Constants are
//! counted and forgotten here; no value leaves this file.

use crate::model::quals::{Qual, WatchedColumn};
use crate::model::schema::{Schema, TableName};
use crate::model::workload::{ColumnLoad, JoinEdge, StatementUse};
use std::collections::BTreeMap;

/// Adds joins to the statements, and gives the load on each column that was watched. The order of `quals` does not matter;
/// predicates on tables or columns that the schema does not have are passed over.
pub fn observe(schema: &Schema, statements: &mut [StatementUse], quals: &[Qual]) -> Vec<ColumnLoad> {
    let mut columns: BTreeMap<(&TableName, &str), Seen<'_>> = BTreeMap::new();
    for qual in quals {
        let Some(left) = find(schema, &qual.left) else { continue };
        match &qual.right {
            Some(right) => {
                if let Some(right) = find(schema, right).filter(|_| qual.operator == "=") {
                    add_join(statements, qual.statement, left, right);
                }
            }
            None => columns.entry(left).or_default().add(qual),
        }
    }
    columns
        .into_iter()
        .map(|((table, column), seen)| seen.load(table, column))
        .filter(|load| load.seen > 0.0 || load.items.is_some() || load.passing.is_some())
        .collect()
}

fn find<'a>(schema: &'a Schema, (table, column): &'a WatchedColumn) -> Option<(&'a TableName, &'a str)> {
    let table = match &table.schema {
        Some(name) => schema.get(&TableName::new(name, &table.name)),
        None => schema.find_unqualified(&table.name),
    }?;
    Some((&table.name, table.column(column)?.name.as_str()))
}

/// Adds the join to the statement, on both sides, unless its text shows it.
fn add_join(statements: &mut [StatementUse], id: i64, left: (&TableName, &str), right: (&TableName, &str)) {
    let Some(statement) = statements.iter_mut().find(|s| s.id == id) else { return };
    let named = |table: &TableName| statement.tables.iter().filter(|u| u.table == *table).count();
    // Of a table that is named twice, nobody knows which of the two it was.
    if left.0 == right.0 || named(left.0) != 1 || named(right.0) != 1 {
        return;
    }
    for ((table, column), (other, other_column)) in [(left, right), (right, left)] {
        let edge = JoinEdge { column: column.to_owned(), other: other.clone(), other_column: other_column.to_owned() };
        let used = statement.tables.iter_mut().find(|u| u.table == *table && !u.joined.contains(&edge));
        if let Some(used) = used {
            used.joined.push(edge);
            used.joined.sort();
        }
    }
}

/// All predicates on one column.
#[derive(Debug, Default)]
struct Seen<'a> {
    values: BTreeMap<&'a str, f64>,
    /// Look-ups of one value each; of a list, one for each item.
    looked_up: f64,
    lists: f64,
    items: f64,
    /// Executions of conditions on a period, and the same times the share of rows that passed.
    spans: f64,
    passing: f64,
}

impl<'a> Seen<'a> {
    fn add(&mut self, qual: &'a Qual) {
        let executions = amount(qual.executions);
        match qual.operator.as_str() {
            "=" => {
                let Some(constant) = qual.constant.as_deref() else { return };
                match items(constant) {
                    Some(items) => {
                        self.lists += executions;
                        self.items += executions * items.len() as f64;
                        items.into_iter().for_each(|item| self.look_up(Some(item), executions));
                    }
                    None => self.look_up(scalar(constant), executions),
                }
            }
            // An index shows only the rows that passed.
            "<" | "<=" | ">" | ">=" if !qual.by_index && amount(qual.tested) > 0.0 => {
                let passed = 1.0 - (amount(qual.failed) / qual.tested).min(1.0);
                self.spans += executions;
                self.passing += executions * passed;
            }
            _ => {}
        }
    }

    /// A constant that was cut off counts among all, and as no value in particular.
    fn look_up(&mut self, value: Option<&'a str>, executions: f64) {
        self.looked_up += executions;
        if let Some(value) = value {
            *self.values.entry(value).or_default() += executions;
        }
    }

    fn load(self, table: &TableName, column: &str) -> ColumnLoad {
        let mean = |sum: f64, number: f64| (number > 0.0).then(|| sum / number);
        ColumnLoad {
            table: table.clone(),
            column: column.to_owned(),
            seen: self.looked_up,
            hottest: self.values.values().copied().fold(0.0, f64::max),
            items: mean(self.items, self.lists),
            passing: mean(self.passing, self.spans),
        }
    }
}

fn amount(value: f64) -> f64 {
    if value.is_finite() && value > 0.0 { value } else { 0.0 }
}

/// `'a'::text`, `3::integer` without the type; None where the constant was cut off.
fn scalar(constant: &str) -> Option<&str> {
    match constant.strip_prefix('\'') {
        Some(quoted) => quoted.rsplit_once("'::").map(|(value, _)| value),
        None => constant.split_once("::").map(|(value, _)| value),
    }
}

/// The items of `'{1,2,"a, b"}'::text[]`; None where it is no list, or not whole.
fn items(constant: &str) -> Option<Vec<&str>> {
    let (list, type_name) = constant.strip_prefix("'{")?.rsplit_once("}'::")?;
    if !type_name.ends_with("[]") {
        return None;
    }
    let (mut out, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in list.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                out.push(list.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !list.is_empty() {
        out.push(list.get(start..)?);
    }
    Some(out.into_iter().map(|item| item.trim_matches('"')).collect())
}
