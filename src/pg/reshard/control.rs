//! Jobs from outside: waiting for one, ending one, starting one again.

use super::transaction::acting_as;
use super::{build, elsewhere, records};
use crate::pg::error::Result;
use crate::pg::{catalog, ffi};
use foreshard_core::model::Problem;
use foreshard_core::steps::Step;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// Between two looks of one who waits. Assumed.
const LOOK: Duration = Duration::from_millis(50);
/// How long a job may be without a worker: the server starts it after the commit, when it comes to it. Assumed.
const START: Duration = Duration::from_secs(10);

/// The job changes a table's shape, and is no restore.
pub fn is_job(job: i64) -> Result<bool> {
    Ok(Spi::get_one_with_args("SELECT EXISTS (SELECT FROM foreshard._reshards WHERE job_id = $1)", &[job.into()])?
        .unwrap_or(false))
}

fn unknown(job: i64) -> Problem {
    Problem::new("42704", format!("job {job} does not exist")).hint("SELECT * FROM foreshard.jobs lists them.")
}

/// The state of a job as it is now, whatever this statement's snapshot sees.
fn state(job: i64) -> Result<Option<String>> {
    Spi::connect_mut(|client| {
        match client.update("SELECT state FROM foreshard._jobs WHERE id = $1", Some(1), &[job.into()])?.next() {
            Some(row) => Ok(row.get(1)?),
            None => Ok(None),
        }
    })
}

/// The process that works on a job.
fn worker(job: i64) -> Result<Option<i32>> {
    Spi::connect_mut(|client| {
        let query = "SELECT l.pid FROM pg_catalog.pg_locks l, pg_catalog.hashtextextended($1, 0) AS key
            WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.mode = 'ExclusiveLock'
                AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
                AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 = key";
        match client.update(query, Some(1), &[super::work::job_subject(job).into()])?.next() {
            Some(row) => Ok(row.get(1)?),
            None => Ok(None),
        }
    })
}

/// Waits for the end of a job, and gives its state.
///
/// # Errors
/// 42704 for no job; 0A000 in a transaction that would never see the end; 55000 for one that nobody works on.
pub fn wait(job: i64, most: Option<Duration>) -> Result<String> {
    // It waits for all who have a snapshot, and this statement has one. It says that it reads nothing by it.
    if !ffi::reads_committed() {
        return Err(Problem::new("0A000", "a job can be waited for in READ COMMITTED transactions only")
            .detail("The job itself waits for all transactions that see the table as it was.")
            .hint("SET TRANSACTION ISOLATION LEVEL READ COMMITTED;")
            .into());
    }
    Spi::run_with_args(
        "SELECT pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtextextended($1, 0))",
        &[super::snapshots::WAITS.into()],
    )?;
    let begun = Instant::now();
    let mut seen = Instant::now();
    loop {
        let state = state(job)?.ok_or_else(|| unknown(job))?;
        if state != "running" || most.is_some_and(|most| begun.elapsed() >= most) {
            return Ok(state);
        }
        if worker(job)?.is_some() {
            seen = Instant::now();
        } else if seen.elapsed() > START {
            return Err(Problem::new("55000", format!("nobody works on job {job}"))
                .detail("Its worker has ended, or there was none free.")
                .hint(format!("SELECT foreshard.resume_job({job});"))
                .into());
        }
        pgrx::check_for_interrupts!();
        std::thread::sleep(LOOK);
    }
}

/// Ends a job. Where nobody works on it, the role that a worker has to be started as to undo it.
///
/// # Errors
/// 42704 for no job, 55000 for one that is over, or has switched already.
pub fn cancel(job: i64) -> Result<Option<pg_sys::Oid>> {
    let role = role(job)?;
    let now = state(job)?.ok_or_else(|| unknown(job))?;
    if now != "running" {
        return Err(Problem::new("55000", format!("job {job} is over"))
            .detail(format!("Its state is \"{now}\"."))
            .into());
    }
    if let Some(record) = records::next(job)?.filter(|record| record.step == Step::Drop) {
        return Err(Problem::new("55000", format!("job {job} cannot be undone any more"))
            .detail(format!("The new shards of {} are in use.", record.task.table))
            .hint(format!("Wait for its end, then: SELECT foreshard.undo_job({job});"))
            .into());
    }
    let worker = worker(job)?;
    // First the signal: a worker at the end of a step holds the row until it commits.
    if let Some(pid) = worker {
        Spi::run_with_args("SELECT pg_catalog.pg_cancel_backend($1)", &[pid.into()])?;
    }
    Spi::run_with_args("UPDATE foreshard._reshards SET cancelled = true WHERE job_id = $1", &[job.into()])?;
    Ok(worker.is_none().then_some(role))
}

/// The role that began a job.
///
/// # Errors
/// 42704 where it is gone or there is no such job, 42501 where the caller may not act as it.
fn role(job: i64) -> Result<pg_sys::Oid> {
    let name: Option<String> = Spi::get_one_with_args(
        "SELECT (SELECT started_by::pg_catalog.text FROM foreshard._jobs WHERE id = $1)",
        &[job.into()],
    )?;
    let name = name.ok_or_else(|| unknown(job))?;
    let gone = || Problem::new("42704", format!("role \"{name}\", which began job {job}, does not exist"));
    let role = catalog::role_oid(&name)?.ok_or_else(gone)?;
    if !catalog::may_act_as(&name)? {
        return Err(Problem::new("42501", format!("permission denied for job {job}"))
            .detail(format!("It belongs to role \"{name}\"."))
            .into());
    }
    Ok(role)
}

/// The role that the worker of a job has to be started as; None where one works, or the job is over.
///
/// # Errors
/// 42704 for no job, 42501 for another role's.
pub fn resume(job: i64) -> Result<Option<pg_sys::Oid>> {
    let role = role(job)?;
    let running = state(job)?.as_deref() == Some("running") && worker(job)?.is_none();
    // A test's pause is over with the process that it was for.
    if running {
        Spi::run_with_args(
            "UPDATE foreshard._reshards SET pause_at = $2 WHERE job_id = $1",
            &[job.into(), crate::pg::settings::pause_at().into()],
        )?;
    }
    Ok(running.then_some(role))
}

/// The jobs that need a worker, and the roles for them; drops what was kept long enough.
pub fn resume_all() -> Result<Vec<(i64, pg_sys::Oid)>> {
    for (job, number, task) in records::expired()? {
        // Another role's jobs are another's to end, and to start; and no job does more than the role that began it may.
        if !role(job).is_ok_and(|role| ffi::may_become(role, pg_sys::Oid::from(task.owner))) {
            continue;
        }
        let outcome = ffi::attempt(
            |p| !p.sqlstate.starts_with("57"),
            || match &task.away {
                Some(away) if records::is_kept(job, number)? => elsewhere::drop_old(&task, away),
                Some(_) => Ok(()),
                None => acting_as(task.owner, || build::drop_old(&task)),
            },
        );
        if outcome.is_ok() {
            records::not_kept(job, number)?;
        }
    }
    let mut found = Vec::new();
    for job in records::running(None)? {
        // Another role's jobs are another's to start.
        match resume(job) {
            Ok(Some(role)) => found.push((job, role)),
            Ok(None) => {}
            Err(error) if error.is("42501") || error.is("42704") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
