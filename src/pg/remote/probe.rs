//! Is another server fit to be a node? Everything that is wrong with it at once, and what is merely worth knowing.

use super::libpq::{Answer, Connection};
use crate::pg::error::Result;
use foreshard_core::model::Problem;
use pgrx::prelude::*;

/// What was asked of the other server and of this one, in this order.
const QUESTIONS: &str = "
    SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('server_encoding'),
           pg_catalog.current_setting('max_connections'), pg_catalog.pg_is_in_recovery()::pg_catalog.text,
           pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')::pg_catalog.text,
           (SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()), pg_catalog.current_database()::pg_catalog.text,
           (SELECT pg_catalog.concat_ws(' ', d.datcollate, d.datctype, pg_catalog.pg_collation_actual_version(100))
            FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
           pg_catalog.extract('epoch', pg_catalog.clock_timestamp())::pg_catalog.text,
           pg_catalog.current_setting('wal_level'),
           (SELECT pg_catalog.count(*)::pg_catalog.text FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'),
           (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'transaction_read_only'),
           (SELECT pg_catalog.string_agg(extname::pg_catalog.text || ' ' || extversion, ', ' ORDER BY extname) FROM pg_catalog.pg_extension),
           (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone')";

const VERSION: usize = 0;
const ENCODING: usize = 1;
const MAX_CONNECTIONS: usize = 2;
const IN_RECOVERY: usize = 3;
const MAY_CREATE: usize = 4;
const SYSTEM: usize = 5;
const DATABASE: usize = 6;
const COLLATION: usize = 7;
const CLOCK: usize = 8;
const WAL_LEVEL: usize = 9;
const CONNECTED: usize = 10;
const READ_ONLY: usize = 11;
const EXTENSIONS: usize = 12;
const TIME_ZONE: usize = 13;

/// The oldest version that takes what is sent to nodes (`client_connection_check_interval`, partitions of every kind).
const OLDEST: i64 = 140_000;
/// Seconds by which a node's clock may differ before it is told: lags and ages are compared between servers.
const CLOCK_DIFFERENCE: f64 = 2.0;

/// What is worth knowing of a node that can be used, as full sentences.
///
/// # Errors
/// All reasons why it cannot: 0A000, 22023, 25006, 42501.
pub fn probe(connection: &mut Connection) -> Result<Vec<String>> {
    let there = connection.query(QUESTIONS)?;
    let here = here()?;
    let node = connection.node().to_owned();
    let (t, h) = (|i: usize| there.first(i).unwrap_or_default(), |i: usize| here.first(i).unwrap_or_default());
    let mut problems = Vec::new();
    let mut told = Vec::new();
    let version: i64 = t(VERSION).parse().unwrap_or(0);
    if version < OLDEST {
        problems.push(
            Problem::new("0A000", format!("node \"{node}\" is too old"))
                .detail(format!("It has version {}.{}.", version / 10_000, version % 10_000))
                .hint("Nodes need PostgreSQL 14 or later."),
        );
    }
    if t(ENCODING) != h(ENCODING) {
        problems.push(
            Problem::new("22023", format!("node \"{node}\" has another encoding"))
                .detail(format!("Its database has {}, this one {}.", t(ENCODING), h(ENCODING)))
                .hint("Create a database there with ENCODING 'UTF8'."),
        );
    }
    if t(SYSTEM) == h(SYSTEM) && t(DATABASE) == h(DATABASE) {
        problems.push(
            Problem::new("22023", format!("server of node \"{node}\" is this very database"))
                .hint("Register a tablespace of it: foreshard.add_node(name, tablespace => 'pg_default')."),
        );
    }
    if t(IN_RECOVERY) == "true" || t(READ_ONLY) == "on" {
        problems.push(
            Problem::new("25006", format!("node \"{node}\" takes no writes"))
                .detail(if t(IN_RECOVERY) == "true" { "It is a standby." } else { "Its transactions are read-only." })
                .hint("Name the primary; with several hosts set the server's option target_session_attrs to 'read-write'."),
        );
    } else if t(MAY_CREATE) != "true" {
        problems.push(
            Problem::new("42501", format!("permission denied for database {} of node \"{node}\"", t(DATABASE)))
                .detail("Its shards get a schema of their own there.")
                .hint("GRANT CREATE ON DATABASE … TO the role of the user mapping, on the node."),
        );
    }
    if t(COLLATION) != h(COLLATION) {
        told.push(format!(
            "Its texts sort differently ({}, here {}): tables cut by ranges of texts in the database's collation cannot have shards there.",
            t(COLLATION),
            h(COLLATION)
        ));
    }
    let difference = t(CLOCK).parse::<f64>().unwrap_or(0.0) - h(CLOCK).parse::<f64>().unwrap_or(0.0);
    if difference.abs() > CLOCK_DIFFERENCE {
        told.push(format!(
            "Its clock differs by {difference:.0} s: times that defaults write there and here cannot be compared."
        ));
    }
    let free = t(MAX_CONNECTIONS).parse::<i64>().unwrap_or(0) - t(CONNECTED).parse::<i64>().unwrap_or(0);
    let sessions: i64 = h(MAX_CONNECTIONS).parse().unwrap_or(0);
    if free < sessions {
        told.push(format!("It has {free} free connections; every session here that uses its shards opens one, and there may be {sessions}."));
    }
    if t(WAL_LEVEL) != "logical" {
        told.push(format!(
            "Its wal_level is {}: copies of its shards on other nodes (replicas) need logical.",
            t(WAL_LEVEL)
        ));
    }
    let missing: Vec<&str> = h(EXTENSIONS)
        .split(", ")
        .filter(|e| !t(EXTENSIONS).split(", ").any(|other| other == *e))
        .filter(|e| !OURS.iter().any(|ours| e.starts_with(ours)))
        .collect();
    if !missing.is_empty() {
        told.push(format!(
            "It does not have, in that version: {}. Tables that use them cannot have shards there.",
            missing.join(", ")
        ));
    }
    if t(TIME_ZONE) != h(TIME_ZONE) {
        told.push(format!(
            "Its time zone is {}, here it is {}: who asks it directly sees other local times.",
            t(TIME_ZONE),
            h(TIME_ZONE)
        ));
    }
    if problems.is_empty() { Ok(told) } else { Err(problems.into()) }
}

/// Extensions that tables do not use.
const OURS: [&str; 6] = ["foreshard ", "postgres_fdw ", "plpgsql ", "pg_stat_statements ", "pg_cron ", "pg_qualstats "];

fn here() -> Result<Answer> {
    let row = Spi::connect(|client| {
        let mut rows = client.select(QUESTIONS, Some(1), &[])?;
        let mut fields = Vec::new();
        if let Some(row) = rows.next() {
            for column in 1..=TIME_ZONE + 1 {
                fields.push(row.get::<String>(column)?);
            }
        }
        Ok::<_, pgrx::spi::Error>(fields)
    })?;
    Ok(Answer { rows: vec![row], affected: 1 })
}
