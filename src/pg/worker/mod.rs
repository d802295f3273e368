//! Background workers: the launcher, which sees to it that every database that has the extension is watched, the monitors, which
//! watch one each, and the workers of long jobs.
//!
//! No process knows of another but by what the server knows: a monitor is the one of its database because it holds a lock that says so, and
//! leaves when that database is wanted for something that nobody may be connected for.

mod entry;
mod launcher;
mod monitor;
pub mod process;
pub mod task;

pub use monitor::{start, start_at_commit};

/// Called while the server loads what its configuration preloads; elsewhere nothing is registered.
pub fn register() {
    if process::is_preloading() {
        launcher::register();
        super::sample::register();
    }
}
