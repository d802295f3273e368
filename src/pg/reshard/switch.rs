//! The switch: the only moment at which the application waits, and at which a job can meet it.
//!
//! The parent is locked first, alone, then the shards: the order in which every statement locks them, so that whoever holds a shard
//! already has the parent, and is waited for there. Waiting and working have one deadline. Past it all is rolled back, and
//! tried again later: a switch that takes too long has not happened.

use super::task::{Old, Task};
use super::transaction::acting_as;
use super::{apply, build, facts, proof, records, snapshots};
use crate::pg::create::bound_clause;
use crate::pg::error::Result;
use crate::pg::ffi::{Pinned, Session, quote_ident, quote_table};
use crate::pg::{catalog, timeout};
use foreshard_core::model::Problem;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// Logged changes that are applied under the lock; more are caught up with before. A thousand rows by their key take some
/// milliseconds. Assumed.
pub const MOST_UNDER_LOCK: u64 = 1000;

/// How long an attempt has held the lock; also of one that failed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    since: Option<Instant>,
}

impl Held {
    /// From now on.
    pub fn begin(&mut self) {
        self.since = Some(Instant::now());
    }

    pub fn ms(&self) -> f64 {
        self.since.map_or(0.0, |since| since.elapsed().as_secs_f64() * 1000.0)
    }
}

/// Whatever it is that takes longer than `foreshard.max_lock_time`, it is ended by a timer.
///
/// # Errors
/// 55P03 then.
pub fn in_time<T>(most: u32, work: impl FnOnce() -> Result<T>) -> Result<T> {
    timeout::within(most, work)?.ok_or_else(|| {
        Problem::new("55P03", "the switch took too long")
            .detail(format!("foreshard.max_lock_time is {most} ms."))
            .hint("Increase it, or try again when less is going on.")
            .into()
    })
}

/// One attempt, in a transaction of its own that the caller commits.
///
/// # Errors
/// 55P03 when it takes too long, 55000 where the table was changed, and what the server says.
pub fn attempt(task: &Task, job: i64, number: i32, session: &Session, held: &mut Held) -> Result<()> {
    let deadline = Instant::now() + Duration::from_millis(task.max_lock_ms.into());
    let parent_oid = pg_sys::Oid::from(task.parent);
    let parent = catalog::name_of(parent_oid)?
        .ok_or_else(|| Problem::new("42P01", format!("table {} is not there any more", quote_table(&task.table))))?;
    let parent = quote_table(&parent);
    let olds = task.old.iter().map(build::name_of).collect::<Result<Vec<_>>>()?;
    session.set("lock_timeout", &format!("{}ms", task.max_lock_ms));
    Spi::run(&format!("LOCK TABLE ONLY {parent} IN ACCESS EXCLUSIVE MODE"))?;
    held.begin();
    let part = task.dissolved.as_ref().map(|part| quote_table(&part.name));
    if let Some(part) = &part {
        Spi::run(&format!("LOCK TABLE ONLY {part} IN ACCESS EXCLUSIVE MODE"))?;
    }
    for old in &olds {
        Spi::run(&format!("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE", quote_table(old)))?;
    }
    unchanged(task)?;
    acting_as(task.owner, || {
        drain(task, deadline)?;
        replace(task, &parent, &olds)
    })?;
    records::switched(task, job, number)?;
    Ok(())
}

/// # Errors
/// 55000 where the table is not what the new shards were made from.
pub fn unchanged(task: &Task) -> Result<()> {
    let now = task.old.iter().map(|old| facts::definition(old.relation())).collect::<Result<Vec<_>>>()?.join(" ");
    if now == task.definition {
        return Ok(());
    }
    Err(Problem::new("55000", format!("table {} was changed while its shards were copied", quote_table(&task.table)))
        .detail("The new shards are made from a definition that it does not have any more.")
        .hint("Begin again, and change the table before or after.")
        .into())
}

fn drain(task: &Task, deadline: Instant) -> Result<()> {
    let backlog = apply::backlog(task, MOST_UNDER_LOCK + 1)?;
    if backlog == 0 {
        return Ok(());
    }
    if backlog > MOST_UNDER_LOCK || apply::all_changed(task)? {
        return Err(Problem::new("55P03", "too many changes came in before the switch").into());
    }
    // A few keys are looked up, whatever the planner makes of a log that it knows nothing of.
    let by_key = Pinned::new(&[("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")]);
    apply::round(task)?;
    drop(by_key);
    snapshots::none_left(deadline)
}

fn replace(task: &Task, parent: &str, olds: &[foreshard_core::model::TableName]) -> Result<()> {
    let keys = match task.old.first() {
        Some(old) => facts::outbound(old.relation())?,
        None => Vec::new(),
    };
    let mut leaving: Vec<(String, pg_sys::Oid)> =
        olds.iter().map(quote_table).zip(task.old.iter().map(Old::relation)).collect();
    for (name, _) in &leaving {
        build::release(name)?;
    }
    if let Some(part) = &task.dissolved {
        leaving = vec![(quote_table(&part.name), pg_sys::Oid::from(part.oid))];
    }
    for (name, oid) in &leaving {
        // A row that is kept for a while must not stop whoever deletes what it refers to.
        let own = facts::outbound(*oid)?;
        Spi::run(&format!("ALTER TABLE {parent} DETACH PARTITION {name}"))?;
        for (key, _) in &own {
            Spi::run(&format!("ALTER TABLE {name} DROP CONSTRAINT {}", quote_ident(key)))?;
        }
    }
    // Before the switch, a key of rows that are not up to date would stop whoever deletes what they refer to.
    for new in &task.new {
        for (key, definition) in &keys {
            let name = quote_table(&new.name);
            Spi::run(&format!("ALTER TABLE {name} ADD CONSTRAINT {} {definition} NOT VALID", quote_ident(key)))?;
            proof::believe(&new.name, key)?;
        }
    }
    let shell = quote_table(&task.shell);
    for (table, place) in task.attached() {
        let name = quote_table(table);
        Spi::run(&format!("ALTER TABLE {shell} DETACH PARTITION {name}"))?;
        Spi::run(&format!("ALTER TABLE {parent} ATTACH PARTITION {name} {}", bound_clause(place)))?;
        Spi::run(&format!("ALTER TABLE {name} DROP CONSTRAINT {}", proof::PROOF))?;
    }
    Ok(())
}
