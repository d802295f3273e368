//! A monitor: one process for a database that has the extension. Every tick it measures the shards, thinks, and writes down what it
//! found ([`crate::pg::watch`]); in between it sleeps, and looks every second whether its database is wanted by somebody who needs it for
//! himself.
//!
//! A tick that fails is told once, in the server's log, until it fails in another way or works again. The process ends when
//! the extension is gone, when its database is wanted, or by SIGTERM.

use super::launcher::LAUNCHER;
use super::process;
use crate::pg::error::Result;
use crate::pg::settings;
use crate::pg::watch::Watch;
use foreshard_core::model::Problem;
use pgrx::bgworkers::{BackgroundWorkerBuilder, DynamicBackgroundWorker};
use pgrx::{IntoDatum, PgXactCallbackEvent, Spi, pg_sys, register_xact_callback};
use std::time::{Duration, Instant};

/// Between two looks whether the database is wanted: DROP DATABASE waits five seconds for others to leave.
const LOOK: Duration = Duration::from_secs(1);
/// How long `start_worker` waits for the monitor to be there.
const START: Duration = Duration::from_secs(5);
const PREFIX: &str = "foreshard monitor";

/// Starts the process; None where the server has no place for it.
pub fn launch(database: pg_sys::Oid) -> Option<DynamicBackgroundWorker> {
    builder(database).load_dynamic().ok()
}

fn builder(database: pg_sys::Oid) -> BackgroundWorkerBuilder {
    BackgroundWorkerBuilder::new(PREFIX)
        .set_library("foreshard")
        .set_function("foreshard_monitor")
        .set_argument(i64::from(database.to_u32()).into_datum())
        .enable_spi_access()
}

/// Of a server that has a launcher: starts the monitor of this database when the transaction commits.
pub fn start_at_commit() -> Result<()> {
    if launcher_is_there()? {
        let database = process::database();
        register_xact_callback(PgXactCallbackEvent::Commit, move || {
            // The launcher will, where there is no place now.
            let _started = launch(database);
        });
    }
    Ok(())
}

fn launcher_is_there() -> Result<bool> {
    let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE backend_type = $1)";
    Ok(Spi::get_one_with_args(query, &[LAUNCHER.into()])?.unwrap_or(false))
}

/// Starts the monitor of this database and gives its process' number; that of the one that is there already.
///
/// # Errors
/// 53400 where the server has no place for another worker, 55000 on a standby or when it does not come up.
pub fn start() -> Result<i32> {
    if let Some(read_only) = crate::pg::ffi::read_only() {
        return Err(Problem::new("55000", "no monitor can be started here")
            .detail(read_only.detail)
            .hint(read_only.hint)
            .into());
    }
    let Some(extension) = process::extension() else {
        return Err(Problem::new("55000", "the extension is not there").into());
    };
    if let Some(pid) = process::monitor_of(extension)? {
        pgrx::notice!("this database has a monitor already, process {pid}");
        return Ok(pid);
    }
    if !launcher_is_there()? {
        crate::pg::error::note(
            &Problem::new("00000", "the monitor ends with the server, and is not started again")
                .hint("Add foreshard to shared_preload_libraries and restart the server: then every database that has the extension is watched."),
        );
    }
    if launch(process::database()).is_none() {
        return Err(Problem::new("53400", "could not start the monitor")
            .detail("The server has no free background worker.")
            .hint("Raise max_worker_processes and restart the server.")
            .into());
    }
    let end = Instant::now() + START;
    while Instant::now() < end {
        process::wait(Duration::from_millis(10));
        if let Some(pid) = process::monitor_of(extension)? {
            return Ok(pid);
        }
    }
    Err(Problem::new("55000", "the monitor did not come up")
        .detail("It may be that the extension was created by a transaction that has not committed yet.")
        .hint("The server's log says why it ended.")
        .into())
}

/// Part of the interval for which a monitor rests between two looks, however long these take. Assumed.
const LEAST_REST: f64 = 10.0;

/// A monitor's life.
pub fn run(database: pg_sys::Oid) -> ! {
    process::begin(Some(database));
    let mut watch = Watch::default();
    let mut extension = None;
    let mut told: Option<String> = None;
    loop {
        let begun = Instant::now();
        match tick(&mut watch, &mut extension) {
            Ok(None) => process::exit(),
            Ok(Some(())) => {
                if told.take().is_some() {
                    pgrx::log!("foreshard: the monitor works again");
                }
            }
            Err(error) => {
                // The same error has other values in its detail each time.
                let problems = error.into_problems();
                let what =
                    problems.iter().map(|p| format!("{} {}", p.sqlstate, p.message)).collect::<Vec<_>>().join("; ");
                if told.as_ref() != Some(&what) {
                    let problem = process::told(&problems);
                    pgrx::log!("foreshard: a tick of the monitor failed and is tried again: {problem}");
                    told = Some(what);
                }
            }
        }
        // A look may take longer than its interval, where nodes do not answer.
        let interval = watch.next_look(settings::monitor_interval());
        let next = (begun + interval).max(Instant::now() + interval.div_f64(LEAST_REST));
        if !process::wait_while(next, LOOK, stays) {
            process::exit();
        }
    }
}

/// One round; None where there is nothing to watch for this process, the one monitor of that extension.
fn tick(watch: &mut Watch, of: &mut Option<pg_sys::Oid>) -> Result<Option<()>> {
    let mine = process::transaction(c"", || {
        let found = process::extension();
        if of.is_none() {
            *of = found.filter(|extension| process::become_monitor(*extension));
        }
        Ok(of.is_some() && *of == found && !process::database_is_wanted())
    })?;
    if !mine {
        return Ok(None);
    }
    watch.tick().map(Some)
}

fn stays() -> bool {
    let wanted = process::transaction(c"", || Ok(process::database_is_wanted()));
    // What cannot be asked is no reason to leave.
    !wanted.unwrap_or(false)
}
