//! What a background worker lives by: signals, waiting, transactions that end with whatever happened in them, and the locks that
//! say who is who.
#![allow(unsafe_code)]

use crate::pg::error::{Error, Result};
use crate::pg::ffi::problem_of;
use foreshard_core::model::Problem;
use pgrx::{PgTryBuilder, check_for_interrupts, pg_sys};
use std::ffi::{CStr, c_int};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

unsafe extern "C-unwind" {
    fn die(signal: c_int);
    fn SignalHandlerForConfigReload(signal: c_int);
}

/// `objsubid` of the lock on the extension that a monitor holds: DROP EXTENSION locks number 0.
const MONITOR: u16 = 1;

/// The server is starting, and loads what its configuration preloads.
pub fn is_preloading() -> bool {
    // SAFETY: reads a flag.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Connects the process: to a database, or to none but the server's shared catalogs. The role is the one that the server was made by; SIGTERM
/// ends the process wherever it looks for interrupts, SIGHUP makes it read its settings again when it next waits.
pub fn begin(database: Option<pg_sys::Oid>) {
    // SAFETY: once, at the start of a worker; the handlers are the server's own.
    unsafe {
        crate::pg::compat::handle_signal(pg_sys::SIGTERM as c_int, die);
        crate::pg::compat::handle_signal(pg_sys::SIGHUP as c_int, SignalHandlerForConfigReload);
        pg_sys::BackgroundWorkerUnblockSignals();
        match database {
            Some(oid) => pg_sys::BackgroundWorkerInitializeConnectionByOid(oid, pg_sys::InvalidOid, 0),
            None => pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0),
        }
    }
}

/// Waits. What the server asks of all processes is answered meanwhile, an end by SIGTERM or of the postmaster among it; a latch set for
/// any reason ends the wait.
pub fn wait(time: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    let milliseconds = time.as_millis().min(3_600_000) as std::ffi::c_long;
    // SAFETY: our own latch; the flag is only set by a signal's handler.
    unsafe {
        pg_sys::WaitLatch(pg_sys::MyLatch, events as c_int, milliseconds, pg_sys::PG_WAIT_EXTENSION);
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    check_for_interrupts!();
    // SAFETY: as above.
    unsafe {
        if (&raw const pg_sys::ConfigReloadPending).read_volatile() != 0 {
            (&raw mut pg_sys::ConfigReloadPending).write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Waits as long as `still` says so and time is left, once at least: settings are read again in a wait. `still` is asked every `look`.
pub fn wait_while(until: Instant, look: Duration, mut still: impl FnMut() -> bool) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        wait(left.min(look));
        if !still() {
            return false;
        }
        if left <= look {
            return true;
        }
    }
}

/// What a transaction sees of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    ReadCommitted,
    /// All of it sees what was committed when it began.
    RepeatableRead,
}

/// Does the work in a transaction of its own, shown as `what`, which is what becomes of it: nothing, when an ERROR of any kind came up.
pub fn transaction<T>(what: &CStr, work: impl FnOnce() -> Result<T>) -> Result<T> {
    transaction_at(Isolation::ReadCommitted, what, work)
}

/// The same at an isolation level, whatever the server's own settings say.
pub fn transaction_at<T>(isolation: Isolation, what: &CStr, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let level = match isolation {
        Isolation::ReadCommitted => pg_sys::XACT_READ_COMMITTED,
        Isolation::RepeatableRead => pg_sys::XACT_REPEATABLE_READ,
    };
    let body = || {
        // SAFETY: this process is in no transaction; what is begun here is ended here, or below. The level is set before the first snapshot.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::XactIsoLevel = i32::try_from(level).unwrap_or_default();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            if !what.is_empty() {
                pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, what.as_ptr());
            }
        }
        let value = work()?;
        // SAFETY: the snapshot pushed above, and its transaction.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(value)
    };
    let outcome = PgTryBuilder::new(AssertUnwindSafe(body))
        .catch_others(|error| Err(Error::from(problem_of(&error))))
        .catch_rust_panic(|error| Err(Error::from(problem_of(&error))))
        .execute();
    // SAFETY: ends whatever is open; the context is the process' own.
    unsafe {
        if outcome.is_err() {
            pg_sys::AbortOutOfAnyTransaction();
        }
        pg_sys::CurrentMemoryContext = pg_sys::TopMemoryContext;
        pg_sys::pgstat_report_stat(false);
        if !what.is_empty() {
            pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
        }
    }
    outcome
}

