//! The launcher: one process of a server that preloads the library. It knows which databases there are, and starts a monitor in each; the
//! monitor itself sees whether the extension is there, and leaves where it is not or where another is at work.
//!
//! A monitor that left is started again after a pause, which grows with every one that did not stay. CREATE EXTENSION does not
//! wait for that: it starts the monitor when it commits ([`super::monitor::start_at_commit`]).

use super::{monitor, process};
use crate::pg::settings;
use pgrx::bgworkers::{BackgroundWorkerBuilder, BackgroundWorkerStatus, DynamicBackgroundWorker};
use pgrx::pg_sys;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub const LAUNCHER: &str = "foreshard launcher";
/// A process that ended by an error is started again after it.
const RESTART: Duration = Duration::from_secs(10);
/// Between two starts in a database where no monitor stays, at most. Assumed: a process an hour costs nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// A monitor that lived so long had something to watch.
const STAYED: Duration = Duration::from_secs(60);

pub fn register() {
    BackgroundWorkerBuilder::new(LAUNCHER)
        .set_library("foreshard")
        .set_function("foreshard_launcher")
        .enable_spi_access()
        .set_restart_time(Some(RESTART))
        .load();
}

/// What the launcher knows of a database.
#[derive(Debug)]
struct Watched {
    worker: Option<Worker>,
    pause: Duration,
    /// Not before.
    due: Instant,
}

struct Worker {
    handle: DynamicBackgroundWorker,
    since: Instant,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("since", &self.since).finish_non_exhaustive()
    }
}

/// The launcher's life.
pub fn run() -> ! {
    process::begin(None);
    let mut watched: BTreeMap<u32, Watched> = BTreeMap::new();
    let mut complained = false;
    loop {
        match process::databases() {
            Ok(databases) => {
                watched.retain(|oid, _| databases.iter().any(|d| d.to_u32() == *oid));
                let failed = databases.into_iter().filter(|d| !see_to(&mut watched, *d)).count();
                if failed > 0 && !complained {
                    pgrx::log!(
                        "foreshard: could not start monitors of {failed} databases: no free background worker; max_worker_processes may be raised"
                    );
                }
                complained = failed > 0;
            }
            Err(error) if !complained => {
                pgrx::log!("foreshard: could not list the databases: {}", process::told(&error.into_problems()));
                complained = true;
            }
            Err(_) => {}
        }
        process::wait(settings::monitor_interval());
    }
}

/// Starts the monitor of a database when it is time; whether all is as it should be.
fn see_to(watched: &mut BTreeMap<u32, Watched>, database: pg_sys::Oid) -> bool {
    let now = Instant::now();
    let known = watched.entry(database.to_u32()).or_insert(Watched { worker: None, pause: RESTART, due: now });
    if let Some(worker) = &known.worker {
        if !matches!(worker.handle.pid(), Err(BackgroundWorkerStatus::Stopped)) {
            return true;
        }
        let stayed = now.saturating_duration_since(worker.since) >= STAYED;
        known.pause = if stayed { RESTART } else { (known.pause * 2).min(LONGEST_PAUSE) };
        known.due = now + known.pause;
        known.worker = None;
    }
    if now < known.due {
        return true;
    }
    known.worker = monitor::launch(database).map(|handle| Worker { handle, since: now });
    known.worker.is_some()
}
