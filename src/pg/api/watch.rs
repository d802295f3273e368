//! foreshard.start_worker, _start_at_commit, set_policy.

use crate::pg::ffi::Session;
use crate::pg::watch::policy;
use crate::pg::worker;
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

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

#[pg_extern(sql = false)]
fn set_policy(relation: Option<pg_sys::Oid>, policy: Option<JsonB>) {
    let _session = Session::begin();
    if let Err(error) = policy::set(relation, policy.as_ref().map(|p| &p.0)) {
        error.raise("setting a policy");
    }
}
