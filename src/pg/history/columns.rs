//! A relation with a time and the loads beside it: which column is what, and their samples.

use super::{MAX_ROWS, cut, finite, unix, unreadable};
use crate::pg::error::Result;
use crate::pg::ffi;
use foreshard_core::forecast::by_littles_law;
use foreshard_core::model::words::list;
use foreshard_core::model::{LoadHistory, Measured, Metric, NamedColumns, Problem, TableName};
use pgrx::prelude::*;

const TIMES: [&str; 3] = ["timestamp with time zone", "timestamp without time zone", "date"];
const NUMBERS: [&str; 6] = ["smallint", "integer", "bigint", "real", "double precision", "numeric"];
/// Names that a time is found by where a relation has several, the likeliest first.
const TIME_NAMES: [&str; 7] = ["time", "ts", "at", "sampled_at", "taken_at", "taken", "captured_at"];

/// Columns that a message lists.
const LISTED: usize = 12;

/// A column's name and type.
type Typed = (String, String);

/// A time and the loads beside it.
#[derive(Debug)]
pub(super) struct Columns {
    relation: TableName,
    /// What is read: the relation, or a query in brackets.
    from: String,
    time: String,
    metrics: Vec<(Metric, String)>,
}

impl Columns {
    /// `any` takes all numbers for loads where no column has the name of one.
    pub(super) fn of(name: &TableName, columns: &[Typed], named: &NamedColumns, any: bool) -> Result<Self> {
        let mut problems = Vec::new();
        let time = time_column(name, columns, named.time.as_deref()).map_err(|p| problems.push(p)).ok();
        let metrics = metrics(name, columns, time.as_deref(), &named.metrics, any, &mut problems);
        match time.filter(|_| problems.is_empty()) {
            Some(time) => Ok(Self { relation: name.clone(), from: ffi::quote_table(name), time, metrics }),
            None => Err(problems.into()),
        }
    }

    /// Of a query that gives a column `time`.
    pub(super) fn by_query(name: &TableName, query: &str, metrics: &[(Metric, &str)]) -> Self {
        let metrics = metrics.iter().map(|(metric, column)| (*metric, (*column).to_owned())).collect();
        Self { relation: name.clone(), from: format!("({query})"), time: "time".to_owned(), metrics }
    }

    pub(super) fn fetch(&self) -> Result<LoadHistory> {
        let values = self.metrics.iter().map(|(_, c)| format!(", l.{}::pg_catalog.float8", ffi::quote_ident(c)));
        // Of rows with one time the order must not depend on where they lie.
        let places: Vec<String> = (1..=self.metrics.len() + 1).map(|n| format!("{n} DESC")).collect();
        let query = format!(
            "SELECT {}{} FROM {} l WHERE {} ORDER BY {} LIMIT {}",
            unix(&self.time),
            values.collect::<String>(),
            self.from,
            finite(&self.time),
            places.join(", "),
            MAX_ROWS + 1 // One more shows that there are more.
        );
        let mut samples: Vec<Vec<(i64, f64)>> = vec![Vec::new(); self.metrics.len()];
        let mut rows = 0;
        let mut oldest = None;
        let fetched = ffi::subtransaction(true, || {
            Ok(Spi::connect(|client| {
                for row in client.select(&query, None, &[])? {
                    rows += 1;
                    if rows > MAX_ROWS {
                        break;
                    }
                    let Some(time) = row.get::<i64>(1)? else { continue };
                    for (place, samples) in (2..).zip(&mut samples) {
                        samples.extend(row.get::<f64>(place)?.map(|value| (time, value)));
                    }
                    oldest = Some(time);
                }
                Ok::<_, pgrx::spi::Error>(())
            })?)
        });
        fetched.map_err(|e| unreadable(e, &self.relation))?;
        let notes = if rows > MAX_ROWS { vec![cut(oldest)] } else { Vec::new() };
        let measured = self.metrics.iter().zip(samples).map(|((metric, name), mut samples)| {
            samples.reverse();
            Measured { metric: *metric, name: name.clone(), samples }
        });
        let mut measured: Vec<Measured> = measured.collect();
        measured.extend(by_littles_law(&measured));
        Ok(LoadHistory { source: self.relation.to_string(), measured, notes })
    }
}

