//! The query log: pg_stat_statements, or any relation of its shape, read into parsed entries.
//!
//! The column names follow the version of the extension that made the relation, not the server's: they are looked up.

use super::error::{Error, Result};
use super::request::keep;
use super::{catalog, ffi, parse, quals};
use foreshard_core::model::quals::Qual;
use foreshard_core::model::workload::LogEntry;
use foreshard_core::model::{Config, Problem, Schema, TableName, Workload};
use foreshard_core::workload::{self, AnalyzeOptions};
use pgrx::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where the statements came from, in words, and the statements; none when there is no log.
#[derive(Debug)]
pub struct QueryLog {
    pub basis: String,
    pub entries: Vec<LogEntry>,
    /// Whether the log counts utility statements, as far as a setting of this server tells.
    pub utility_tracked: Option<bool>,
    /// Predicates that were watched at run time.
    pub quals: Vec<Qual>,
}

impl QueryLog {
    /// The statements, resolved against the schema, as the config wants them read.
    pub fn analyze(&self, schema: &Schema, config: &Config) -> Workload {
        let options = AnalyzeOptions {
            min_calls: config.min_calls.unwrap_or(0.0),
            profile: config.workload,
            interrupts: ffi::interrupts(),
            utility_tracked: self.utility_tracked,
            quals: self.quals.clone(),
        };
        workload::analyze(schema, &self.entries, &options)
    }

    fn none(basis: &str) -> Self {
        Self { basis: basis.to_owned(), entries: Vec::new(), utility_tracked: None, quals: Vec::new() }
    }
}

/// The log, and what was watched of its statements.
///
/// # Errors
/// 42P01 for a relation that does not exist, 42703 for one without the columns, 42501 without the right to read it; both
/// relations' problems together.
pub fn read(config: &Config, schema: Option<&str>) -> Result<QueryLog> {
    let mut problems = Vec::new();
    let log = keep(&mut problems, statements(config, schema));
    let (Some(mut log), Some(watched)) = (log, keep(&mut problems, quals::read(config, schema))) else {
        return Err(problems.into());
    };
    if let Some(basis) = watched.basis {
        log.basis = format!("{}, {basis}", log.basis);
    }
    log.quals = watched.quals;
    Ok(log)
}

fn statements(config: &Config, schema: Option<&str>) -> Result<QueryLog> {
    match config.query_log.as_deref() {
        Some("off") => Ok(QueryLog::none("no query log: the config says \"off\"")),
        Some(name) => {
            let name = catalog::resolve_name(name, schema)?;
            let log = relation(&name, false)?;
            Ok(log)
        }
        None => match catalog::extension_relation("pg_stat_statements")? {
            Some(name) => relation(&name, true),
            None => {
                pgrx::notice!("pg_stat_statements is not installed in this database: planning without a query log");
                Ok(QueryLog::none("no query log: pg_stat_statements is not installed in this database"))
            }
        },
    }
}

/// The whole texts of some statements: a log entry keeps the head of its own. Of several texts with one identity the first
/// in the order of texts.
pub fn texts(config: &Config, schema: Option<&str>, ids: &[i64]) -> Result<BTreeMap<i64, String>> {
    let (name, live) = match config.query_log.as_deref() {
        Some("off") => return Ok(BTreeMap::new()),
        Some(name) => (catalog::resolve_name(name, schema)?, false),
        None => match catalog::extension_relation("pg_stat_statements")? {
            Some(name) => (name, true),
            None => return Ok(BTreeMap::new()),
        },
    };
    let query = format!(
        "SELECT id, pg_catalog.min(text COLLATE \"C\") FROM ({}) AS log (id, text) WHERE id = ANY ($1) GROUP BY id",
        statements_of(&name, live)?
    );
    let fetched = ffi::subtransaction(true, || {
        Spi::connect(|client| {
            let rows = client.select(&query, None, &[ids.to_vec().into()])?;
            let rows = rows.map(|row| Ok(row.get(1)?.zip(row.get(2)?)));
            Ok(rows.filter_map(std::result::Result::transpose).collect::<std::result::Result<_, pgrx::spi::Error>>()?)
        })
    });
    fetched.map_err(|e| unreadable(e, &name))
}

fn relation(name: &TableName, live: bool) -> Result<QueryLog> {
    let query = statements_of(name, live)?;
    let entries = ffi::subtransaction(true, || fetch(&query)).map_err(|e| unreadable(e, name))?;
    if live && entries.iter().any(|e| e.text == INSUFFICIENT) {
        pgrx::notice!("some statements of the query log are hidden from this role: grant it pg_read_all_stats");
    }
    let what = if live { "pg_stat_statements".to_owned() } else { name.to_string() };
    let utility_tracked = if live { tracks_utility()? } else { None };
    Ok(QueryLog { basis: format!("query log {what}"), entries, utility_tracked, quals: Vec::new() })
}

