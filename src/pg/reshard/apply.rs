//! The rows: copied portion by portion, brought up to date with what was logged since, and compared.
//!
//! All of it works by snapshots. A round reads the log and the old shards under one snapshot, puts the present rows of all logged keys
//! into the new shards, and empties the log of what it saw. So after each round the new shards are exactly what the old ones were in that
//! snapshot, whatever order changes came in, and no unique key can stand in the way of a state that the old shards were in.

use super::build::{SENTINEL, name_of};
use super::task::{Old, Task};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_table};
use crate::pg::load;
use foreshard_core::backup::checksum::Checksum;
use foreshard_core::model::Problem;
use pgrx::prelude::*;

/// Blocks that are copied at once: a megabyte takes some hundredths of a second, for which nothing is cleaned up of what others leave behind.
const PORTION: usize = 128;

/// What a round did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Round {
    /// Entries of the log that are done.
    pub changes: u64,
}

fn run(sql: &str) -> Result<u64> {
    Spi::connect_mut(|client| {
        let done = client.update(sql, None, &[])?;
        Ok(u64::try_from(done.len()).unwrap_or(0))
    })
}

fn quoted(columns: &[String]) -> String {
    columns.iter().map(|c| quote_ident(c)).collect::<Vec<_>>().join(", ")
}

/// A portion of the rows of a shard: so many blocks, the last one open.
#[derive(Debug, Clone)]
pub struct Portion {
    old: Old,
    first: i64,
    end: Option<i64>,
}

/// Before the first portion: nothing is copied, and what is logged from now on counts.
pub fn begin_copy(task: &Task) -> Result<Vec<Portion>> {
    renew(task)?;
    empty(task)?;
    let mut portions = Vec::new();
    for old in &task.old {
        let blocks = blocks(old)?;
        let firsts = (0..blocks.max(1)).step_by(PORTION);
        portions.extend(firsts.map(|first| {
            let end = Some(first + PORTION as i64).filter(|end| *end < blocks);
            Portion { old: old.clone(), first, end }
        }));
    }
    Ok(portions)
}

fn blocks(old: &Old) -> Result<i64> {
    let found: Option<i64> = Spi::get_one_with_args(
        "SELECT pg_catalog.pg_relation_size($1::pg_catalog.regclass) / pg_catalog.current_setting('block_size')::pg_catalog.int8",
        &[old.relation().into()],
    )?;
    Ok(found.unwrap_or(0))
}

/// The rows of a portion, each under a snapshot of its own: a row that goes from one to another meanwhile is copied twice, or not at all, and
/// logged. The round that follows makes all one.
pub fn copy_portion(task: &Task, portion: &Portion) -> Result<u64> {
    let columns = quoted(&task.columns);
    let end = portion.end.map_or_else(String::new, |end| format!(" AND ctid < '({end},0)'"));
    run(&format!(
        "INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM ONLY {} WHERE ctid >= '({},0)'{end}",
        quote_table(&task.shell),
        quote_table(&name_of(&portion.old)?),
        portion.first
    ))
}

/// What was logged until now is not needed.
fn empty(task: &Task) -> Result<()> {
    Spi::run(&format!("TRUNCATE {}", quote_table(&task.shell)))?;
    clear(task)?;
    Ok(())
}

/// All rows at once, under the transaction's snapshot.
fn copy(task: &Task) -> Result<u64> {
    empty(task)?;
    let columns = quoted(&task.columns);
    let mut rows = 0;
    for old in &task.old {
        let from = quote_table(&name_of(old)?);
        rows += run(&format!(
            "INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM ONLY {from}",
            quote_table(&task.shell)
        ))?;
    }
    Ok(rows)
}

/// The log is still the one that was begun with the copy.
fn remember(task: &Task) -> Result<()> {
    let there: Option<bool> =
        Spi::get_one(&format!("SELECT EXISTS (SELECT FROM {} WHERE mark = '{SENTINEL}')", quote_table(&task.log)))?;
    if there == Some(true) { Ok(()) } else { Err(Problem::new(FORGOTTEN, "the log of changes is gone").into()) }
}

