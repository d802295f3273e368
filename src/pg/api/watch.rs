//! foreshard.start_worker, _start_at_commit, set_policy.

use crate::pg::ffi::Session;
use crate::pg::worker;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn start_worker() -> i32 {
    let _session = Session::begin();
    match worker::start() {
        Ok(pid) => pid,
        Err(error) => error.raise("starting the monitor"),
    }
}

#[pg_extern(sql = false)]
fn start_at_commit() {
    let _session = Session::begin();
    if let Err(error) = worker::start_at_commit() {
        error.raise("starting the monitor");
    }
}
