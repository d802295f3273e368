//! The query log: pg_stat_statements, or any relation of its shape, read into parsed entries.
//!
//! The column names follow the version of the extension that made the relation, not the server's: they are looked up.

use super::error::{Error, Result};
use super::request::keep;
use super::{catalog, ffi, parse, quals};
use foreshard_core::forecast::Counts;
use foreshard_core::model::quals::Qual;
use foreshard_core::model::statement::{Query, StatementKind};
use foreshard_core::model::workload::LogEntry;
use foreshard_core::model::{Config, Problem, Schema, TableName, Workload};
use foreshard_core::workload::{self, AnalyzeOptions, Counters};
use pgrx::prelude::*;
use pgrx::spi;
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
/// relations' problems together; 22023 for a "since" without a log.
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
    let Some((name, live)) = source(config, schema)? else {
        return match config.query_log {
            Some(_) if config.since.is_some() => Err(Problem::new("22023", "\"since\" goes with a query log")
                .detail("The config says \"query_log\": \"off\".")
                .hint("Leave one of them out.")
                .into()),
            Some(_) => Ok(QueryLog::none("no query log: the config says \"off\"")),
            None => {
                pgrx::notice!("pg_stat_statements is not installed in this database: planning without a query log");
                Ok(QueryLog::none("no query log: pg_stat_statements is not installed in this database"))
            }
        };
    };
    let log = Shape::of(&name)?;
    let mut basis = format!("query log {}", if live { "pg_stat_statements".to_owned() } else { name.to_string() });
    let rows = match config.since.as_deref() {
        None => log.fetch(live, &log.identity)?,
        Some(before) => {
            let before = Shape::of(&catalog::resolve_name(before, schema)?)?;
            basis += &format!(" since {}", before.name);
            let shared: Vec<&str> = log.identity.iter().copied().filter(|c| before.identity.contains(c)).collect();
            grown(log.fetch(live, &shared)?, before.fetch(false, &shared)?)
        }
    };
    let entries: Vec<LogEntry> = rows.into_iter().map(entry).collect();
    if live && entries.iter().any(|e| e.text == INSUFFICIENT) {
        pgrx::notice!("some statements of the query log are hidden from this role: grant it pg_read_all_stats");
    }
    let utility_tracked = if live { tracks_utility()? } else { None };
    Ok(QueryLog { basis, entries, utility_tracked, quals: Vec::new() })
}

/// The relation that is the log, and whether it is the one that is being filled; None where there is no log.
fn source(config: &Config, schema: Option<&str>) -> Result<Option<(TableName, bool)>> {
    match config.query_log.as_deref() {
        Some("off") => Ok(None),
        Some(name) => Ok(Some((catalog::resolve_name(name, schema)?, false))),
        None => Ok(catalog::extension_relation("pg_stat_statements")?.map(|name| (name, true))),
    }
}

/// One row of a log as it is.
#[derive(Debug)]
struct Row {
    id: i64,
    /// With the id, what makes a row of pg_stat_statements another one.
    identity: String,
    text: Option<Vec<u8>>,
    /// Run by another statement.
    nested: bool,
    counters: Counters,
}

/// What was counted between two copies: rows of the later one, less what the earlier one has of them.
fn grown(later: Vec<Row>, earlier: Vec<Row>) -> Vec<Row> {
    let mut before: BTreeMap<(i64, String), Counters> = BTreeMap::new();
    for row in earlier {
        let known = before.entry((row.id, row.identity)).or_default();
        *known = known.plus(row.counters);
    }
    let since = |mut row: Row| {
        // What is no number is counted as damaged, later.
        if row.counters.calls.is_finite() {
            row.counters = row.counters.since(before.get(&(row.id, row.identity.clone())).copied())?;
        }
        Some(row)
    };
    later.into_iter().filter_map(since).collect()
}