/// The server has crashed, which empties the log: the rows have to be copied anew. Nobody else uses this state.
pub const FORGOTTEN: &str = "FS001";

/// Begins a log that a crash has emptied again.
fn renew(task: &Task) -> Result<()> {
    if remember(task).is_err() {
        Spi::run(&format!("INSERT INTO {} (mark) VALUES ('{SENTINEL}')", quote_table(&task.log)))?;
    }
    Ok(())
}

fn clear(task: &Task) -> Result<u64> {
    run(&format!("DELETE FROM {} WHERE mark <> '{SENTINEL}'", quote_table(&task.log)))
}

/// Entries of the log that the transaction's snapshot sees.
pub fn backlog(task: &Task, most: u64) -> Result<u64> {
    remember(task)?;
    let found: Option<i64> = Spi::get_one(&format!(
        "SELECT pg_catalog.count(*) FROM (SELECT FROM {} WHERE mark <> '{SENTINEL}' LIMIT {most}) AS l",
        quote_table(&task.log)
    ))?;
    Ok(found.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}

/// Everything was truncated since the last round.
pub fn all_changed(task: &Task) -> Result<bool> {
    let found: Option<bool> =
        Spi::get_one(&format!("SELECT EXISTS (SELECT FROM {} WHERE mark = 't')", quote_table(&task.log)))?;
    Ok(found.unwrap_or(false))
}

/// Makes the new shards what the old ones are in the transaction's snapshot.
pub fn round(task: &Task) -> Result<Round> {
    remember(task)?;
    if all_changed(task)? {
        copy(task)?;
        return Ok(Round { changes: u64::MAX });
    }
    let (shell, log) = (quote_table(&task.shell), quote_table(&task.log));
    let names: Vec<String> = (1..=task.key.len()).map(|n| format!("k{n}")).collect();
    let equal = |row: &str| {
        let pairs = names
            .iter()
            .zip(&task.key)
            .map(|(k, column)| format!("{row}.{} {} l.{k}", quote_ident(&column.name), column.operator));
        pairs.collect::<Vec<_>>().join(" AND ")
    };
    let logged = format!("(SELECT DISTINCT {} FROM {log} WHERE mark = 'r') AS l", names.join(", "));
    run(&format!("DELETE FROM {shell} AS s USING {logged} WHERE {}", equal("s")))?;
    let columns = quoted(&task.columns);
    let selected = task.columns.iter().map(|c| format!("o.{}", quote_ident(c))).collect::<Vec<_>>().join(", ");
    for old in &task.old {
        run(&format!(
            "INSERT INTO {shell} ({columns}) OVERRIDING SYSTEM VALUE SELECT {selected} FROM {logged} JOIN ONLY {} AS o ON {}",
            quote_table(&name_of(old)?),
            equal("o")
        ))?;
    }
    Ok(Round { changes: clear(task)? })
}

/// Compares the new shards with the old ones under the transaction's snapshot, after a round in it.
///
/// # Errors
/// XX001 where they differ.
pub fn verify(task: &Task) -> Result<u64> {
    let mut old = Checksum::default();
    for shard in &task.old {
        let name = name_of(shard)?;
        old.merge(&load::content(&name, &load::load_columns(&name)?, None)?.checksum);
    }
    let mut new = Checksum::default();
    for shard in &task.new {
        new.merge(&load::content(&shard.name, &load::load_columns(&shard.name)?, None)?.checksum);
    }
    if old == new {
        return Ok(new.rows);
    }
    Err(Problem::new("XX001", "the copied rows are not the rows of the old shards")
        .detail(format!("{} rows with the checksum {old} became {} rows with the checksum {new}.", old.rows, new.rows))
        .hint("The old shards stay in use. Please report this.")
        .into())
}
