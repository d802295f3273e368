//! Tables on a node that a restore made whose transaction failed here before it could drop them.
//!
//! The shells carry the number of that transaction, and this server knows what became of it: no record has to be written, and none
//! can be lost. What another server has made, of which this one is a copy, is not looked at: it may be in use there.

use super::described::drop_shard;
use super::libpq::Connection;
use super::names::{Mark, schema, this_server};
use super::{link, standbys};
use crate::pg::error::Result;
use crate::pg::ffi::{self, quote_ident, quote_literal};
use crate::pg::settings;
use foreshard_core::model::TableName;
use pgrx::prelude::*;

/// Drops on a node what failed transactions of this database have left; gives how many tables that were.
pub fn sweep(connection: &mut Connection) -> Result<usize> {
    take_back(connection)?;
    let mut dropped = 0;
    for shell in shells(connection)? {
        if shell.is_ours() && failed(shell.mark.transaction)? {
            connection.query(&format!("DROP TABLE IF EXISTS {}", shell.name))?;
            dropped += 1;
        }
    }
    if dropped > 0 {
        connection.query(&drop_schema())?;
    }
    Ok(dropped)
}

/// A table on a node that was dropped.
#[derive(Debug)]
pub struct Swept {
    /// As it was called here.
    pub target: String,
    /// Qualified and quoted, there.
    pub name: String,
    pub bytes: i64,
}

/// Drops on a node also what no table here refers to any more: the shards of tables that were dropped. What this server's original, or a
/// copy of it, has made goes only where `all` says so.
pub fn sweep_unused(connection: &mut Connection, all: bool) -> Result<Vec<Swept>> {
    let mut swept = Vec::new();
    take_back(connection)?;
    drop_links(connection, |name| unused(name, all))?;
    let node = connection.node().to_owned();
    for shell in shells(connection)? {
        let state = state_of(shell.mark.transaction)?;
        // One that is too old to be known has ended.
        if state.as_deref() == Some("in progress") {
            continue;
        }
        let used = is_used(&shell.table, true, &node)?;
        if used && (all || shell.is_ours()) {
            sweep_within(connection, &shell, &mut swept)?;
        }
        if used {
            continue;
        }
        if !all && !shell.is_ours() {
            pgrx::notice!(
                "node \"{}\": {} was made by another server with this one's identity, and is left",
                connection.node(),
                shell.name
            );
            continue;
        }
        connection.query(&format!("DROP TABLE IF EXISTS {}", shell.name))?;
        swept.push(Swept { target: shell.mark.foreshard, name: shell.name, bytes: shell.bytes });
    }
    if !swept.is_empty() {
        connection.query(&drop_schema())?;
    }
    Ok(swept)
}

/// Drops the shards of a shell in use that are not: what was moved away, or did not come to be moved there.
fn sweep_within(connection: &mut Connection, shell: &Shell, swept: &mut Vec<Swept>) -> Result<()> {
    let node = connection.node().to_owned();
    let shards = connection.query(&format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relname, pg_catalog.pg_total_relation_size(c.oid)
         FROM pg_catalog.pg_partition_tree({}::pg_catalog.regclass) t JOIN pg_catalog.pg_class c ON c.oid = t.relid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.isleaf AND c.relkind = 'r' AND n.nspname = {} ORDER BY 1",
        quote_literal(&shell.name),
        quote_literal(&schema())
    ))?;
    for row in shards.rows {
        let [Some(name), Some(table), bytes] = row.as_slice() else { continue };
        if is_used(table, false, &node)? {
            continue;
        }
        connection.query(&drop_shard(&TableName::new(schema(), table), settings::max_lock_ms()))?;
        let bytes = bytes.as_deref().and_then(|b| b.parse().ok()).unwrap_or(0);
        swept.push(Swept { target: shell.mark.foreshard.clone(), name: name.clone(), bytes });
    }
    Ok(())
}

/// Drops the links on a node by which no copy follows any more.
pub fn drop_unused_links(connection: &mut Connection) -> Result<()> {
    drop_links(connection, |name| unused(name, false))
}

fn unused(name: &str, all: bool) -> Result<bool> {
    let ended = match link::transaction(name) {
        Some(transaction) => state_of(transaction)?.as_deref() != Some("in progress"),
        None => false,
    };
    Ok((all || name.starts_with(&link::whose())) && ended && !is_link(name)?)
}

/// Takes back on a node what a fail-over has prepared that failed here before it could do that, and drops the links of what failed.
pub fn take_back(connection: &mut Connection) -> Result<()> {
    let aborted = |name: &str| match link::transaction(name).filter(|_| name.starts_with(&link::whose())) {
        Some(transaction) => failed(transaction),
        None => Ok(false),
    };
    for row in connection.query(&link::prepared())?.rows {
        let Some(mark) = row.first().and_then(Option::as_ref) else { continue };
        if aborted(mark)? {
            link::undone(&row).map(|undo| connection.query(&undo)).transpose()?;
        }
    }
    drop_links(connection, aborted)
}

/// Drops the links that are wanted no more; whoever waited for their copies waits no longer.
fn drop_links(connection: &mut Connection, unwanted: impl Fn(&str) -> Result<bool>) -> Result<()> {
    let mut found = Vec::new();
    for row in connection.query(link::FIND)?.rows {
        let [Some(kind), Some(name)] = row.as_slice() else { continue };
        if name.starts_with(&link::ours()) && unwanted(name)? {
            found.push((kind == "s", name.clone()));
        }
    }
    let mut waited = Vec::new();
    for name in standbys::waited_for(connection)? {
        if unwanted(&name)? {
            waited.push(name);
        }
    }
    if !waited.is_empty() {
        for statement in standbys::change(connection, &[], &waited)? {
            connection.query(&statement)?;
        }
    }
    for (subscribes, name) in found {
        connection.query(&if subscribes { link::drop_subscription(&name) } else { link::drop_publication(&name) })?;
    }
    Ok(())
}

