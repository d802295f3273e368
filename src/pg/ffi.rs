//! The server's machinery that has no safe wrapper: subtransactions, settings for the length of a call, utility
//! statements given as parse trees, interrupts.
#![allow(unsafe_code)]

use super::error::{Error, Result, sqlstate};
use foreshard_core::model::{Interrupts, Problem};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{FromDatum, IntoDatum, PgTryBuilder, check_for_interrupts};
use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

/// Text for the server; a NUL byte, which no PostgreSQL text can hold, ends it.
pub fn cstring(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|e| {
        let end = e.nul_position();
        CString::new(text.get(..end).unwrap_or_default()).unwrap_or_default()
    })
}

/// An error caught from the server as plain data.
pub fn problem_of(error: &CaughtError) -> Problem {
    let (CaughtError::PostgresError(report)
    | CaughtError::ErrorReport(report)
    | CaughtError::RustPanic { ereport: report, .. }) = error;
    let mut problem = Problem::new(&sqlstate(report.sql_error_code()), report.message());
    problem.detail = report.detail().map(str::to_owned);
    problem.hint = report.hint().map(str::to_owned);
    problem
}

/// Must not be swallowed: the user or the server wants us to stop.
fn is_final(problem: &Problem) -> bool {
    problem.sqlstate.starts_with("57") || matches!(problem.sqlstate.as_str(), "53200" | "53100" | "XX000")
}

/// Runs `work` in a subtransaction. An ERROR raised in it undoes what it did and comes back as a [`Problem`];
/// cancellation, shutdown and exhausted memory or disk go on being errors of the whole call.
///
/// With `keep` false the subtransaction is rolled back even when the work succeeded.
pub fn subtransaction<T>(keep: bool, work: impl FnOnce() -> Result<T>) -> Result<T> {
    guarded(keep, is_final, work)
}

/// Runs `work` in a subtransaction that stays when it succeeds. Only an ERROR that is `caught` comes back as a [`Problem`].
pub fn attempt<T>(caught: impl Fn(&Problem) -> bool, work: impl FnOnce() -> Result<T>) -> Result<T> {
    guarded(
        true,
        |problem| !caught(problem),
        || {
            // pgrx takes a (sub)transaction without a number for one that has changed nothing, and reads by the snapshot of our caller: without
            // what was made since.
            // SAFETY: in a transaction that may write.
            unsafe { pg_sys::GetCurrentTransactionId() };
            work()
        },
    )
}

fn guarded<T>(keep: bool, goes_on: impl Fn(&Problem) -> bool, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: plain reads of the backend's current context and owner, put back below as PL/pgSQL does.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    // SAFETY: called in a running transaction; ended on every path below.
    unsafe {
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::CurrentMemoryContext = context;
    }
    let end = |commit: bool| {
        // SAFETY: closes the subtransaction begun above, on the same nesting level.
        unsafe {
            if commit {
                pg_sys::ReleaseCurrentSubTransaction();
            } else {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
            pg_sys::CurrentMemoryContext = context;
            pg_sys::CurrentResourceOwner = owner;
        }
    };
    let mut outcome = PgTryBuilder::new(AssertUnwindSafe(|| (work(), None)))
        .catch_others(|error| {
            let problem = problem_of(&error);
            (Err(Error::from(problem.clone())), Some((problem, error)))
        })
        .catch_rust_panic(|error| {
            let problem = problem_of(&error);
            (Err(Error::from(problem.clone())), Some((problem, error)))
        })
        .execute();
    let caught = outcome.1.take();
    end(keep && outcome.0.is_ok());
    match caught {
        Some((problem, error)) if goes_on(&problem) => error.rethrow(),
        _ => outcome.0,
    }
}

/// Settings for the length of a value's life, on top of whatever the session has.
///
/// After an ERROR nothing is done here: the end of the (sub)transaction puts the settings back.
#[derive(Debug)]
pub struct Pinned {
    level: i32,
}

impl Pinned {
    /// # Errors
    /// The server's own, for a setting that does not exist or a value that it does not take.
    pub fn new(settings: &[(&str, &str)]) -> Self {
        // SAFETY: opens a nesting level that Drop or the transaction's end closes.
        let pinned = Self { level: unsafe { pg_sys::NewGUCNestLevel() } };
        for (name, value) in settings {
            pinned.set(name, value);
        }
        pinned
    }

    pub fn set(&self, name: &str, value: &str) {
        let (name, value) = (cstring(name), cstring(value));
        // SAFETY: both strings outlive the call; GUC_ACTION_SAVE ties the value to the nesting level.
        unsafe {
            let context =
                if pg_sys::superuser() { pg_sys::GucContext::PGC_SUSET } else { pg_sys::GucContext::PGC_USERSET };
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                context,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the level was opened by `new` and, without an ERROR, is the innermost one still open.
            unsafe { pg_sys::AtEOXact_GUC(true, self.level) };
        }
    }
}

/// Another role for the length of a value's life: one that the caller may become. After an ERROR nothing is done here:
/// the end of the (sub)transaction puts the role back.
#[derive(Debug)]
pub struct ActingAs {
    before: (pg_sys::Oid, i32),
}

impl ActingAs {
    pub fn new(role: pg_sys::Oid) -> Self {
        Self::under(role, 0)
    }

    /// As for a role whose code may run meanwhile: what could outlive the call, temporary tables and deferred triggers among it, is forbidden.
    pub fn restricted(role: pg_sys::Oid) -> Self {
        Self::under(role, pg_sys::SECURITY_RESTRICTED_OPERATION as i32)
    }

    fn under(role: pg_sys::Oid, restriction: i32) -> Self {
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // SAFETY: plain reads and writes of the backend's current user; the flag forbids SET ROLE meanwhile.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&raw mut user, &raw mut context);
            pg_sys::SetUserIdAndSecContext(role, context | restriction | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
        }
        Self { before: (user, context) }
    }
}

impl Drop for ActingAs {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: what `new` found.
            unsafe { pg_sys::SetUserIdAndSecContext(self.before.0, self.before.1) };
        }
    }
}

