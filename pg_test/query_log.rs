//! The query log in all its shapes: the live view, copies of older versions, damaged ones, hidden ones.

use crate::pg::error::Result;
use crate::pg::querylog::{self, QueryLog};
use foreshard_core::model::{Config, Problem};
use pgrx::pg_sys;

/// Reads the log as the next statement of a client would: with a snapshot that sees what the test has inserted.
#[allow(unsafe_code)]
fn read(config: &Config, schema: Option<&str>) -> Result<QueryLog> {
    // SAFETY: pushed and popped on one level; `read` gives its errors as values.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let outcome = querylog::read(config, schema);
        pg_sys::PopActiveSnapshot();
        outcome
    }
}

fn read_named(name: &str) -> Result<QueryLog> {
    read(&Config { query_log: Some(name.to_owned()), ..Config::default() }, Some("public"))
}

/// The entries, by their text: `text: calls, milliseconds, rows`, with the reason where a text was not understood.
fn entries(log: &QueryLog) -> Vec<String> {
    let mut lines: Vec<String> = log
        .entries
        .iter()
        .map(|e| {
            let reason = e.parsed.as_ref().err().map(|r| format!(" ({r})")).unwrap_or_default();
            format!("{}: {}, {}, {}{reason}", e.text, e.calls, e.total_ms, e.rows)
        })
        .collect();
    lines.sort();
    lines
}

fn problem(outcome: Result<QueryLog>) -> Problem {
    outcome.expect_err("the log was read").into_problems().remove(0)
}

#[pgrx::pg_schema]
mod tests {
    use super::{entries, problem, read, read_named};
    use foreshard_core::model::Config;
    use foreshard_core::model::workload::LogEntry;
    use pgrx::prelude::*;