pub(super) fn time_column(
    name: &TableName,
    columns: &[Typed],
    named: Option<&str>,
) -> std::result::Result<String, Problem> {
    if let Some(column) = named {
        return typed(name, columns, column, &TIMES, "a point in time");
    }
    let times: Vec<&str> =
        columns.iter().filter(|(_, t)| TIMES.contains(&t.as_str())).map(|(c, _)| c.as_str()).collect();
    match times.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Problem::new("42703", format!("load history \"{name}\" has no time"))
            .detail(format!("None of its columns is a timestamp or a date: {}.", of(columns)))
            .hint("Each row needs the time at which it was measured.")),
        several => match TIME_NAMES.into_iter().find(|usual| several.contains(usual)) {
            Some(usual) => Ok(usual.to_owned()),
            None => Err(Problem::new("42702", format!("load history \"{name}\" has several times"))
                .detail(format!("They are {}.", list(several, LISTED)))
                .hint("Name the one at which the load was measured in \"time\".")),
        },
    }
}

fn metrics(
    name: &TableName,
    columns: &[Typed],
    time: Option<&str>,
    named: &[(Metric, String)],
    any: bool,
    problems: &mut Vec<Problem>,
) -> Vec<(Metric, String)> {
    let mut found = Vec::new();
    for (metric, column) in named {
        match typed(name, columns, column, &NUMBERS, "a number") {
            Ok(column) => found.push((*metric, column)),
            Err(problem) => problems.push(problem),
        }
    }
    let number = |column: &str| columns.iter().any(|(c, t)| c == column && NUMBERS.contains(&t.as_str()));
    for metric in [Metric::Rate, Metric::MeanMs, Metric::Sessions, Metric::Bytes, Metric::Rows] {
        let free = |column: &&&str| number(column) && !named.iter().any(|(_, c)| c == **column);
        let missing = !named.iter().any(|(m, _)| *m == metric);
        // Who names a column of no known kind means that one.
        if missing && !named.iter().any(|(m, _)| *m == Metric::Value) {
            found.extend(metric.usual_names().iter().find(free).map(|column| (metric, (*column).to_owned())));
        }
    }
    if found.is_empty() && any {
        found.extend(columns.iter().map(|(c, _)| c).filter(|c| number(c)).map(|c| (Metric::Value, c.clone())));
    }
    if found.is_empty() && problems.is_empty() {
        let beside: Vec<Typed> = columns.iter().filter(|(c, _)| Some(c.as_str()) != time).cloned().collect();
        problems.push(
            Problem::new("42703", format!("load history \"{name}\" has no load"))
                .detail(format!("None of its columns is known to be one: {}.", of(&beside)))
                .hint("Name a column in \"rate\" (statements a second), \"mean_ms\", \"sessions\", \"bytes\" or \"rows\"."),
        );
    }
    found.sort();
    found
}

fn typed(
    name: &TableName,
    columns: &[Typed],
    column: &str,
    types: &[&str],
    what: &str,
) -> std::result::Result<String, Problem> {
    match columns.iter().find(|(c, _)| c == column) {
        Some((column, found)) if types.contains(&found.as_str()) => Ok(column.clone()),
        Some((column, found)) => {
            Err(Problem::new("42804", format!("column \"{column}\" of the load history is not {what}"))
                .detail(format!("In \"{name}\" it is of type {found}."))
                .hint(format!("Name a column of type {}.", list(types, LISTED).replace(" and ", " or "))))
        }
        None => Err(Problem::new("42703", format!("column \"{column}\" of the load history does not exist"))
            .detail(format!("\"{name}\" has the columns {}.", of(columns)))
            .hint("Names are as the relation has them, case included.")),
    }
}

fn of(columns: &[Typed]) -> String {
    let named: Vec<&str> = columns.iter().map(|(c, _)| c.as_str()).collect();
    if named.is_empty() { "there are none".to_owned() } else { list(&named, LISTED) }
}
