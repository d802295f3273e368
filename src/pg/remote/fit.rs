//! Can a node have copies, or shards that are copied? Everything that is wrong with it at once.

use super::libpq::Connection;
use crate::pg::error::Result;
use foreshard_core::model::Problem;

/// How many links there are to be, beside those that are there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// From the node: its shards are copied.
    pub out: i64,
    /// To the node: it has copies.
    pub into: i64,
    pub synchronous: bool,
}

const QUESTIONS: &str = "
    SELECT pg_catalog.current_setting('wal_level'), r.rolsuper::pg_catalog.text, (r.rolreplication OR r.rolsuper)::pg_catalog.text, r.rolname::pg_catalog.text,
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots), pg_catalog.current_setting('max_replication_slots'),
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walsender'), pg_catalog.current_setting('max_wal_senders'),
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_subscription), pg_catalog.current_setting('max_logical_replication_workers'),
           pg_catalog.current_setting('max_worker_processes'), (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit')
    FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

/// What keeps a node from its part in replication, each with the line that changes it.
pub fn unfit(connection: &mut Connection, needs: Needs) -> Result<Vec<Problem>> {
    let node = connection.node().to_owned();
    let answer = connection.query(QUESTIONS)?;
    let text = |n: usize| answer.first(n).unwrap_or_default();
    let number = |n: usize| text(n).parse::<i64>().unwrap_or(0);
    let mut problems = Vec::new();
    let mut refuse = |state: &str, message: String, detail: String, hint: String| {
        problems.push(Problem::new(state, message).detail(detail).hint(hint));
    };
    if needs.out > 0 && text(0) != "logical" {
        refuse(
            "55000",
            format!("the shards of node \"{node}\" cannot be copied"),
            format!("Its wal_level is {}.", text(0)),
            "On the node: ALTER SYSTEM SET wal_level = 'logical'; and a restart.".to_owned(),
        );
    }
    if needs.out > 0 && text(2) != "true" {
        refuse(
            "42501",
            format!("role \"{}\" may not make replication slots on node \"{node}\"", text(3)),
            "It is neither a superuser nor has it REPLICATION.".to_owned(),
            format!("On the node: ALTER ROLE {} REPLICATION;", crate::pg::ffi::quote_ident(text(3))),
        );
    }
    // From 16 on pg_create_subscription suffices to create one, but without a password in it only for superusers.
    if needs.into > 0 && text(1) != "true" {
        refuse(
            "42501",
            format!("role \"{}\" may not subscribe on node \"{node}\"", text(3)),
            "A subscription without a password in the node's catalog takes a superuser there.".to_owned(),
            "Map the role that restores and fails over to a superuser of the node; other roles need none.".to_owned(),
        );
    }
    let mut room = |needed: i64, used: i64, setting: &str, most: i64| {
        if needed > 0 && used + needed > most {
            refuse(
                "53400",
                format!("{setting} of node \"{node}\" is too low"),
                format!("{used} of {most} are in use, and {needed} more are needed."),
                format!("On the node: ALTER SYSTEM SET {setting} = {}; and a restart.", used + needed),
            );
        }
    };
    room(needs.out, number(4), "max_replication_slots", number(5));
    room(needs.out, number(6), "max_wal_senders", number(7));
    room(needs.into, number(8), "max_logical_replication_workers", number(9));
    room(needs.into, number(8), "max_worker_processes", number(10));
    if needs.synchronous && needs.out > 0 && matches!(text(11), "off" | "local") {
        refuse(
            "55000",
            format!("commits on node \"{node}\" do not wait for copies"),
            format!("synchronous_commit of role \"{}\" is {} there.", text(3), text(11)),
            format!("On the node: ALTER ROLE {} SET synchronous_commit = 'on';", crate::pg::ffi::quote_ident(text(3))),
        );
    }
    Ok(problems)
}