/// Executes one utility statement given as a tree, as SPI would: with a snapshot of its own and its effects visible
/// to what follows. `text` is what pg_stat_statements, event triggers and error positions show.
pub fn run_utility(node: *mut pg_sys::Node, text: &CStr) {
    check_for_interrupts!();
    // SAFETY: the node comes from raw_parser in a memory context that outlives the call; ProcessUtility may scribble
    // on it, and nobody reads it afterwards.
    unsafe {
        let statement = pg_sys::palloc0(std::mem::size_of::<pg_sys::PlannedStmt>()).cast::<pg_sys::PlannedStmt>();
        (*statement).type_ = pg_sys::NodeTag::T_PlannedStmt;
        (*statement).commandType = pg_sys::CmdType::CMD_UTILITY;
        (*statement).canSetTag = true;
        (*statement).utilityStmt = node;
        (*statement).stmt_location = -1;
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        pg_sys::ProcessUtility(
            statement,
            text.as_ptr(),
            false,
            pg_sys::ProcessUtilityContext::PROCESS_UTILITY_QUERY,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone),
            std::ptr::null_mut(),
        );
        pg_sys::PopActiveSnapshot();
        pg_sys::CommandCounterIncrement();
    }
}

/// What is run in the time of the value's life has no identity, so that statistics of statements do not count it: a query log
/// must not be filled by those who read it.
pub fn unlisted() -> Pinned {
    let pinned = Pinned::new(&[]);
    // SAFETY: constant texts; the setting is a superuser's to change, and hides nothing of what the caller does.
    unsafe {
        pg_sys::set_config_option(
            c"compute_query_id".as_ptr(),
            c"off".as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
    pinned
}

/// Does to the write-ahead log of this transaction what its commit would do, as far as the session waits for that.
pub fn flush_wal() {
    // SAFETY: reads two numbers of the backend; the position was given out by the log itself.
    unsafe {
        if pg_sys::synchronous_commit > pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_OFF as i32 {
            pg_sys::XLogFlush(pg_sys::XactLastRecEnd);
        }
    }
}

/// The number of the current (sub)transaction, given to it now if it had none. From now on this server knows for ever what became of it:
/// without a record of it on disk, a crash would give the number to somebody else.
pub fn known_transaction() -> super::error::Result<u64> {
    pgrx::Spi::run("SELECT pg_catalog.pg_logical_emit_message(true, 'foreshard', '')")?;
    // SAFETY: in a transaction that may write; the position was given out by the log itself.
    unsafe {
        let number = pg_sys::GetCurrentFullTransactionId().value;
        pg_sys::XLogFlush(pg_sys::XactLastRecEnd);
        Ok(number)
    }
}

/// The commit of the current transaction is on disk before anything follows, whatever synchronous_commit says.
pub fn force_sync_commit() {
    // SAFETY: sets a flag of this transaction.
    unsafe { pg_sys::ForceSyncCommit() };
}

/// Serves the backend's interrupts for the pure crate: a cancel unwinds from the call as the server's ERROR.
pub fn interrupts() -> Interrupts {
    Interrupts(|| {
        check_for_interrupts!();
    })
}

/// The name quoted as the server would quote it in SQL: the only place where this is done.
pub fn quote_ident(name: &str) -> String {
    let name = cstring(name);
    // SAFETY: quote_identifier returns its argument or a palloc'd string, both NUL-terminated.
    unsafe { CStr::from_ptr(pg_sys::quote_identifier(name.as_ptr())) }.to_string_lossy().into_owned()
}

/// A literal quoted as the server would quote it in SQL.
pub fn quote_literal(value: &str) -> String {
    let value = cstring(value);
    // SAFETY: quote_literal_cstr returns a palloc'd, NUL-terminated string.
    unsafe { CStr::from_ptr(pg_sys::quote_literal_cstr(value.as_ptr())) }.to_string_lossy().into_owned()
}

/// `schema.name`, quoted for SQL.
pub fn quote_table(table: &foreshard_core::model::TableName) -> String {
    format!("{}.{}", quote_ident(&table.schema), quote_ident(&table.name))
}

/// A program of this server's own installation, beside its `postgres`.
pub fn server_program(name: &str) -> std::path::PathBuf {
    // SAFETY: my_exec_path is a NUL-terminated array that the postmaster filled before any backend started.
    let postgres = unsafe { CStr::from_ptr((&raw const pg_sys::my_exec_path).cast()) };
    std::path::Path::new(&*postgres.to_string_lossy()).with_file_name(name)
}

/// Ends the process when its postmaster has gone, as waiting does.
pub fn exit_without_postmaster() {
    let events = pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: waits for nothing, without a latch.
    unsafe { pg_sys::WaitLatch(std::ptr::null_mut(), events as i32, 0, pg_sys::PG_WAIT_EXTENSION) };
}

/// Waits until `fd` can be read. Interrupts are served while waiting: a cancel raises its ERROR from here.
pub fn wait_readable(fd: std::os::fd::RawFd) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_SOCKET_READABLE | pg_sys::WL_EXIT_ON_PM_DEATH;
    loop {
        // SAFETY: MyLatch is this backend's; the descriptor is open for the length of the call.
        let happened =
            unsafe { pg_sys::WaitLatchOrSocket(pg_sys::MyLatch, events as i32, fd, -1, pg_sys::PG_WAIT_EXTENSION) };
        if happened & pg_sys::WL_LATCH_SET as i32 != 0 {
            // SAFETY: our own latch.
            unsafe { pg_sys::ResetLatch(pg_sys::MyLatch) };
            check_for_interrupts!();
        }
        if happened & pg_sys::WL_SOCKET_READABLE as i32 != 0 {
            return;
        }
    }
}

/// The bytes of a text, which a table of another encoding, or a foreign one, may hold in a way that no `String` can.
#[derive(Debug)]
pub struct Text(pub Vec<u8>);

impl FromDatum for Text {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, oid: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller's; a text has the form of a bytea.
        unsafe { Vec::from_polymorphic_datum(datum, is_null, oid) }.map(Self)
    }
}

