//! Who is restoring which table.
//!
//! A restore claims its target's name before it looks at anything, and holds the claim, a transaction's advisory lock, until
//! its transaction ends, be it by COMMIT PREPARED. Without it, a second restore of the same name would wait for the end of
//! the first inside CREATE TABLE, and then fail with a message about an index of the catalog.

use super::error::Result;
use foreshard_core::model::{Problem, TableName};
use pgrx::Spi;

/// Hashes to the key of the lock; no other program hashes the same text.
pub fn subject(target: &TableName) -> String {
    format!("foreshard: restore of {target}")
}

/// Claims a table's name for this transaction.
///
/// # Errors
/// 55006 when another transaction restores it.
pub fn take(target: &TableName) -> Result<()> {
    let taken: Option<bool> = Spi::get_one_with_args(
        "SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))",
        &[subject(target).into()],
    )?;
    if taken == Some(true) { Ok(()) } else { Err(taken_by_another(target).into()) }
}

/// Looks whether another transaction has claimed it, without a claim: planners do not stand in each other's way.
///
/// # Errors
/// 55006 when it has.
pub fn must_be_free(target: &TableName) -> Result<()> {
    let taken: Option<bool> = Spi::get_one_with_args(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l, pg_catalog.hashtextextended($1, 0) AS key
             WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
                 AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
                 AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 = key)",
        &[subject(target).into()],
    )?;
    if taken == Some(true) { Err(taken_by_another(target).into()) } else { Ok(()) }
}

fn taken_by_another(target: &TableName) -> Problem {
    Problem::new("55006", format!("table \"{target}\" is being restored by another transaction"))
        .detail("It has not been committed or rolled back yet.")
        .hint("Wait for its end: pg_stat_activity shows it, or pg_prepared_xacts.")
}