/// The whole texts of some statements: a log entry keeps the head of its own. Of several texts with one identity the first
/// in the order of texts.
pub fn texts(config: &Config, schema: Option<&str>, ids: &[i64]) -> Result<BTreeMap<i64, String>> {
    let Some((name, live)) = source(config, schema)? else { return Ok(BTreeMap::new()) };
    let query = format!(
        "SELECT id, pg_catalog.min(text COLLATE \"C\") FROM ({}) AS log (id, text) WHERE id = ANY ($1) GROUP BY id",
        Shape::of(&name)?.query(live, &[])
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

/// A relation of the shape of pg_stat_statements: which of its columns there are.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: TableName,
    id: &'static str,
    pub(super) time: &'static str,
    pub(super) rows: &'static str,
    nested: &'static str,
    has_dbid: bool,
    pub(super) identity: Vec<&'static str>,
}

impl Shape {
    pub(super) fn of(name: &TableName) -> Result<Self> {
        let Some(columns) = catalog::column_names(name)? else {
            return Err(Problem::new("42P01", format!("query log \"{name}\" does not exist")).hint(HINT).into());
        };
        let has = |name: &str| columns.iter().any(|c| c == name);
        let times = [("total_exec_time", "l.total_exec_time"), ("total_time", "l.total_time")];
        let time = times.into_iter().find(|(column, _)| has(column)).map(|(_, column)| column);
        let found = [("query", has("query")), ("calls", has("calls")), ("total_exec_time", time.is_some())];
        let missing: Vec<&str> = found.into_iter().filter(|(_, found)| !found).map(|(column, _)| column).collect();
        let Some(time) = time.filter(|_| missing.is_empty()) else {
            return Err(Problem::new("42703", format!("\"{name}\" is no query log"))
                .detail(format!("It has no column {}.", missing.join(", ")))
                .hint("A query log has the columns of pg_stat_statements.")
                .into());
        };
        Ok(Self {
            name: name.clone(),
            id: if has("queryid") { "l.queryid" } else { "NULL" },
            time,
            rows: if has("rows") { "l.rows" } else { "0" },
            nested: if has("toplevel") { "NOT l.toplevel::pg_catalog.bool" } else { "false" },
            has_dbid: has("dbid"),
            // Newer versions say since when a statement is counted: another time is another counter.
            identity: ["userid", "dbid", "toplevel", "stats_since"].into_iter().filter(|c| has(c)).collect(),
        })
    }

    /// What a statement is known by.
    pub(super) fn id(&self) -> String {
        let id = self.id;
        format!(
            "coalesce({id}::pg_catalog.int8, pg_catalog.hashtextextended(l.query::pg_catalog.text COLLATE \"C\", 0))"
        )
    }

    /// Each statement once, whatever the number of copies that the relation has of it.
    pub(super) fn distinct(&self) -> Result<Vec<LogEntry>> {
        let query = format!(
            "SELECT id, pg_catalog.min(text COLLATE \"C\"), pg_catalog.max(calls), pg_catalog.max(ms), pg_catalog.max(rows),
                    pg_catalog.bool_and(nested), ''::pg_catalog.text
             FROM ({}) AS log (id, text, calls, ms, rows, nested, identity) GROUP BY id ORDER BY id",
            self.query(false, &[])
        );
        let rows = ffi::subtransaction(true, || fetch(&query)).map_err(|e| unreadable(e, &self.name))?;
        Ok(rows.into_iter().map(entry).collect())
    }

    /// The query that gives identity, text, calls, time, rows, whether another statement ran it, and the rest of its
    /// identity.
    fn query(&self, live: bool, identity: &[&str]) -> String {
        let (id, Self { time, rows, nested, .. }) = (self.id(), self);
        // The view shows every database of the server, a copy what its maker put into it.
        let here = if live && self.has_dbid {
            " WHERE l.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
        } else {
            ""
        };
        let identity: Vec<String> = identity.iter().map(|c| format!(", l.{c}::pg_catalog.text")).collect();
        format!(
            "SELECT {id}, l.query::pg_catalog.text,
                    l.calls::pg_catalog.float8, {time}::pg_catalog.float8, {rows}::pg_catalog.float8, {nested},
                    pg_catalog.concat_ws('/', ''{})
             FROM {} l{here}",
            identity.concat(),
            ffi::quote_table(&self.name)
        )
    }

    fn fetch(&self, live: bool, identity: &[&str]) -> Result<Vec<Row>> {
        let query = self.query(live, identity);
        ffi::subtransaction(true, || fetch(&query)).map_err(|e| unreadable(e, &self.name))
    }
}

/// The pg_stat_statements of this server, for those who look at it again and again.
#[derive(Debug)]
pub struct Live(Shape);

impl Live {
    pub fn of(name: &TableName) -> Result<Self> {
        Shape::of(name).map(Self)
    }

    /// What each statement of this database was counted, without its text: the file of texts is not read.
    pub fn counts(&self) -> Result<Vec<((i64, String), Counts)>> {
        let Shape { name, id, time, identity, .. } = &self.0;
        let identity: Vec<String> = identity.iter().map(|c| format!(", l.{c}::pg_catalog.text")).collect();
        let query = format!(
            "SELECT {id}::pg_catalog.int8, pg_catalog.concat_ws('/', ''{}), l.calls::pg_catalog.float8, {time}::pg_catalog.float8
             FROM {}(false) l WHERE {id} IS NOT NULL AND l.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())",
            identity.concat(),
            ffi::quote_table(name)
        );
        Ok(Spi::connect(|client| {
            let rows = client.select(&query, None, &[])?;
            let counted = |row: spi::SpiHeapTupleData<'_>| {
                let counts = Counts {
                    calls: row.get(3)?.unwrap_or_default(),
                    total_milliseconds: row.get(4)?.unwrap_or_default(),
                    ..Counts::default()
                };
                Ok(((row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or_default()), counts))
            };
            rows.map(counted).collect::<std::result::Result<_, spi::Error>>()
        })?)
    }

    /// Those statements with what they say, each once.
    pub fn entries(&self, ids: &[i64]) -> Result<Vec<LogEntry>> {
        let mut rows = self.0.fetch(true, &[])?;
        rows.retain(|row| ids.contains(&row.id));
        rows.sort_by_key(|row| row.id);
        rows.dedup_by_key(|row| row.id);
        Ok(rows.into_iter().map(entry).collect())
    }
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

