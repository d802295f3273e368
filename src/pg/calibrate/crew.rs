//! Several clients at the same time: server processes, each with a table of its own.
//!
//! The leader registers workers and writes on a board in shared memory what is to be done and by how many; they count on it
//! what they did. A worker lives in one transaction, which it rolls back when the board says stop, when its leader is
//! gone, or when the server wants it to end: nothing of it stays, whichever of them is killed.
#![allow(unsafe_code)]

use super::client::{Client, Task};
use super::scratch_name;
use crate::pg::error::Result;
use crate::pg::ffi::{Pinned, unlisted};
use foreshard_core::model::calibration::MAX_CLIENTS;
use foreshard_core::model::{Problem, TableName};
use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::{IntoDatum, check_for_interrupts, pg_guard, pg_sys};
use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SEATS: usize = MAX_CLIENTS as usize;
/// How long workers may take to be there with their tables.
const HIRE: Duration = Duration::from_secs(2);
/// How long the leader waits at most for them to be gone.
const LEAVE: Duration = Duration::from_secs(1);
/// Between two looks at the board.
const BLINK: Duration = Duration::from_millis(2);
/// Between two looks around, whether it should go on.
const LOOK: Duration = Duration::from_millis(50);
/// Part of a window in which nothing is counted yet: all have to notice that it has begun.
const WARM_UP: f64 = 0.2;

/// What `Board::task` says.
const WAIT: u32 = 0;
const READ: u32 = 1;
const WRITE: u32 = 2;
const STOP: u32 = 3;

/// In shared memory. Whoever has a seat below `active` works.
#[derive(Debug, Default)]
#[repr(C)]
struct Board {
    database: AtomicU32,
    user: AtomicU32,
    schema: AtomicU32,
    tablespace: AtomicU32,
    leader: AtomicU32,
    /// Workers that are there, and those that were ever ready.
    present: AtomicU32,
    ready: AtomicU32,
    task: AtomicU32,
    active: AtomicU32,
    done: [AtomicU64; SEATS],
}

impl Board {
    fn total(&self) -> u64 {
        self.done.iter().map(|d| d.load(Ordering::Relaxed)).sum()
    }

    fn says(&self) -> u32 {
        self.task.load(Ordering::SeqCst)
    }
}

/// Where the tables are made.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    pub schema: pg_sys::Oid,
    /// None: the database's own.
    pub tablespace: Option<pg_sys::Oid>,
}

#[derive(Debug)]
pub struct Crew {
    segment: *mut pg_sys::dsm_segment,
    board: &'static Board,
    pub clients: u32,
}

impl Crew {
    /// As many workers as there are free places for, at most those wanted; None where there is none.
    pub fn hire(wanted: u32, ground: Ground) -> Option<Self> {
        // SAFETY: a segment of the right size, aligned as malloc would, which nobody else knows yet; it is ours until it is
        // detached: by Drop, or after an ERROR by the end of the (sub)transaction, after which no Crew is left.
        let (segment, board, handle) = unsafe {
            let segment = pg_sys::dsm_create(std::mem::size_of::<Board>(), 0);
            let board = pg_sys::dsm_segment_address(segment).cast::<Board>();
            board.write(Board::default());
            (segment, &*board, pg_sys::dsm_segment_handle(segment))
        };
        // SAFETY: plain reads of the backend's own state.
        let (database, user, pid) = unsafe { (pg_sys::MyDatabaseId, pg_sys::GetUserId(), pg_sys::MyProcPid) };
        board.database.store(database.to_u32(), Ordering::SeqCst);
        board.user.store(user.to_u32(), Ordering::SeqCst);
        board.schema.store(ground.schema.to_u32(), Ordering::SeqCst);
        board.tablespace.store(ground.tablespace.map_or(0, |t| t.to_u32()), Ordering::SeqCst);
        board.leader.store(pid.cast_unsigned(), Ordering::SeqCst);
        let mut crew = Self { segment, board, clients: 0 };
        let worker = || {
            BackgroundWorkerBuilder::new("foreshard calibration client")
                .set_library("foreshard")
                .set_function("foreshard_calibration_client")
                .set_argument(i64::from(handle).into_datum())
                .enable_spi_access()
                .load_dynamic()
        };
        let hired = (0..wanted).take_while(|_| worker().is_ok()).count();
        let hired = u32::try_from(hired).unwrap_or(0);
        let begun = Instant::now();
        while board.ready.load(Ordering::SeqCst) < hired && begun.elapsed() < HIRE {
            pause(BLINK);
        }
        crew.clients = board.ready.load(Ordering::SeqCst).min(MAX_CLIENTS);
        (crew.clients > 0).then_some(crew)
    }