impl IntoDatum for Text {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        self.0.into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTOID
    }
}

/// What a call of ours works under: settings that make names, texts and privileges mean one thing, and what the caller
/// had before.
#[derive(Debug)]
pub struct Session {
    /// The schema that CREATE TABLE would have used for an unqualified name.
    pub schema: Option<String>,
    pinned: Pinned,
}

impl Session {
    /// Pins the search_path to the catalog, output formats to what pg_dump uses, and makes row security an error where
    /// it would hide rows.
    pub fn begin() -> Self {
        let schema = creation_schema();
        let pinned = Pinned::new(&[
            ("search_path", "pg_catalog, pg_temp"),
            ("datestyle", date_style()),
            ("array_nulls", "on"),
            ("quote_all_identifiers", "off"),
            ("xmloption", "content"),
            ("intervalstyle", "postgres"),
            ("extra_float_digits", "1"),
            ("bytea_output", "hex"),
            ("row_security", "off"),
            ("check_function_bodies", "off"),
            ("default_tablespace", ""),
            ("default_table_access_method", "heap"),
        ]);
        Self { schema, pinned }
    }

    pub fn set(&self, name: &str, value: &str) {
        self.pinned.set(name, value);
    }
}

/// Dates are written as pg_dump writes them; those of a CSV file are read in the caller's order of day and month.
fn date_style() -> &'static str {
    // SAFETY: reads a number.
    match unsafe { pg_sys::DateOrder } as u32 {
        pg_sys::DATEORDER_YMD => "ISO, YMD",
        pg_sys::DATEORDER_DMY => "ISO, DMY",
        _ => "ISO, MDY",
    }
}

