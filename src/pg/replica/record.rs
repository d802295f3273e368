//! What is kept of copies: which there are, by which link, and what was last seen of them.

use crate::pg::catalog;
use crate::pg::error::Result;
use crate::pg::remote::Address;
use crate::pg::remote::link::Link;
use foreshard_core::model::{Problem, Shard, TableName};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// A copy of a shard.
#[derive(Debug, Clone)]
pub struct Replica {
    pub shard: pg_sys::Oid,
    /// As people write it.
    pub name: String,
    /// The shard's node.
    pub primary: String,
    /// The copy's.
    pub node: String,
    pub link: String,
    pub stale: bool,
    pub synchronous: bool,
    /// Commits of the shard's node wait for it.
    pub waited_for: bool,
    pub seen_at: Option<TimestampWithTimeZone>,
    pub seen_lag_bytes: Option<i64>,
    /// What both are called on their nodes.
    pub there: TableName,
    /// The table that the shard is of.
    pub relation: pg_sys::Oid,
}

/// Every copy of a shard that is there. `locked`: nobody else changes them until the end of this transaction.
pub fn all(locked: bool) -> Result<Vec<Replica>> {
    let lock = if locked { "FOR UPDATE OF r" } else { "" };
    Spi::connect_mut(|client| {
        let query = format!(
            "SELECT r.shard::pg_catalog.oid, r.shard::pg_catalog.text, s.node, r.node, r.link, r.state, r.synchronous, r.waited_for,
                    r.seen_at, r.seen_lag_bytes,
                    (SELECT option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) WHERE option_name = 'schema_name'),
                    (SELECT option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) WHERE option_name = 'table_name'),
                    s.relation::pg_catalog.oid
             FROM foreshard._replicas r JOIN foreshard._shards s ON s.shard OPERATOR(pg_catalog.=) r.shard
             JOIN pg_catalog.pg_foreign_table f ON f.ftrelid OPERATOR(pg_catalog.=) r.shard
             ORDER BY s.relation, s.ordinal, r.node {lock}"
        );
        let rows = if locked { client.update(&query, None, &[])? } else { client.select(&query, None, &[])? };
        let mut found = Vec::new();
        for row in rows {
            let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
            let truth = |n: usize| row.get::<bool>(n).map(Option::unwrap_or_default);
            found.push(Replica {
                shard: row.get(1)?.unwrap_or(pg_sys::InvalidOid),
                name: text(2)?,
                primary: text(3)?,
                node: text(4)?,
                link: text(5)?,
                stale: text(6)? == "stale",
                synchronous: truth(7)?,
                waited_for: truth(8)?,
                seen_at: row.get(9)?,
                seen_lag_bytes: row.get(10)?,
                there: TableName::new(text(11)?, text(12)?),
                relation: row.get(13)?.unwrap_or(pg_sys::InvalidOid),
            });
        }
        Ok(found)
    })
}

/// The copies that a restore has made and tied.
pub fn made(shards: &[Shard], names: &[TableName], links: &[Link], synchronous: bool) -> Result<()> {
    forget_dropped()?;
    for (shard, name) in shards.iter().zip(names) {
        let Some(oid) = catalog::relation_oid(name)? else { continue };
        for copy in &shard.copies {
            if let Some(link) = links.iter().find(|l| l.from == shard.node && l.to == *copy) {
                follow(oid, copy, &link.name, synchronous)?;
            }
        }
    }
    Ok(())
}

/// A shard's copy on that node follows it by that link.
pub fn follow(shard: pg_sys::Oid, node: &str, link: &str, synchronous: bool) -> Result<()> {
    Ok(Spi::run_with_args(
        "INSERT INTO foreshard._replicas AS r (shard, node, link, state, synchronous, waited_for)
         VALUES ($1::pg_catalog.regclass, $2, $3, 'following', $4, $4)
         ON CONFLICT (shard, node) DO UPDATE SET link = excluded.link, state = 'following', waited_for = excluded.waited_for, made_at = pg_catalog.now(),
             seen_at = NULL, seen_lag_bytes = NULL",
        &[shard.into(), node.into(), link.into(), synchronous.into()],
    )?)
}

/// What is on that node follows the shard no more.
pub fn stale(shard: pg_sys::Oid, node: &str, synchronous: bool) -> Result<()> {
    Ok(Spi::run_with_args(
        "INSERT INTO foreshard._replicas (shard, node, link, state, synchronous, waited_for)
         VALUES ($1::pg_catalog.regclass, $2, '', 'stale', $3, false)
         ON CONFLICT (shard, node) DO UPDATE SET link = '', state = 'stale', waited_for = false",
        &[shard.into(), node.into(), synchronous.into()],
    )?)
}

/// A copy that has become the shard.
pub fn promoted(shard: pg_sys::Oid, node: &str) -> Result<()> {
    Ok(Spi::run_with_args(
        "DELETE FROM foreshard._replicas WHERE shard OPERATOR(pg_catalog.=) $1::pg_catalog.regclass AND node OPERATOR(pg_catalog.=) $2",
        &[shard.into(), node.into()],
    )?)
}

/// Whether commits wait for what comes by a link.
pub fn waited_for(link: &str, waits: bool) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._replicas SET waited_for = $2 WHERE link OPERATOR(pg_catalog.=) $1",
        &[link.into(), waits.into()],
    )?)
}

/// What a link was seen to be behind; not where somebody else is writing that down.
pub fn seen(link: &str, lag_bytes: i64) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._replicas SET seen_at = pg_catalog.clock_timestamp(), seen_lag_bytes = $2
         WHERE (shard, node) IN (SELECT shard, node FROM foreshard._replicas WHERE link OPERATOR(pg_catalog.=) $1 FOR UPDATE SKIP LOCKED)",
        &[link.into(), lag_bytes.into()],
    )?)
}

/// Tables that were dropped since: their OIDs may be given to others one day.
fn forget_dropped() -> Result<()> {
    Ok(Spi::run(
        "DELETE FROM foreshard._replicas r WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = r.shard)",
    )?)
}

/// The foreign server of a node, and what the node says of how others reach it.
///
/// # Errors
/// 42704 for a node that is not there, 0A000 for one that is no other server.
pub fn server_of(node: &str) -> Result<(String, String)> {
    let found = Spi::connect(|client| {
        let query = "SELECT server, replication FROM foreshard._nodes WHERE name OPERATOR(pg_catalog.=) $1";
        match client.select(query, Some(1), &[node.into()])?.next() {
            Some(row) => Ok::<_, pgrx::spi::Error>(Some((row.get::<String>(1)?, row.get::<String>(2)?))),
            None => Ok(None),
        }
    })?;
    match found {
        Some((Some(server), said)) => Ok((server, said.unwrap_or_default())),
        Some((None, _)) => Err(Problem::new("0A000", format!("node \"{node}\" is a tablespace of this server"))
            .detail("Copies are between other servers.")
            .into()),
        None => Err(Problem::new("42704", format!("node \"{node}\" does not exist"))
            .hint("SELECT * FROM foreshard.nodes lists them.")
            .into()),
    }
}

/// How other nodes reach a node.
pub fn address_for_others(node: &str) -> Result<String> {
    let (server, said) = server_of(node)?;
    Ok(Address::of_server(&server)?.for_replication(&said))
}
