//! foreshard._running, which the view foreshard.jobs shows; foreshard.cancel_job.

use crate::pg::ffi::Session;
use crate::pg::worker::task::start_after_commit;
use crate::pg::{precheck, progress, reshard, unfinished};
use pgrx::prelude::*;

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn running() -> TableIterator<
    'static,
    (
        name!(pid, i32),
        name!(target, String),
        name!(role, pg_sys::Oid),
        name!(started_at, TimestampWithTimeZone),
        name!(phase, String),
        name!(phase_started_at, TimestampWithTimeZone),
        name!(rows, i64),
        name!(bytes, i64),
        name!(bytes_total, Option<i64>),
        name!(message, String),
    ),
> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    TableIterator::new(progress::all().into_iter().filter_map(move |r| {
        Some((
            r.pid,
            r.target,
            pg_sys::Oid::from(r.role),
            TimestampWithTimeZone::try_from(r.started_at).ok()?,
            r.phase.name().to_owned(),
            TimestampWithTimeZone::try_from(r.phase_started_at).ok()?,
            signed(r.rows),
            signed(r.bytes),
            r.bytes_total.map(signed),
            format!("restoring from {}", r.backup),
        ))
    }))
}

#[pg_extern(sql = false)]
fn cancel_job(job_id: i64) {
    let _session = Session::begin();
    let outcome = precheck::writable("cancel a job").and_then(|()| {
        if !reshard::is_job(job_id)? {
            return unfinished::remove(job_id);
        }
        // Nobody works on it: somebody has to undo what was done.
        if let Some(role) = reshard::cancel(job_id)? {
            start_after_commit(job_id, role);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        error.raise("cancelling a job");
    }
}