    /// Statements per second of so many clients together.
    pub fn rate(&self, task: Task, clients: u32, window: Duration) -> f64 {
        let board = self.board;
        board.active.store(clients, Ordering::SeqCst);
        board.task.store(if task == Task::Read { READ } else { WRITE }, Ordering::SeqCst);
        pause(window.mul_f64(WARM_UP));
        let (before, begun) = (board.total(), Instant::now());
        pause(window.mul_f64(1.0 - WARM_UP));
        let (after, took) = (board.total(), begun.elapsed());
        board.task.store(WAIT, Ordering::SeqCst);
        (after - before) as f64 / took.as_secs_f64()
    }
}

impl Drop for Crew {
    /// Also while an ERROR unwinds: the segment is still there.
    fn drop(&mut self) {
        self.board.task.store(STOP, Ordering::SeqCst);
        let begun = Instant::now();
        while self.board.present.load(Ordering::SeqCst) > 0 && begun.elapsed() < LEAVE {
            std::thread::sleep(BLINK);
        }
        if !std::thread::panicking() {
            // SAFETY: attached by `hire`, and not used after this.
            unsafe { pg_sys::dsm_detach(self.segment) };
        }
    }
}

/// Sleeps; a cancel raises its ERROR from here.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    loop {
        check_for_interrupts!();
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(10)));
    }
}

/// A worker's life. The server finds it by its name.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn foreshard_calibration_client(argument: pg_sys::Datum) {
    /// Says goodbye however it ends.
    struct Present(&'static Board);
    impl Drop for Present {
        fn drop(&mut self) {
            self.0.present.fetch_sub(1, Ordering::SeqCst);
        }
    }
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGTERM);
    let Ok(handle) = u32::try_from(argument.value()) else { return };
    // SAFETY: null where the leader has given up meanwhile; else the board, mapped until this process ends.
    let board: &'static Board = unsafe {
        let segment = pg_sys::dsm_attach(handle);
        if segment.is_null() {
            return;
        }
        &*pg_sys::dsm_segment_address(segment).cast::<Board>()
    };
    board.present.fetch_add(1, Ordering::SeqCst);
    let _present = Present(board);
    if board.says() == STOP {
        return;
    }
    let oid = |at: &AtomicU32| pg_sys::Oid::from(at.load(Ordering::SeqCst));
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(oid(&board.database)), Some(oid(&board.user)));
    // SAFETY: a transaction of this process, which has no other; always rolled back.
    unsafe {
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
    let outcome = serve(board, oid(&board.schema), oid(&board.tablespace));
    // SAFETY: as above; after it nothing of this process is left.
    unsafe {
        pg_sys::PopActiveSnapshot();
        pg_sys::AbortCurrentTransaction();
    }
    if let Err(error) = outcome {
        let problems = error.into_problems();
        let what = problems.first().map_or("", |p| p.message.as_str());
        pgrx::log!("a client of a calibration ended: {what}");
    }
}

fn serve(board: &Board, schema: pg_sys::Oid, tablespace: pg_sys::Oid) -> Result<()> {
    let _settings = Pinned::new(&[("search_path", "pg_catalog, pg_temp"), ("jit", "off"), ("default_tablespace", "")]);
    let _unlisted = unlisted();
    // SAFETY: both give a palloc'd name, or null.
    let (schema, tablespace) =
        unsafe { (name(pg_sys::get_namespace_name(schema)), name(pg_sys::get_tablespace_name(tablespace))) };
    let Some(schema) = schema else { return Err(Problem::new("3F000", "the scratch schema is gone").into()) };
    let mut client = Client::new(&TableName::new(schema, scratch_name()), tablespace.as_deref())?;
    let seat = board.ready.fetch_add(1, Ordering::SeqCst);
    let Some(done) = usize::try_from(seat).ok().and_then(|seat| board.done.get(seat)) else { return Ok(()) };
    let mut looked = Instant::now();
    loop {
        if looked.elapsed() > LOOK {
            if BackgroundWorker::sigterm_received() || is_alone(board) {
                return Ok(());
            }
            looked = Instant::now();
        }
        let works = seat < board.active.load(Ordering::Relaxed);
        match board.says() {
            STOP => return Ok(()),
            READ if works => done.fetch_add(client.work(Task::Read)?, Ordering::Relaxed),
            WRITE if works => done.fetch_add(client.work(Task::Write)?, Ordering::Relaxed),
            _ => {
                std::thread::sleep(BLINK);
                0
            }
        };
    }
}

/// The leader has ended without a word.
fn is_alone(board: &Board) -> bool {
    let leader = board.leader.load(Ordering::SeqCst).cast_signed();
    // SAFETY: looks through the server's processes; only whether there is one is asked.
    unsafe { pg_sys::BackendPidGetProc(leader).is_null() }
}

/// # Safety
/// Null, or a NUL-terminated text.
unsafe fn name(text: *mut std::ffi::c_char) -> Option<String> {
    // SAFETY: the caller's.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
