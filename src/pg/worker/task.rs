//! The background worker of one long job. It is started when the transaction that wrote the job down has committed, works as the role that
//! asked for it, and ends with the job. It needs no preloaded library; after a crash of the server it is not started again by itself.
#![allow(unsafe_code)]

use crate::pg::reshard;
use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder};
use pgrx::{IntoDatum, PgXactCallbackEvent, pg_guard, pg_sys, register_xact_callback};

/// Starts the worker when this transaction commits.
pub fn start_after_commit(job: i64, role: pg_sys::Oid) {
    // SAFETY: reads the number of this database.
    let database = unsafe { pg_sys::MyDatabaseId };
    register_xact_callback(PgXactCallbackEvent::Commit, move || {
        let started = BackgroundWorkerBuilder::new(&format!("foreshard job {job}"))
            .set_type("foreshard job")
            .set_library("foreshard")
            .set_function("foreshard_job")
            .set_argument(job.into_datum())
            .set_extra(&format!("{} {}", database.to_u32(), role.to_u32()))
            .enable_spi_access()
            .load_dynamic();
        if started.is_err() {
            pgrx::warning!(
                "no background worker is free for job {job}: increase max_worker_processes, then SELECT foreshard.resume_job({job})"
            );
        }
    });
}

unsafe extern "C-unwind" {
    /// The server's own handlers of signals.
    #[link_name = "die"]
    fn server_die(signal: std::ffi::c_int);
}

/// A worker's life. The server finds it by its name.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn foreshard_job(argument: pg_sys::Datum) {
    // SAFETY: handlers of the server's own; a cancel has its handler already, since the worker has a database connection.
    unsafe {
        let signal = i32::try_from(pg_sys::SIGTERM).unwrap_or(15);
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal, Some(server_die));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal, Some(server_die));
        pg_sys::BackgroundWorkerUnblockSignals();
    }
    let mut numbers = BackgroundWorker::get_extra().split(' ').map(str::parse::<u32>);
    let (Some(Ok(database)), Some(Ok(role))) = (numbers.next(), numbers.next()) else { return };
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database.into()), Some(role.into()));
    let job = i64::try_from(argument.value()).unwrap_or_default();
    if let Err(error) = reshard::work(job) {
        let problem = error.into_problems().into_iter().next();
        let said = problem.map_or_else(String::new, |p| format!("[{}] {}", p.sqlstate, p.message));
        pgrx::log!("job {job} is not finished: {said}");
    }
}
