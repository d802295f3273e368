//! What ties the copies on one node to the shards of one table on another: a publication and a slot there, a subscription here, all of
//! one name.
//!
//! A slot that is left behind keeps WAL for ever, and cannot carry a comment: so the name itself tells whose it is, by this database,
//! this very server, and the number of the transaction that made it, of which this server knows for ever what became.

use super::libpq::Connection;
use super::names::{schema, this_server};
use crate::pg::error::Result;
use crate::pg::ffi::{self, quote_ident, quote_literal, quote_table};
use foreshard_core::backup::checksum::RowHasher;
use foreshard_core::model::{Problem, TableName};

/// All shards of a table that one node copies from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub name: String,
    /// The node with the shards.
    pub from: String,
    /// The node with the copies.
    pub to: String,
    /// As they are called on both.
    pub tables: Vec<TableName>,
}

impl Link {
    /// One that the current (sub)transaction makes.
    pub fn new(target: &TableName, from: &str, to: &str, tables: Vec<TableName>) -> Result<Self> {
        let xid = ffi::known_transaction()?;
        let pair = digest(&[&target.schema, &target.name, from, to]);
        let name = format!("{}{:x}_{:08x}", whose(), xid, pair as u32);
        Ok(Self { name, from: from.to_owned(), to: to.to_owned(), tables })
    }

    /// At the shards' node. In a transaction that has not written, [`Self::slot`] comes after it.
    pub fn publication(&self) -> String {
        let tables: Vec<String> = self.tables.iter().map(quote_table).collect();
        format!("CREATE PUBLICATION {} FOR TABLE {}", quote_ident(&self.name), tables.join(", "))
    }

    pub fn slot(&self) -> String {
        format!("pg_catalog.pg_create_logical_replication_slot({}, 'pgoutput')", quote_literal(&self.name))
    }

    /// At the copies' node. `copy`: the rows are not there yet. `synchronous`: what is told to be there is on disk at once.
    pub fn subscription(&self, connection: &str, copy: bool, synchronous: bool) -> String {
        format!(
            "CREATE SUBSCRIPTION {name} CONNECTION {} PUBLICATION {name}
             WITH (create_slot = false, slot_name = {}, copy_data = {copy}, synchronous_commit = {})",
            quote_literal(connection),
            quote_literal(&self.name),
            if synchronous { "'local'" } else { "'off'" },
            name = quote_ident(&self.name),
        )
    }
}

/// Asks a server to reach another one, and leaves nothing.
pub fn trial(connection: &str) -> String {
    let name = quote_ident(&format!("{}trial", whose()));
    format!(
        "BEGIN; CREATE SUBSCRIPTION {name} CONNECTION {} PUBLICATION {name}
         WITH (create_slot = false, slot_name = NONE, copy_data = false, enabled = false); ROLLBACK",
        quote_literal(connection)
    )
}

/// What keeps a node from reaching another one for a subscription.
pub fn unreachable(node: &mut Connection, from: &str, connection: &str) -> Result<Option<Problem>> {
    let Err(error) = node.query(&trial(connection)) else { return Ok(None) };
    node.query("ROLLBACK")?;
    let to = node.node();
    let mut problems = error.into_problems();
    let Some(said) = problems.pop() else { return Ok(None) };
    if said.sqlstate == "57014" {
        return Err(said.into());
    }
    Ok(Some(
        Problem::new("08001", format!("node \"{to}\" cannot subscribe to node \"{from}\""))
            .detail(format!("{}.", said.message.trim_end_matches('.')))
            .hint(format!(
                "Node \"{to}\" connects with the address of \"{from}\" as this server knows it, without a password: let it in by pg_hba.conf of \"{from}\", or say how with foreshard.alter_node('{from}', replication => 'host=… passfile=…')."
            )),
    ))
}

/// What subscriptions, slots and publications of this database begin with, on all nodes.
pub fn ours() -> String {
    format!("foreshard_{:08x}_", digest(&[&schema()]) as u32)
}

/// Those that this very server has made, and none of its copies.
pub fn whose() -> String {
    format!("{}{:08x}_", ours(), digest(&[&this_server()]) as u32)
}

/// The transaction that made it.
pub fn transaction(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix(&ours())?.split('_').nth(1)?, 16).ok()
}

fn digest(parts: &[&str]) -> u128 {
    RowHasher::new().hash(parts.iter().map(|part| Some(part.as_bytes())))
}

