//! What a restore is doing, for other sessions to see while its transaction is open.
//!
//! Rows that it would write are seen only after it commits, and shared memory is had only by a preloaded library. So it is
//! written into a small file among the server's temporary files: these are removed after a crash by the server itself.
//! Progress is no part of the work: what goes wrong with the file is passed over.
//!
//! Whoever waits for a long restore is told by NOTICEs as well: what it is doing, whenever that changes, and how long the
//! phase before took. A short one is silent.
#![allow(unsafe_code)]

use foreshard_core::model::words::counted;
use parking_lot::{Mutex, const_mutex};
use pgrx::pg_sys;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Once;
use std::time::{Duration, Instant};

/// The server's directory of temporary files, from its data directory, and the prefix of what it removes there.
const DIRECTORY: &str = "base/pgsql_tmp";
const PREFIX: &str = "pgsql_tmp_foreshard_";
/// Time between two looks that somebody takes. Assumed.
const EVERY: Duration = Duration::from_millis(250);
/// Age at which a restore begins to say what it is doing. Assumed: who sees nothing for ten seconds turns to something else
/// (Nielsen, Usability Engineering, 1993), and a line a second would be noise.
const SILENT: Duration = Duration::from_secs(5);
/// Time from which on it is worth saying how long a phase took. Assumed.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// One piece of work under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    pub pid: i32,
    pub database: u32,
    pub role: u32,
    pub target: String,
    pub backup: String,
    pub phase: Phase,
    /// Microseconds of the server's clock (since 2000).
    pub started_at: i64,
    pub phase_started_at: i64,
    pub rows: u64,
    pub bytes: u64,
    /// Of this phase, where known.
    pub bytes_total: Option<u64>,
}

struct Shown {
    running: Running,
    /// Bytes that the rows have, as far as their profile tells.
    expected: Option<u64>,
    written: Instant,
    begun: Instant,
    phase_begun: Instant,
    /// The phase in words, until it is told, with what is to be said of the one before.
    untold: Option<String>,
}

impl Shown {
    /// What is to be said now.
    fn news(&mut self) -> Option<String> {
        self.untold.take_if(|_| self.begun.elapsed() >= SILENT)
    }
}

static SHOWN: Mutex<Option<Shown>> = const_mutex(None);

/// The time in which something is shown; it ends with an ERROR as well. A restore inside a restore is not shown.
#[derive(Debug)]
pub struct Showing {
    outermost: bool,
}

impl Drop for Showing {
    fn drop(&mut self) {
        if self.outermost {
            *SHOWN.lock() = None;
            remove();
        }
    }
}

/// Begins to show a restore.
pub fn begin(target: &str, backup: &str) -> Showing {
    static AT_EXIT: Once = Once::new();
    let mut shown = SHOWN.lock();
    if shown.is_some() {
        return Showing { outermost: false };
    }
    // A session that is terminated does not come back from its work.
    // SAFETY: a callback of the right type that takes no lock and touches no memory of the server.
    AT_EXIT.call_once(|| unsafe { pg_sys::on_proc_exit(Some(at_exit), pg_sys::Datum::from(0)) });
    let now = now();
    // SAFETY: reads plain variables of the backend.
    let (pid, database, role) = unsafe { (pg_sys::MyProcPid, pg_sys::MyDatabaseId, pg_sys::GetUserId()) };
    let running = Running {
        pid,
        database: database.to_u32(),
        role: role.to_u32(),
        target: target.to_owned(),
        backup: backup.to_owned(),
        phase: Phase::Starting,
        started_at: now,
        phase_started_at: now,
        rows: 0,
        bytes: 0,
        bytes_total: None,
    };
    write(&running);
    let begun = Instant::now();
    *shown = Some(Shown { running, expected: None, written: begun, begun, phase_begun: begun, untold: None });
    Showing { outermost: true }
}

/// What a restore does, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    Starting,
    Profiling,
    Planning,
    Creating,
    Loading,
    Verifying,
    /// Indexes, constraints, triggers: all that is made after the rows are there.
    Finishing,
    Analyzing,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Profiling => "profiling",
            Self::Planning => "planning",
            Self::Creating => "creating",
            Self::Loading => "loading",
            Self::Verifying => "verifying",
            Self::Finishing => "finishing",
            Self::Analyzing => "analyzing",
        }
    }

    /// For whoever waits; None for what is done at once.
    fn words(self) -> Option<&'static str> {
        match self {
            Self::Starting | Self::Creating => None,
            Self::Profiling => Some("profiling the rows"),
            Self::Planning => Some("planning"),
            Self::Loading => Some("loading the rows"),
            Self::Verifying => Some("verifying the rows"),
            Self::Finishing => Some("building indexes and constraints"),
            Self::Analyzing => Some("analyzing"),
        }
    }
}