/// First of the caller's search_path that exists; to be asked before it is pinned.
fn creation_schema() -> Option<String> {
    // SAFETY: a list of schema OIDs, copied for us; the name is a palloc'd string or NULL.
    unsafe {
        let path = pg_sys::fetch_search_path(false);
        let first = path.as_ref().filter(|list| list.length > 0).map(|list| (*list.elements).oid_value)?;
        let name = pg_sys::get_namespace_name(first);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// Each statement of this transaction sees what was committed before it.
pub fn reads_committed() -> bool {
    // SAFETY: reads the transaction's isolation level.
    unsafe { pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as i32 }
}

pub fn current_role() -> pg_sys::Oid {
    // SAFETY: reads the number of the current user.
    unsafe { pg_sys::GetUserId() }
}

/// One role is a member of another, directly or not, or a superuser.
pub fn may_become(role: pg_sys::Oid, other: pg_sys::Oid) -> bool {
    // SAFETY: a look-up; roles that are not there are members of nothing.
    unsafe { pg_sys::is_member_of_role(role, other) }
}

/// Why this transaction cannot write.
#[derive(Debug)]
pub struct ReadOnly {
    pub detail: &'static str,
    pub hint: &'static str,
}

/// None where it can.
pub fn read_only() -> Option<ReadOnly> {
    // SAFETY: both read a flag.
    let (recovering, read_only) = unsafe { (pg_sys::RecoveryInProgress(), pg_sys::XactReadOnly) };
    if recovering {
        return Some(ReadOnly {
            detail: "This server is a standby.",
            hint: "Connect to the primary; the standby follows it.",
        });
    }
    read_only.then_some(ReadOnly {
        detail: "The transaction was begun as one, or default_transaction_read_only is on.",
        hint: "Begin it with READ WRITE.",
    })
}

pub fn data_directory() -> String {
    // SAFETY: a NUL-terminated path that the postmaster set before any backend started.
    unsafe { CStr::from_ptr(pg_sys::DataDir) }.to_string_lossy().into_owned()
}

pub fn database_encoding() -> i32 {
    // SAFETY: reads a number.
    unsafe { pg_sys::GetDatabaseEncoding() }
}

/// The number of an encoding; None when there is none of that name.
pub fn encoding_number(name: &str) -> Option<i32> {
    let query = "SELECT pg_catalog.pg_char_to_encoding($1::pg_catalog.name)";
    pgrx::Spi::get_one_with_args::<i32>(query, &[name.into()]).ok().flatten().filter(|number| *number >= 0)
}

/// Text of another encoding in the database's.
///
/// # Errors
/// The server's own ERROR (22021, 22P05) for bytes that have no meaning there.
pub fn to_server(text: &[u8], encoding: i32) -> Vec<u8> {
    if text.is_empty() {
        return Vec::new();
    }
    let Ok(len) = i32::try_from(text.len()) else { return text.to_vec() };
    // SAFETY: the result is the argument itself, with its length, or a NUL-terminated palloc'd text.
    unsafe {
        let converted = pg_sys::pg_any_to_server(text.as_ptr().cast(), len, encoding);
        if std::ptr::eq(converted, text.as_ptr().cast()) {
            return text.to_vec();
        }
        let owned = CStr::from_ptr(converted).to_bytes().to_vec();
        pg_sys::pfree(converted.cast());
        owned
    }
}

/// Bytes that maintenance may take at a time: `maintenance_work_mem`.
pub fn maintenance_memory() -> usize {
    // SAFETY: reads a setting, in kB.
    usize::try_from(unsafe { pg_sys::maintenance_work_mem }).unwrap_or(0) << 10
}

/// The statistics target of columns that have none of their own.
pub fn statistics_target() -> usize {
    // SAFETY: reads a setting.
    usize::try_from(unsafe { pg_sys::default_statistics_target }).unwrap_or(0)
}
