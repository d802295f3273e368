//! Transactions of a process that works for itself: an ERROR ends the transaction, and comes back as data.
#![allow(unsafe_code)]

use crate::pg::error::{Error, Result};
use crate::pg::ffi::{self, Session};
use crate::pg::worker::process::{self, Isolation};
use foreshard_core::model::Problem;
use pgrx::{PgTryBuilder, check_for_interrupts, pg_sys};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// Runs `work` in a transaction of its own, under settings by which names, texts and privileges mean one thing, and commits it.
///
/// # Errors
/// What `work` says or the server raises; then the transaction is rolled back. An order to end the process is no error: it ends.
pub fn transaction<T>(isolation: Isolation, work: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
    let value = process::transaction_at(isolation, c"", || {
        check_for_interrupts!();
        // SAFETY: of the transaction that was just begun. With a number of its own from the start, pgrx reads by a new snapshot in each
        // statement, as READ COMMITTED means it.
        unsafe {
            pg_sys::XactReadOnly = false;
            pg_sys::GetCurrentTransactionId();
        }
        let session = Session::begin();
        // Compiling takes longer than what is done under a lock.
        session.set("jit", "off");
        let_autovacuum_go();
        work(&session)
    })?;
    // SAFETY: in no transaction. What was written counts for autovacuum now, not when the process ends.
    unsafe { pg_sys::pgstat_report_stat(true) };
    Ok(value)
}

/// Autovacuum lets go of a table when somebody who waits for it looks for deadlocks: by default after a second, when an attempt
/// to lock the table is over long since.
fn let_autovacuum_go() {
    // SAFETY: constant texts; the setting is a superuser's to change, and takes nothing from anybody else. The session's end puts it back.
    unsafe {
        pg_sys::set_config_option(
            c"deadlock_timeout".as_ptr(),
            c"20ms".as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// Runs `work` as a role that the caller may become: the owner of what is worked on.
///
/// # Errors
/// 42501 for another role: what a job says of it is text in a table.
pub fn acting_as<T>(role: u32, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if !ffi::may_become(ffi::current_role(), pg_sys::Oid::from(role)) {
        return Err(Problem::new("42501", "permission denied to work as the owner of the job's table").into());
    }
    let _role = ffi::ActingAs::new(pg_sys::Oid::from(role));
    work()
}

/// Between two looks for a cancel.
const BLINK: Duration = Duration::from_millis(10);

/// Sleeps outside of a transaction. A cancel comes back as an error.
pub fn pause(time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        look()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(BLINK));
    }
}

/// Serves interrupts outside of a transaction.
///
/// # Errors
/// 57014 for a cancel.
pub fn look() -> Result<()> {
    outside(|| {
        ffi::exit_without_postmaster();
        check_for_interrupts!();
        Ok(())
    })
}

/// Does what needs no transaction; an ERROR, as of a cancel, comes back as data.
pub fn outside<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    PgTryBuilder::new(AssertUnwindSafe(work)).catch_others(|error| Err(Error::from(ffi::problem_of(&error)))).execute()
}

/// What is shown of this process in pg_stat_activity.
pub fn show(doing: &str) {
    let text = ffi::cstring(doing);
    // SAFETY: a text, which is copied.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, text.as_ptr()) };
}
