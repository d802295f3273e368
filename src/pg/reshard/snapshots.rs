//! Transactions that see the table as it was: rows that a job has copied are not there for them.
//!
//! A new shard's rows have the number of the transaction that copied them. A REPEATABLE READ transaction that is older, and comes to the
//! table after the switch, would see the new shard without these rows, and no error. So the switch waits for all that had a snapshot when
//! the last rows were committed.
#![allow(unsafe_code)]

use super::transaction;
use crate::pg::error::Result;
use crate::pg::worker::process::Isolation;
use foreshard_core::model::Problem;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A transaction that is under way, as pg_locks names it.
type Running = String;

/// Hashes to the key of a lock that those share who wait for a job: they have a snapshot all the time, and read nothing by it.
pub const WAITS: &str = "foreshard: waits for a job";

const BLINK: Duration = Duration::from_millis(5);

/// Those of this database that have a snapshot now, this one apart; not those of VACUUM, which read no rows for anybody.
pub fn holders() -> BTreeSet<Running> {
    let ignored = pg_sys::PROC_IS_AUTOVACUUM | pg_sys::PROC_IN_VACUUM | pg_sys::PROC_IN_SAFE_IC;
    let mut count = 0;
    // SAFETY: a palloc'd array of as many entries as it says.
    unsafe {
        let ignored = i32::try_from(ignored).unwrap_or_default();
        let found = pg_sys::GetCurrentVirtualXIDs(pg_sys::InvalidTransactionId, true, false, ignored, &raw mut count);
        let found = std::slice::from_raw_parts(found, usize::try_from(count).unwrap_or(0));
        found.iter().map(name).collect()
    }
}

fn name(transaction: &pg_sys::VirtualTransactionId) -> Running {
    #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16"))]
    let process = transaction.backendId;
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    let process = transaction.procNumber;
    format!("{process}/{}", transaction.localTransactionId)
}

/// Waits until all of them have ended, or have done without a snapshot for a moment.
///
/// # Errors
/// 57014 for a cancel.
pub fn outlive(mut old: BTreeSet<Running>) -> Result<Duration> {
    let begun = Instant::now();
    loop {
        let now = transaction::transaction(Isolation::ReadCommitted, |_| {
            let waiting = waiting()?;
            Ok(holders().into_iter().filter(|t| !waiting.contains(t)).collect::<BTreeSet<_>>())
        })?;
        old.retain(|transaction| now.contains(transaction));
        if old.is_empty() {
            return Ok(begun.elapsed());
        }
        transaction::pause(BLINK)?;
    }
}

/// Somebody else is at work, those apart who wait for a job.
pub fn others() -> Result<bool> {
    let found = holders();
    if found.is_empty() {
        return Ok(false);
    }
    let waiting = waiting()?;
    Ok(found.iter().any(|transaction| !waiting.contains(transaction)))
}

/// Those who wait for a job.
fn waiting() -> Result<Vec<Running>> {
    Ok(Spi::get_one_with_args(
        "SELECT ARRAY(SELECT l.virtualtransaction FROM pg_catalog.pg_locks l, pg_catalog.hashtextextended($1, 0) AS key
            WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.mode = 'ShareLock'
                AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 = key)",
        &[WAITS.into()],
    )?
    .unwrap_or_default())
}

/// Waits until nobody has a snapshot, those apart who wait for a lock: they take another one when they have it, unless they are REPEATABLE
/// READ and came to the table in these very milliseconds.
///
/// # Errors
/// 55P03 when it lasts beyond `deadline`.
pub fn none_left(deadline: Instant) -> Result<()> {
    let waits = waiting()?;
    let mut old: BTreeSet<Running> = holders().into_iter().filter(|t| !waits.contains(t)).collect();
    loop {
        let waiting: Vec<String> = Spi::get_one(
            "SELECT ARRAY(SELECT DISTINCT virtualtransaction FROM pg_catalog.pg_locks WHERE NOT granted)",
        )?
        .unwrap_or_default();
        let now = holders();
        old.retain(|transaction| now.contains(transaction) && !waiting.contains(transaction));
        if old.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Problem::new("55P03", "a transaction still sees the table as it was").into());
        }
        pgrx::check_for_interrupts!();
        std::thread::sleep(Duration::from_millis(1));
    }
}