/// What is being done.
pub fn current() -> Option<Phase> {
    SHOWN.lock().as_ref().map(|shown| shown.running.phase)
}

/// The next phase begins.
pub fn phase(phase: Phase) {
    next(phase, phase.words().map(str::to_owned));
}

/// The load begins, of that many rows, where that is known;
/// `exactly`: they were counted, not told from some of them.
pub fn loading(rows: Option<u64>, exactly: bool, shards: u64) {
    let about = if exactly { "" } else { "about " };
    let rows = rows.map_or_else(|| "the rows".to_owned(), |rows| format!("{about}{}", counted(rows, "row")));
    let into = if shards > 1 { format!(" into {}", counted(shards, "shard")) } else { String::new() };
    next(Phase::Loading, Some(format!("loading {rows}{into}")));
}

fn next(phase: Phase, words: Option<String>) {
    let mut news = None;
    if let Some(shown) = SHOWN.lock().as_mut() {
        let running = &mut shown.running;
        let (before, took) = (running.phase, shown.phase_begun.elapsed());
        let took = (took >= WORTH_TELLING).then(|| format!("; {} took {:.0} s", before.name(), took.as_secs_f64()));
        shown.untold = words.map(|words| words + &took.unwrap_or_default());
        shown.phase_begun = Instant::now();
        running.phase = phase;
        (running.phase_started_at, running.rows, running.bytes) = (now(), 0, 0);
        running.bytes_total = shown.expected.filter(|_| phase == Phase::Loading);
        write(running);
        shown.written = Instant::now();
        news = shown.news();
    }
    tell(news);
}

/// The load will have so many bytes, or about so many.
pub fn expect(bytes: u64) {
    if let Some(shown) = SHOWN.lock().as_mut() {
        shown.expected = Some(bytes);
    }
}

/// More of the phase is done.
pub fn advance(bytes: usize, rows: u64) {
    let mut news = None;
    if let Some(shown) = SHOWN.lock().as_mut() {
        shown.running.bytes += bytes as u64;
        shown.running.rows += rows;
        if shown.written.elapsed() >= EVERY {
            write(&shown.running);
            shown.written = Instant::now();
            news = shown.news();
        }
    }
    tell(news);
}

/// A NOTICE serves interrupts: no lock is held meanwhile.
fn tell(news: Option<String>) {
    if let Some(news) = news {
        pgrx::notice!("{news}");
    }
}

/// What is under way in this database and the caller may see: the work of roles that it is a member of, all of it for
/// members of pg_read_all_stats.
pub fn all() -> Vec<Running> {
    let Ok(files) = std::fs::read_dir(DIRECTORY) else { return Vec::new() };
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        let file = file.ok()?;
        file.file_name().to_str()?.strip_prefix(PREFIX)?.parse::<i32>().ok()?;
        serde_json::from_slice::<Running>(&std::fs::read(file.path()).ok()?).ok()
    };
    // SAFETY: look-ups of a running backend and of roles.
    let visible = |running: &Running| unsafe {
        let user = pg_sys::GetUserId();
        let sees = |role: u32| pg_sys::has_privs_of_role(user, pg_sys::Oid::from(role));
        running.database == pg_sys::MyDatabaseId.to_u32()
            && !pg_sys::BackendPidGetProc(running.pid).is_null()
            && (sees(running.role) || sees(pg_sys::ROLE_PG_READ_ALL_STATS))
    };
    let mut found: Vec<Running> = files.filter_map(read).filter(visible).collect();
    found.sort_by_key(|r| (r.started_at, r.pid));
    found
}

/// By another name first, so that nobody reads half of it.
fn write(running: &Running) {
    let Ok(text) = serde_json::to_vec(running) else { return };
    let path = path();
    let unfinished = path.with_extension("new");
    if std::fs::write(&unfinished, &text).is_err() && std::fs::create_dir(DIRECTORY).is_ok() {
        let _ = std::fs::write(&unfinished, &text);
    }
    let _ = std::fs::rename(unfinished, path);
}

fn remove() {
    let _ = std::fs::remove_file(path());
}

fn path() -> PathBuf {
    PathBuf::from(DIRECTORY).join(format!("{PREFIX}{}", std::process::id()))
}

fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: std::ffi::c_int, _argument: pg_sys::Datum) {
    remove();
}
