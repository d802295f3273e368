//! Where the server lets us in: when a statement begins it is chosen or not, and when a chosen one has ended its plan is read.
//!
//! The server's own work, or another library's, is called last and from a frame that owns nothing: an ERROR in it passes as if we were not there.
#![allow(unsafe_code)]

use super::{plan, shared};
use crate::pg::settings;
use crate::pg::worker::process;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::c_int;

unsafe extern "C-unwind" {
    // As pgrx declares them an ERROR would be caught and raised again for every statement of every session.
    fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: c_int);
    fn standard_ExecutorEnd(query: *mut pg_sys::QueryDesc);
}

static mut EARLIER_START: pg_sys::ExecutorStart_hook_type = None;
static mut EARLIER_END: pg_sys::ExecutorEnd_hook_type = None;

thread_local! {
    /// The statement that was chosen last, and the blocks that this process had asked for before. One that fails leaves it behind, and a statement
    /// inside of another takes its place: neither does harm.
    static CHOSEN: Cell<(*mut pg_sys::QueryDesc, i64)> = const { Cell::new((std::ptr::null_mut(), 0)) };
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

pub fn register() {
    // SAFETY: the server loads libraries before it has any other process, and calls hooks from its only thread.
    unsafe {
        EARLIER_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(start);
        EARLIER_END = pg_sys::ExecutorEnd_hook;
        pg_sys::ExecutorEnd_hook = Some(end);
    }
}

unsafe extern "C-unwind" fn start(query: *mut pg_sys::QueryDesc, flags: c_int) {
    choose(query, flags);
    // SAFETY: what this hook was given is passed on.
    unsafe {
        match EARLIER_START {
            Some(earlier) => earlier(query, flags),
            None => standard_ExecutorStart(query, flags),
        }
    }
}

unsafe extern "C-unwind" fn end(query: *mut pg_sys::QueryDesc) {
    if CHOSEN.get().0 == query && !query.is_null() {
        // SAFETY: a statement that has run, whose state is all there still.
        unsafe { look(query) };
    }
    // SAFETY: what this hook was given is passed on.
    unsafe {
        match EARLIER_END {
            Some(earlier) => earlier(query),
            None => standard_ExecutorEnd(query),
        }
    }
}

fn choose(query: *mut pg_sys::QueryDesc, flags: c_int) {
    // What lay at this address before is gone.
    if CHOSEN.get().0 == query {
        CHOSEN.set((std::ptr::null_mut(), 0));
    }
    // SAFETY: reads a number: parallel workers have part of a statement that was chosen, or not, elsewhere.
    let part = unsafe { pg_sys::ParallelWorkerNumber } >= 0;
    let explained = flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int != 0;
    if shared::is_there() && !part && !explained && is_chance(settings::sample_rate()) {
        CHOSEN.set((query, blocks()));
    }
}

/// Reads what the statement asked of sampled tables.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn look(query: *mut pg_sys::QueryDesc) {
    let (_, before) = CHOSEN.replace((std::ptr::null_mut(), 0));
    if shared::is_free(process::clock()) {
        let took = blocks().saturating_sub(before);
        // SAFETY: as above.
        unsafe { plan::look(query, took, random) };
    }
}

/// Blocks that this process has asked the server's cache for.
fn blocks() -> i64 {
    // SAFETY: reads two counters of this process.
    unsafe { (&raw const pg_sys::pgBufferUsage).read() }.asked()
}

trait Asked {
    fn asked(&self) -> i64;
}

impl Asked for pg_sys::BufferUsage {
    fn asked(&self) -> i64 {
        self.shared_blks_hit.saturating_add(self.shared_blks_read)
    }
}

fn is_chance(rate: f64) -> bool {
    rate > 0.0 && (random() >> 11) as f64 / (1_u64 << 53) as f64 <= rate
}

/// xorshift64 (Marsaglia, Xorshift RNGs, 2003): a few instructions, of each process its own.
fn random() -> u64 {
    let mut state = RANDOM.get();
    if state == 0 {
        // SAFETY: reads the clock and a number.
        state = unsafe { pg_sys::GetCurrentTimestamp() as u64 ^ ((pg_sys::MyProcPid as u64) << 40) } | 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    RANDOM.set(state);
    state
}
