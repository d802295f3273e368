//! The names by which the server finds what its background workers run.
#![allow(unsafe_code)]

use super::{launcher, monitor};
use pgrx::{pg_guard, pg_sys};

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn foreshard_launcher(_argument: pg_sys::Datum) {
    launcher::run();
}

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn foreshard_monitor(argument: pg_sys::Datum) {
    if let Ok(database) = u32::try_from(argument.value()) {
        monitor::run(pg_sys::Oid::from(database));
    }
}