fn fetch(query: &str) -> Result<Vec<Row>> {
    Ok(Spi::connect(|client| {
        client
            .select(query, None, &[])?
            .map(|row| {
                Ok(Row {
                    id: row.get(1)?.unwrap_or_default(),
                    text: row.get::<ffi::Text>(2)?.map(|t| t.0),
                    counters: Counters {
                        calls: row.get(3)?.unwrap_or(f64::NAN),
                        total_ms: row.get(4)?.unwrap_or_default(),
                        rows: row.get(5)?.unwrap_or_default(),
                    },
                    nested: row.get(6)?.unwrap_or_default(),
                    identity: row.get(7)?.unwrap_or_default(),
                })
            })
            .collect::<std::result::Result<_, pgrx::spi::Error>>()
    })?)
}

/// Statements that run another one: what they run is logged once more, as nested, under the same text.
const WRAPPERS: [&str; 7] = ["explain", "create", "declare", "copy", "prepare", "execute", "refresh"];

fn entry(Row { id, text: bytes, nested, counters, .. }: Row) -> LogEntry {
    let text = bytes.as_deref().map(String::from_utf8_lossy);
    let wrapper = |text: &str| {
        let first: String = text.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
        WRAPPERS.contains(&first.to_ascii_lowercase().as_str())
    };
    let parsed = match text.as_deref() {
        None => Err("text is not kept".to_owned()),
        // Whoever made the log did not say in which encoding its texts are.
        Some(_) if matches!(text, Some(Cow::Owned(_))) => Err("text is not valid UTF-8".to_owned()),
        Some(INSUFFICIENT) => Err("text is hidden from this role".to_owned()),
        Some(text) if nested && wrapper(text) => Ok(vec![Query::new(StatementKind::Utility)]),
        Some(text) if nested => parse::inner_statements(text),
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
    let Counters { calls, total_ms, rows } = counters;
    LogEntry { id, text: shown, calls, total_ms, rows, parsed }
}
