//! A time limit for one run, by the server's own timer of statement_timeout.
//!
//! The caller's statement may be under a limit of its own, which goes on counting: it is put back afterwards, and where it
//! ends first it ends the whole call.
#![allow(unsafe_code)]

use crate::pg::error::Result;
use crate::pg::ffi::problem_of;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder, check_for_interrupts, pg_sys};
use std::cell::Cell;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, RefUnwindSafe};

unsafe extern "C-unwind" {
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
    fn enable_timeout_at(id: c_int, end: pg_sys::TimestampTz);
    fn disable_timeout(id: c_int, keep_indicator: bool);
    fn get_timeout_active(id: c_int) -> bool;
    fn get_timeout_finish_time(id: c_int) -> pg_sys::TimestampTz;
}

/// STATEMENT_TIMEOUT in utils/timeout.h, the same in all versions.
const STATEMENT_TIMEOUT: c_int = 3;

/// Does the work; None when it took longer. What it leaves behind then must be undone by itself.
///
/// # Errors
/// Those of the work.
pub fn within<T>(ms: u32, work: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    // SAFETY: these functions change the timers of this process, raise no errors, and the timer of statements is there
    // from the start of every backend.
    let outer = unsafe { get_timeout_active(STATEMENT_TIMEOUT).then(|| get_timeout_finish_time(STATEMENT_TIMEOUT)) };
    // SAFETY: reads the clock.
    let end = unsafe { pg_sys::GetCurrentTimestamp() } + i64::from(ms) * 1000;
    if outer.is_some_and(|outer| outer <= end) {
        return work().map(Some);
    }
    // SAFETY: see above.
    unsafe {
        disable_timeout(STATEMENT_TIMEOUT, false);
        enable_timeout_after(STATEMENT_TIMEOUT, c_int::try_from(ms).unwrap_or(c_int::MAX));
    }
    let timer = Timer(Cell::new(None));
    let timer = &timer;
    PgTryBuilder::new(AssertUnwindSafe(|| {
        let outcome = work().map(Some);
        // It may fire at the very end: then that is said here, and not to whoever comes next.
        timer.stop();
        check_for_interrupts!();
        outcome
    }))
    .catch_others(reason_unless_final)
    // Where it has not fired, somebody wants the whole call to end.
    .catch_when(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, move |error| match timer.stop() {
        true => Ok(None),
        false => error.rethrow(),
    })
    .finally(move || {
        // SAFETY: see above.
        unsafe {
            disable_timeout(STATEMENT_TIMEOUT, false);
            if let Some(outer) = outer {
                enable_timeout_at(STATEMENT_TIMEOUT, outer);
            }
        }
    })
    .execute()
}

/// Does the work, which undoes itself where it fails. An ERROR of any kind is one of the statement, even where another call
/// would end by it (memory that cannot be had, an internal error): a log must not be able to end its replay.
///
/// # Errors
/// Those of the work; who wants us to stop still ends the whole call.
pub fn contained<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    PgTryBuilder::new(AssertUnwindSafe(work)).catch_others(reason_unless_final).execute()
}

fn reason_unless_final<T>(error: CaughtError) -> Result<T> {
    let problem = problem_of(&error);
    if problem.sqlstate.starts_with("57") { error.rethrow() } else { Err(problem.into()) }
}

/// Whether it has fired, once that is known.
struct Timer(Cell<Option<bool>>);

/// An ERROR leaves it as it is.
impl RefUnwindSafe for Timer {}

impl Timer {
    /// Stops it, and says whether it had fired before.
    fn stop(&self) -> bool {
        self.0.get().unwrap_or_else(|| {
            // SAFETY: as in `within`. A timer that has fired is not active any more.
            let fired = unsafe { !get_timeout_active(STATEMENT_TIMEOUT) };
            // SAFETY: see above.
            unsafe { disable_timeout(STATEMENT_TIMEOUT, false) };
            self.0.set(Some(fired));
            fired
        })
    }
}