/// The query that gives identity, text, calls, time and rows of each statement.
fn statements_of(name: &TableName, live: bool) -> Result<String> {
    let Some(columns) = catalog::column_names(name)? else {
        return Err(Problem::new("42P01", format!("query log \"{name}\" does not exist")).hint(HINT).into());
    };
    let first = |names: &[&str]| names.iter().find(|n| columns.iter().any(|c| c == *n)).map(|n| ffi::quote_ident(n));
    let time = first(&["total_exec_time", "total_time"]);
    let missing: Vec<&str> =
        [("query", first(&["query"])), ("calls", first(&["calls"])), ("total_exec_time", time.clone())]
            .into_iter()
            .filter_map(|(column, found)| found.is_none().then_some(column))
            .collect();
    if !missing.is_empty() {
        return Err(Problem::new("42703", format!("\"{name}\" is no query log"))
            .detail(format!("It has no column {}.", missing.join(", ")))
            .hint("A query log has the columns of pg_stat_statements.")
            .into());
    }
    let time = time.unwrap_or_default();
    let rows = first(&["rows"]).unwrap_or_else(|| "0".to_owned());
    let id = first(&["queryid"]).unwrap_or_else(|| "NULL".to_owned());
    // The view shows every database of the server, a copy what its maker put into it.
    let here = if live && first(&["dbid"]).is_some() {
        " WHERE l.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
    } else {
        ""
    };
    Ok(format!(
        "SELECT coalesce({id}::pg_catalog.int8, pg_catalog.hashtextextended(l.query::pg_catalog.text COLLATE \"C\", 0)), l.query::pg_catalog.text,
                l.calls::pg_catalog.float8, l.{time}::pg_catalog.float8, {rows}::pg_catalog.float8
         FROM {} l{here}",
        ffi::quote_table(name)
    ))
}

/// The setting of the log that is being filled; a copy may come from another server.
fn tracks_utility() -> Result<Option<bool>> {
    let setting = "SELECT pg_catalog.current_setting('pg_stat_statements.track_utility', true)";
    Ok(Spi::get_one::<String>(setting)?.map(|on| on == "on"))
}

/// The server's own error says what is wrong, but not in reading what.
pub fn came_up(error: Error, in_reading: &str, hint: &str) -> Error {
    let said = |mut problem: Problem| {
        problem.detail = Some(match problem.detail.take() {
            Some(detail) => format!("It came up in reading {in_reading}. {detail}"),
            None => format!("It came up in reading {in_reading}."),
        });
        if problem.hint.is_none() { problem.hint(hint) } else { problem }
    };
    error.into_problems().into_iter().map(said).collect::<Vec<_>>().into()
}

fn unreadable(error: Error, name: &TableName) -> Error {
    came_up(error, &format!("the query log \"{name}\""), HINT)
}

const HINT: &str = "Name a relation with the columns of pg_stat_statements, or \"off\".";

/// What pg_stat_statements shows in place of a text to those who may not see it.
const INSUFFICIENT: &str = "<insufficient privilege>";

fn fetch(query: &str) -> Result<Vec<LogEntry>> {
    let rows: Vec<(i64, Option<ffi::Text>, f64, f64, f64)> = Spi::connect(|client| {
        client
            .select(query, None, &[])?
            .map(|row| {
                Ok((
                    row.get(1)?.unwrap_or_default(),
                    row.get(2)?,
                    row.get(3)?.unwrap_or(f64::NAN),
                    row.get(4)?.unwrap_or_default(),
                    row.get(5)?.unwrap_or_default(),
                ))
            })
            .collect::<std::result::Result<_, pgrx::spi::Error>>()
    })?;
    let entry = |(id, text, calls, total_ms, rows): (i64, Option<ffi::Text>, f64, f64, f64)| {
        entry(id, text.map(|t| t.0), calls, total_ms, rows)
    };
    Ok(rows.into_iter().map(entry).collect())
}

fn entry(id: i64, bytes: Option<Vec<u8>>, calls: f64, total_ms: f64, rows: f64) -> LogEntry {
    let text = bytes.as_deref().map(String::from_utf8_lossy);
    let parsed = match text.as_deref() {
        None => Err("text is not kept".to_owned()),
        // Whoever made the log did not say in which encoding its texts are.
        Some(_) if matches!(text, Some(Cow::Owned(_))) => Err("text is not valid UTF-8".to_owned()),
        Some(INSUFFICIENT) => Err("text is hidden from this role".to_owned()),
        Some(text) => parse::statements(text),
    };
    let mut shown: String = text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if shown.len() > LogEntry::TEXT_LIMIT {
        let mut end = LogEntry::TEXT_LIMIT;
        while !shown.is_char_boundary(end) {
            end -= 1;
        }
        shown.truncate(end);
    }
    LogEntry { id, text: shown, calls, total_ms, rows, parsed }
}
