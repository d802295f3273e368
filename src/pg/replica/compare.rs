//! Whether copies hold what their shards hold: compared by what both nodes say of their content, when the copy has what the shard had.
//!
//! First while others write; what differs then is compared once more while nobody may write to the shard, for as long as that takes.

use super::record::Replica;
use super::states::{heard, open};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_literal, quote_table};
use crate::pg::remote::Connection;
use crate::pg::remote::digest::{self, Digest};
use foreshard_core::model::TableName;
use std::time::{Duration, Instant};

/// How long a copy may take until it has what its shard had when it was asked.
const CATCH_UP: Duration = Duration::from_secs(15);
/// How long a comparison waits for those who write.
const WRITERS: &str = "5s";

/// For each copy why it is not the same; None for one that is.
pub fn differences(replicas: &[Replica]) -> Result<Vec<Option<String>>> {
    let mut links: Vec<(&str, &str, &str)> = replicas.iter().map(|r| (&*r.link, &*r.primary, &*r.node)).collect();
    links.sort_unstable();
    links.dedup();
    let mut found: Vec<Option<String>> = vec![None; replicas.len()];
    for (link, primary, node) in links {
        let of_link = |r: &Replica| r.link == link && r.primary == primary && r.node == node;
        let members: Vec<usize> = (0..).zip(replicas).filter(|(_, r)| of_link(r)).map(|(n, _)| n).collect();
        let mut tell = |n: usize, reason: String| found.get_mut(n).into_iter().for_each(|f| *f = Some(reason.clone()));
        if link.is_empty() {
            members.iter().for_each(|n| {
                tell(*n, format!("it follows the shard no more; foreshard.rejoin('{node}') copies it anew"))
            });
            continue;
        }
        let tables: Vec<(usize, TableName)> =
            members.iter().filter_map(|n| Some((*n, replicas.get(*n)?.there.clone()))).collect();
        match heard(of_link_compared(link, (primary, node), &tables))? {
            Some(reasons) => reasons.into_iter().for_each(|(n, reason)| tell(n, reason)),
            None => members.iter().for_each(|n| tell(*n, format!("node \"{primary}\" or \"{node}\" does not answer"))),
        }
    }
    Ok(found)
}

fn of_link_compared(
    link: &str,
    (primary, node): (&str, &str),
    tables: &[(usize, TableName)],
) -> Result<Vec<(usize, String)>> {
    let (mut shards, mut copies) = (open(primary)?, open(node)?);
    let first = compared(link, &mut shards, &mut copies, tables)?;
    let suspects: Vec<(usize, TableName)> =
        tables.iter().filter(|(n, _)| first.iter().any(|(other, _)| other == n)).cloned().collect();
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = suspects.iter().map(|(_, table)| quote_table(table)).collect();
    let lock =
        format!("BEGIN; SET LOCAL lock_timeout = '{WRITERS}'; LOCK TABLE ONLY {} IN SHARE MODE", names.join(", ONLY "));
    match shards.query(&lock) {
        Ok(_) => {
            let second = compared(link, &mut shards, &mut copies, &suspects)?;
            shards.query("COMMIT")?;
            Ok(second)
        }
        Err(error) if error.is_outside() => Ok(suspects
            .into_iter()
            .map(|(n, _)| (n, "it could not be compared, because of those who write".to_owned()))
            .collect()),
        Err(error) => Err(error),
    }
}

fn compared(
    link: &str,
    shards: &mut Connection,
    copies: &mut Connection,
    tables: &[(usize, TableName)],
) -> Result<Vec<(usize, String)>> {
    if !caught_up(link, shards)? {
        let reason = format!("it has not come after its shard within {} s", CATCH_UP.as_secs());
        return Ok(tables.iter().map(|(n, _)| (*n, reason.clone())).collect());
    }
    let names: Vec<TableName> = tables.iter().map(|(_, table)| table.clone()).collect();
    let ask = digest::ask(&names, true);
    let (wanted, there) = (digest::answered(&shards.query(&ask)?), digest::answered(&copies.query(&ask)?));
    let of = |list: &[Digest], table: &TableName| list.iter().find(|d| d.table == table.name).cloned();
    let reason = |(n, table): &(usize, TableName)| {
        let (shard, copy) = (of(&wanted, table)?, of(&there, table)?);
        match shard == copy {
            true => None,
            false if shard.rows != copy.rows => {
                Some((*n, format!("it has {} rows, the shard has {}", copy.rows, shard.rows)))
            }
            false => Some((*n, format!("its {} rows are not those of the shard", copy.rows))),
        }
    };
    Ok(tables.iter().filter_map(reason).collect())
}

/// The copy has on disk what is written by now.
fn caught_up(link: &str, shards: &mut Connection) -> Result<bool> {
    let end = shards.query("SELECT pg_catalog.pg_current_wal_insert_lsn()")?;
    let question = format!(
        "SELECT confirmed_flush_lsn >= {}::pg_catalog.pg_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = {}",
        quote_literal(end.first(0).unwrap_or_default()),
        quote_literal(link)
    );
    let deadline = Instant::now() + CATCH_UP;
    loop {
        if shards.query(&question)?.first(0) == Some("t") {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        shards.query("SELECT pg_catalog.pg_sleep(0.02)")?;
    }
}