/// Ends the process; it is not started again.
pub fn exit() -> ! {
    // SAFETY: runs what is registered for the end of the process.
    unsafe { pg_sys::proc_exit(0) }
}

/// The databases that people connect to. For a process that is connected to none.
pub fn databases() -> Result<Vec<pg_sys::Oid>> {
    transaction(c"looking for databases", || {
        let mut found = Vec::new();
        // SAFETY: a shared catalog that every process can read, by its own row type; all is closed again.
        unsafe {
            let catalog = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
            let scan = pg_sys::table_beginscan_catalog(catalog, 0, std::ptr::null_mut());
            loop {
                let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                let Some(tuple) = tuple.as_ref() else { break };
                let header = tuple.t_data;
                let row = &*header.byte_add(usize::from((*header).t_hoff)).cast::<pg_sys::FormData_pg_database>();
                // -2: DROP DATABASE was interrupted.
                if row.datallowconn && !row.datistemplate && row.datconnlimit != -2 {
                    found.push(row.oid);
                }
            }
            if let Some(end) = (*(*catalog).rd_tableam).scan_end {
                end(scan);
            }
            pg_sys::table_close(catalog, pg_sys::AccessShareLock as i32);
        }
        Ok(found)
    })
}

/// Whether somebody wants this process' database for himself: to drop or rename it, or as a template. In a transaction.
pub fn database_is_wanted() -> bool {
    // SAFETY: a lock that is taken at once or not at all, and given back. It is the one that a session takes that connects.
    unsafe {
        let tag = object(pg_sys::InvalidOid, pg_sys::DatabaseRelationId, pg_sys::MyDatabaseId, 0);
        let mode = pg_sys::RowExclusiveLock as i32;
        let free =
            pg_sys::LockAcquire(&raw const tag, mode, false, true) != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL;
        if free {
            pg_sys::LockRelease(&raw const tag, mode, false);
        }
        !free
    }
}

/// Unix time in seconds.
pub fn clock() -> i64 {
    // SAFETY: reads the clock. The server counts microseconds from 2000 on.
    unsafe { pg_sys::GetCurrentTimestamp() }.div_euclid(1_000_000) + 946_684_800
}

/// This process' database.
pub fn database() -> pg_sys::Oid {
    // SAFETY: reads a number.
    unsafe { pg_sys::MyDatabaseId }
}

/// Makes this process the one monitor of the extension in its database, until it ends; false where there is another.
pub fn become_monitor(extension: pg_sys::Oid) -> bool {
    // SAFETY: a lock of the session, which ends with the process.
    unsafe {
        let mut tag = object(pg_sys::MyDatabaseId, pg_sys::ExtensionRelationId, extension, MONITOR);
        // Of the kind that advisory locks are: others end with any transaction that fails, and do not end with the process.
        tag.locktag_lockmethodid = pg_sys::USER_LOCKMETHOD as u8;
        let mode = pg_sys::ExclusiveLock as i32;
        pg_sys::LockAcquire(&raw const tag, mode, true, true) != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }
}

/// The process that holds the lock of [`become_monitor`] in this database.
pub fn monitor_of(extension: pg_sys::Oid) -> Result<Option<i32>> {
    let query = "SELECT min(pid) FROM pg_catalog.pg_locks WHERE locktype = 'object' AND granted AND classid = 'pg_catalog.pg_extension'::pg_catalog.regclass
        AND objid = $1 AND objsubid = 1 AND database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";
    Ok(pgrx::Spi::get_one_with_args(query, &[extension.into()])?)
}

/// The extension's number in this database.
pub fn extension() -> Option<pg_sys::Oid> {
    // SAFETY: a look into the catalog, in a transaction.
    let oid = unsafe { pg_sys::get_extension_oid(c"foreshard".as_ptr(), true) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

fn object(database: pg_sys::Oid, class: pg_sys::Oid, object: pg_sys::Oid, number: u16) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: database.to_u32(),
        locktag_field2: class.to_u32(),
        locktag_field3: object.to_u32(),
        locktag_field4: number,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

/// What went wrong, in one line of the log.
pub fn told(problems: &[Problem]) -> String {
    let one = |p: &Problem| match &p.detail {
        Some(detail) => format!("[{}] {}: {detail}", p.sqlstate, p.message),
        None => format!("[{}] {}", p.sqlstate, p.message),
    };
    problems.iter().map(one).collect::<Vec<_>>().join("; ")
}