    #[pg_test]
    fn a_log_of_todays_shape() {
        Spi::run(
            "CREATE TABLE log (userid oid, dbid oid, toplevel bool, queryid bigint, query text, plans bigint, total_plan_time float8,
                 calls bigint, total_exec_time float8, min_exec_time float8, rows bigint);
             INSERT INTO log (dbid, queryid, query, calls, total_exec_time, rows) VALUES
                 (1, 11, 'SELECT a FROM t WHERE b = $1', 5, 2.5, 10), (2, -12, E'SELECT\n   1', 1, 0.5, 1)",
        )
        .unwrap();
        let log = read_named("log").unwrap();
        assert_eq!(log.basis, "query log public.log");
        // A copy is read whole, whatever database its rows came from.
        assert_eq!(entries(&log), ["SELECT 1: 1, 0.5, 1", "SELECT a FROM t WHERE b = $1: 5, 2.5, 10"]);
        let mut ids: Vec<i64> = log.entries.iter().map(|e| e.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [-12, 11]);
    }

    #[pg_test]
    fn a_log_of_an_older_version() {
        Spi::run(
            "CREATE SCHEMA old; CREATE TABLE old.\"Log\" (query varchar, calls numeric, total_time real);
             INSERT INTO old.\"Log\" VALUES ('SELECT a FROM t', 5, 2.5), ('SELECT b FROM t', 3, 1.5)",
        )
        .unwrap();
        let log = read_named("old.\"Log\"").unwrap();
        assert_eq!(entries(&log), ["SELECT a FROM t: 5, 2.5, 0", "SELECT b FROM t: 3, 1.5, 0"]);
        // Without a queryid the text makes the identity, the same one each time.
        let again = read_named("old.\"Log\"").unwrap();
        assert_ne!(log.entries[0].id, log.entries[1].id);
        assert_eq!(log.entries, again.entries);
    }

    #[pg_test]
    fn counters_that_are_no_numbers_come_as_they_are() {
        Spi::run(
            "CREATE VIEW damaged AS SELECT * FROM (VALUES
                 (1, 'SELECT 1', 'NaN'::float8, 1.0::float8, 1::float8), (2, 'SELECT 2', 2, 'Infinity', -5), (3, 'SELECT 3', -1, -1, NULL),
                 (4, 'SELECT 4', NULL, NULL, 'NaN'), (NULL, 'SELECT 5', 1, 1, 1)) v (queryid, query, calls, total_exec_time, rows)",
        )
        .unwrap();
        assert_eq!(
            entries(&read_named("damaged").unwrap()),
            [
                "SELECT 1: NaN, 1, 1",
                "SELECT 2: 2, inf, -5",
                "SELECT 3: -1, -1, 0",
                "SELECT 4: NaN, 0, NaN",
                "SELECT 5: 1, 1, 1"
            ]
        );
    }

    #[pg_test]
    fn texts_that_say_nothing_are_counted() {
        Spi::run(
            "CREATE TABLE log (query text, calls int, total_exec_time float8);
             INSERT INTO log VALUES (NULL, 1, 1), ('<insufficient privilege>', 2, 1), ('', 3, 1), ('SELECT a FRO', 4, 1), ('SELECT (', 5, 1)",
        )
        .unwrap();
        assert_eq!(
            entries(&read_named("log").unwrap()),
            [
                ": 1, 1, 0 (text is not kept)",
                ": 3, 1, 0 (empty text)",
                "<insufficient privilege>: 2, 1, 0 (text is hidden from this role)",
                "SELECT (: 5, 1, 0 (text is cut off)",
                "SELECT a FRO: 4, 1, 0",
            ]
        );
    }

    #[pg_test]
    fn texts_inside_functions_are_read_as_pl_pgsql_writes_them() {
        Spi::run(
            "CREATE TABLE log (queryid bigint, toplevel bool, query text, calls int, total_exec_time float8);
             INSERT INTO log SELECT row_number() OVER (), v.top, v.text, 1, 1 FROM (VALUES
                 (false, 'SELECT a FROM t WHERE id = wanted'), (false, '(SELECT count(*) FROM t WHERE id = r.id)'),
                 (false, 'EXISTS (SELECT $1 FROM t WHERE id = v) AND v > $2'), (false, 'v := (SELECT max(a) FROM t)'),
                 (false, 'r.a := (SELECT max(a) FROM t)'), (false, 'v + 1'), (false, 'SELECT a FRO FROM FROM'),
                 (true, 'v := (SELECT max(a) FROM t)'), (true, 'SELECT a FROM t WHERE id = wanted'),
                 (false, 'EXPLAIN ANALYZE SELECT a FROM t')) v (top, text)",
        )
        .unwrap();
        let mut found: Vec<(&str, bool, bool)> = Vec::new();
        let log = read_named("log").unwrap();
        for entry in &log.entries {
            match &entry.parsed {
                Ok(queries) => {
                    let shows_table = format!("{queries:?}").contains("name: \"t\"");
                    found.push((&entry.text, queries[0].variables, shows_table));
                }
                Err(reason) => assert_eq!(reason, "syntax error", "{}", entry.text),
            }
        }
        assert_eq!(
            found,
            [
                ("SELECT a FROM t WHERE id = wanted", true, true),
                ("(SELECT count(*) FROM t WHERE id = r.id)", true, true),
                ("EXISTS (SELECT $1 FROM t WHERE id = v) AND v > $2", true, true),
                ("v := (SELECT max(a) FROM t)", true, true),
                ("r.a := (SELECT max(a) FROM t)", true, true),
                ("v + 1", true, false),
                ("SELECT a FROM t WHERE id = wanted", false, true),
                ("EXPLAIN ANALYZE SELECT a FROM t", false, false),
            ]
        );
        assert_eq!(log.entries.len(), 10);
    }

    #[pg_test]
    fn shown_texts_are_short() {
        Spi::run(
            "CREATE TABLE log (query text, calls int, total_exec_time float8);
             INSERT INTO log VALUES ('SELECT ''' || repeat('ä', 5000) || '''', 1, 1)",
        )
        .unwrap();
        let log = read_named("log").unwrap();
        assert!(log.entries[0].parsed.is_ok());
        assert_eq!(log.entries[0].text.len(), LogEntry::TEXT_LIMIT);
        assert_eq!(log.entries[0].text, format!("SELECT '{}", "ä".repeat(96)));
    }

    #[pg_test]
    fn what_is_no_log_is_refused_with_a_remedy() {
        Spi::run("CREATE TABLE half (query text, rows int); CREATE TABLE odd (query int[], calls text, total_exec_time text)").unwrap();
        Spi::run("INSERT INTO odd VALUES ('{1}', 'many', 'long')").unwrap();
        let half = problem(read_named("half"));
        assert_eq!((half.sqlstate.as_str(), half.message.as_str()), ("42703", "\"public.half\" is no query log"));
        assert_eq!(half.detail.as_deref(), Some("It has no column calls, total_exec_time."));
        assert!(half.hint.is_some());
        let missing = problem(read_named("nothing"));
        assert_eq!(
            (missing.sqlstate.as_str(), missing.message.as_str()),
            ("42P01", "query log \"public.nothing\" does not exist")
        );
        assert_eq!(problem(read_named("odd")).sqlstate, "22P02");
        assert_eq!(problem(read_named("a.b.c")).sqlstate, "42602");
        assert_eq!(problem(read_named("\"open")).sqlstate, "42602");
        let off = read_named("off").unwrap();
        assert_eq!((off.entries.len(), off.basis.as_str()), (0, "no query log: the config says \"off\""));
    }

    #[pg_test]
    fn without_the_extension_there_is_no_log() {
        let log = read(&Config::default(), None).unwrap();
        assert_eq!(log.entries, []);
        assert_eq!(log.basis, "no query log: pg_stat_statements is not installed in this database");
    }

    #[pg_test]
    fn the_live_view_is_read_for_this_database() {
        Spi::run("CREATE SCHEMA stats; CREATE EXTENSION pg_stat_statements SCHEMA stats").unwrap();
        Spi::run("SET LOCAL pg_stat_statements.track = 'all'").unwrap();
        Spi::run("CREATE TABLE live_log_probe (a int, b interval)").unwrap();
        for i in 0..7 {
            Spi::run(&format!("SELECT count(*) FROM live_log_probe WHERE a = {i} AND b > interval '{i} days'"))
                .unwrap();
        }
        let log = read(&Config::default(), None).unwrap();
        assert_eq!(log.basis, "query log pg_stat_statements");
        let probe: Vec<_> = log.entries.iter().filter(|e| e.text.contains("FROM live_log_probe WHERE")).collect();
        assert_eq!(probe.len(), 1, "{:?}", log.entries);
        assert_eq!(probe[0].text, "SELECT count(*) FROM live_log_probe WHERE a = $1 AND b > interval $2");
        assert_eq!((probe[0].calls, probe[0].rows), (7.0, 7.0));
        assert!(probe[0].parsed.is_ok());
        let count = |which: &str| {
            Spi::get_one::<i64>(&format!(
                "SELECT count(*) FROM stats.pg_stat_statements WHERE dbid {which} (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND query NOT LIKE '%pg_stat_statements%'"
            ))
            .unwrap()
            .unwrap()
        };
        assert!(count("<>") > 0, "the statement that made this database belongs to another one");
        let read_here = log.entries.iter().filter(|e| !e.text.contains("pg_stat_statements")).count();
        assert!(read_here > 0 && read_here as i64 <= count("="), "{read_here} of {}", count("="));
    }

    #[pg_test]
    fn what_a_role_may_not_see_is_counted_or_refused() {
        Spi::run(
            "CREATE EXTENSION pg_stat_statements; CREATE ROLE log_reader_probe; CREATE TABLE secret_log (query text, calls int, total_exec_time float8);
             SET LOCAL ROLE log_reader_probe",
        )
        .unwrap();
        let log = read(&Config::default(), None).unwrap();
        assert!(!log.entries.is_empty());
        assert!(log.entries.iter().any(|e| e.parsed == Err("text is hidden from this role".to_owned())));
        assert_eq!(problem(read_named("secret_log")).sqlstate, "42501");
        Spi::run("RESET ROLE; GRANT pg_read_all_stats TO log_reader_probe; SET LOCAL ROLE log_reader_probe").unwrap();
        let log = read(&Config::default(), None).unwrap();
        assert!(log.entries.iter().all(|e| e.parsed != Err("text is hidden from this role".to_owned())));
    }
}