/// Drops a subscription, whether its publisher is there or not, without a word where there is none.
pub fn drop_subscription(name: &str) -> String {
    format!(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
                                WHERE s.subname = {literal} AND d.datname = pg_catalog.current_database()) THEN
             ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name};
         END IF; END $$",
        literal = quote_literal(name),
        name = quote_ident(name)
    )
}

/// Drops a publication and its slot, from which whoever reads it is sent away.
pub fn drop_publication(name: &str) -> String {
    format!(
        "DO $$ DECLARE reader pg_catalog.int4; BEGIN
             FOR i IN 1..{TRIES} LOOP
                 SELECT active_pid INTO reader FROM pg_catalog.pg_replication_slots WHERE slot_name = {literal} AND database = pg_catalog.current_database();
                 EXIT WHEN NOT FOUND;
                 IF reader IS NULL THEN
                     BEGIN PERFORM pg_catalog.pg_drop_replication_slot({literal}); EXIT; EXCEPTION WHEN object_in_use THEN NULL; END;
                 ELSE PERFORM pg_catalog.pg_terminate_backend(reader); END IF;
                 PERFORM pg_catalog.pg_sleep(0.02);
             END LOOP;
         END $$; DROP PUBLICATION IF EXISTS {name}",
        literal = quote_literal(name),
        name = quote_ident(name)
    )
}

/// Times that the reader of a slot is sent away before it is given up, each 20 ms.
const TRIES: u32 = 200;

/// Everything of this database on a node: what, and its name.
pub const FIND: &str = "
    SELECT 's', subname::pg_catalog.text FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
    WHERE d.datname = pg_catalog.current_database()
    UNION ALL SELECT 'p', pubname::pg_catalog.text FROM pg_catalog.pg_publication
    UNION ALL SELECT 'p', slot_name::pg_catalog.text FROM pg_catalog.pg_replication_slots WHERE database = pg_catalog.current_database()";

/// What a fail-over prepares on nodes, with the number of its transaction on it: fences by their tables, and halted subscriptions.
pub fn prepared() -> String {
    let (ours, schema) = (quote_literal(&ours()), quote_literal(&schema()));
    format!(
        "SELECT t.tgname::pg_catalog.text, c.relname::pg_catalog.text, NULL
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {schema} AND pg_catalog.starts_with(t.tgname::pg_catalog.text, {ours})
         UNION ALL SELECT pg_catalog.obj_description(s.oid, 'pg_subscription'), NULL, s.subname::pg_catalog.text
         FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
         WHERE d.datname = pg_catalog.current_database() AND pg_catalog.starts_with(pg_catalog.obj_description(s.oid, 'pg_subscription'), {ours})"
    )
}

/// What takes back one of those that [`prepared`] tells.
pub fn undone(row: &[Option<String>]) -> Option<String> {
    match row {
        [Some(trigger), Some(table), None] => Some(unfence(&TableName::new(schema(), table.clone()), trigger)),
        [Some(_), None, Some(name)] => Some(resume(name)),
        _ => None,
    }
}

/// A subscription ends for now.
pub fn halt(name: &str, mark: &str) -> String {
    let name = quote_ident(name);
    format!("ALTER SUBSCRIPTION {name} DISABLE; COMMENT ON SUBSCRIPTION {name} IS {}", quote_literal(mark))
}

pub fn resume(name: &str) -> String {
    let name = quote_ident(name);
    format!("ALTER SUBSCRIPTION {name} ENABLE; COMMENT ON SUBSCRIPTION {name} IS NULL")
}

/// Lets writes in again at once, whoever reads; the trigger goes when nobody does.
pub fn unfence(table: &TableName, trigger: &str) -> String {
    let (name, table) = (quote_ident(trigger), quote_table(table));
    format!(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = pg_catalog.to_regclass({}) AND tgname = {}) THEN
             ALTER TABLE {table} DISABLE TRIGGER {name};
             BEGIN PERFORM pg_catalog.set_config('lock_timeout', '50ms', true); DROP TRIGGER {name} ON {table};
             EXCEPTION WHEN lock_not_available THEN NULL; END;
         END IF; END $$",
        quote_literal(&table),
        quote_literal(trigger)
    )
}

/// What is written on them.
pub fn mark(kind: &str) -> Result<String> {
    Ok(format!("{}{:x}_{kind}", whose(), ffi::known_transaction()?))
}