/// A copy here is kept by that link, or a job under way works with it.
fn is_link(name: &str) -> Result<bool> {
    Ok(Spi::get_one_with_args::<bool>(
        "SELECT EXISTS (SELECT FROM foreshard._replicas r JOIN pg_catalog.pg_class c ON c.oid = r.shard WHERE r.link OPERATOR(pg_catalog.=) $1)
             OR EXISTS (SELECT FROM foreshard._reshards r JOIN foreshard._jobs j ON j.id OPERATOR(pg_catalog.=) r.job_id
                        WHERE j.state OPERATOR(pg_catalog.=) 'running' AND pg_catalog.jsonb_extract_path_text(r.task, 'away', 'link') OPERATOR(pg_catalog.=) $1)",
        &[name.into()],
    )?
    .unwrap_or(true))
}

/// Drops this database's schema on a node, unless there are other tables in it. It looks first: DROP locks all that depends on a schema before it says
/// that it will not, and whoever writes there would be held up, or end in a deadlock.
pub fn drop_schema() -> String {
    let schema = quote_ident(&schema());
    format!(
        "DO $$ BEGIN IF pg_catalog.to_regnamespace({literal}) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.to_regnamespace({literal}))
         THEN DROP FUNCTION IF EXISTS {schema}.fence(); DROP SCHEMA {schema}; END IF; EXCEPTION WHEN dependent_objects_still_exist OR invalid_schema_name THEN NULL; END $$",
        literal = quote_literal(&schema)
    )
}

/// A foreign table here stands for that shard on that node, or for one that has its copy there, or a job moves it from or to there, or keeps
/// it there for a while. Of a shell, for one of its shards, whose names begin with its own.
fn is_used(table: &str, shell: bool, node: &str) -> Result<bool> {
    Ok(Spi::get_one_with_args::<bool>(
        "WITH used AS (
             SELECT pg_catalog.jsonb_extract_path_text(r.task, 'away', 'there', 'name') AS name
             FROM foreshard._reshards r JOIN foreshard._jobs j ON j.id = r.job_id
             WHERE (j.state = 'running' OR r.kept_until IS NOT NULL)
               AND $3 IN (pg_catalog.jsonb_extract_path_text(r.task, 'away', 'from'), pg_catalog.jsonb_extract_path_text(r.task, 'away', 'to')))
         SELECT EXISTS (SELECT FROM used u WHERE u.name = $2 OR $4 AND pg_catalog.starts_with(u.name, $2 || '_')) OR EXISTS (SELECT FROM pg_catalog.pg_foreign_table f JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
             WHERE ('schema_name=' || $1) = ANY (f.ftoptions)
               AND EXISTS (SELECT FROM pg_catalog.unnest(f.ftoptions) o WHERE o = 'table_name=' || $2 OR $4 AND pg_catalog.starts_with(o, 'table_name=' || $2 || '_'))
               AND (s.srvname IN (SELECT n.server FROM foreshard._nodes n WHERE n.name = $3)
                    OR f.ftrelid IN (SELECT r.shard FROM foreshard._replicas r WHERE r.node = $3)
                    OR s.srvname NOT IN (SELECT n.server FROM foreshard._nodes n WHERE n.server IS NOT NULL)))",
        &[schema().into(), table.into(), node.into(), shell.into()],
    )?
    .unwrap_or(true))
}

/// A shell of this database on a node.
struct Shell {
    /// Qualified and quoted.
    name: String,
    /// Within its schema, as it is.
    table: String,
    /// Of all its shards.
    bytes: i64,
    mark: Mark,
}

impl Shell {
    fn is_ours(&self) -> bool {
        self.mark.server == this_server()
    }
}

fn shells(connection: &mut Connection) -> Result<Vec<Shell>> {
    let found = connection.query(&format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.obj_description(c.oid, 'pg_class'), c.relname,
                (SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(t.relid)) FROM pg_catalog.pg_partition_tree(c.oid) t)
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {} AND c.relkind = 'p' AND NOT c.relispartition ORDER BY 1",
        quote_literal(&schema())
    ))?;
    let shell = |row: &Vec<Option<String>>| {
        let [Some(name), Some(comment), Some(table), bytes] = row.as_slice() else { return None };
        let bytes = bytes.as_deref().and_then(|b| b.parse().ok()).unwrap_or(0);
        let mark = serde_json::from_str(comment).ok()?;
        Some(Shell { name: name.clone(), table: table.clone(), bytes, mark })
    };
    Ok(found.rows.iter().filter_map(shell).collect())
}

/// The transaction is known to have failed.
fn failed(transaction: u64) -> Result<bool> {
    Ok(state_of(transaction)?.as_deref() == Some("aborted"))
}

/// What became of a transaction; None for one that is too old to be known, or of a future that a restored server has not reached.
fn state_of(transaction: u64) -> Result<Option<String>> {
    let state = ffi::subtransaction(true, || {
        Ok(Spi::get_one_with_args::<String>(
            "SELECT pg_catalog.pg_xact_status($1::pg_catalog.xid8)",
            &[transaction.to_string().into()],
        )?)
    });
    Ok(state.ok().flatten())
}
