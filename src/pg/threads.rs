//! Threads that work for a backend: they take jobs and give results, and never call the server.
//!
//! All queues are bounded, so that the fastest waits for the slowest. The backend looks for a cancel while it waits; when it is
//! cancelled, or fails, the threads are told to stop and waited for before the error goes on. Signals are the backend's alone.
#![allow(unsafe_code)]

use crate::pg::error::Result;
use crate::pg::ffi;
use foreshard_core::model::Problem;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the backend waits before it looks for a cancel, and works before it looks for the postmaster.
pub const PATIENCE: Duration = Duration::from_millis(50);
/// Jobs, and results, that wait for each thread.
const QUEUED: usize = 2;

/// Jobs to the threads of a group.
pub struct Jobs<J>(Arc<Mutex<Receiver<J>>>);

impl<J> Jobs<J> {
    /// The next one; None when there are no more.
    pub fn next(&self) -> Option<J> {
        self.0.lock().recv().ok()
    }
}

/// Told to those who need not go on.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    /// What a thread of a group is told to stop by; the backend's own thread has none.
    static STOP: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// This is a thread of a group, and not the backend's own.
pub fn stop_of_thread() -> Option<Stop> {
    STOP.with_borrow(Clone::clone)
}

/// For what may be read, and waited for, in the backend as in a thread of a group: is the work still wanted? In the backend a cancel
/// raises its ERROR from here.
///
/// # Errors
/// ConnectionAborted in a thread that was told to stop.
pub fn still_wanted() -> std::io::Result<()> {
    match stop_of_thread() {
        Some(stop) if stop.is_set() => Err(std::io::ErrorKind::ConnectionAborted.into()),
        Some(_) => Ok(()),
        None => {
            pgrx::check_for_interrupts!();
            Ok(())
        }
    }
}

/// A thread that belongs to no group, and that nobody waits for when it ends: it must look itself whether it is wanted.
pub fn spawn_alone(work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let _blocked = BlockedSignals::new();
    std::thread::Builder::new().name("foreshard".to_owned()).spawn(work).map_err(|e| {
        Problem::new("53000", "could not start a thread")
            .detail(format!("The operating system says: {e}."))
            .hint("Lower foreshard.load_threads; 0 loads without threads.")
            .into()
    })
}

#[derive(Debug)]
pub struct Threads<J, R> {
    jobs: Option<SyncSender<J>>,
    results: Option<Receiver<R>>,
    early: VecDeque<R>,
    threads: Vec<JoinHandle<()>>,
    stop: Stop,
    /// When it was last seen that there is a postmaster.
    looked: Instant,
}

impl<J: Send + 'static, R: Send + 'static> Threads<J, R> {
    /// `work` makes the work of one thread.
    ///
    /// # Errors
    /// 53000 when the system gives no thread at all.
    pub fn start<W>(threads: usize, mut work: impl FnMut() -> W) -> Result<Self>
    where
        W: FnOnce(Jobs<J>, SyncSender<R>) + Send + 'static,
    {
        let (jobs, taken) = sync_channel(QUEUED * threads);
        let (given, results) = sync_channel(QUEUED * threads);
        let taken = Arc::new(Mutex::new(taken));
        let mut group = Self {
            jobs: Some(jobs),
            results: Some(results),
            early: VecDeque::new(),
            threads: Vec::new(),
            stop: Stop::default(),
            looked: Instant::now(),
        };
        for _ in 0..threads {
            let (work, taken, given) = (work(), Jobs(Arc::clone(&taken)), given.clone());
            match group.spawn(move || work(taken, given)) {
                // Fewer than were wanted do the work as well.
                Err(_) if !group.threads.is_empty() => break,
                outcome => outcome?,
            }
        }
        Ok(group)
    }

    /// One more thread that is waited for at the end.
    pub fn spawn(&mut self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let stop = self.stop();
        self.threads.push(spawn_alone(move || {
            STOP.set(Some(stop));
            work();
        })?);
        Ok(())
    }

    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// For a thread that makes the jobs; the backend gives none then.
    pub fn hand_over_jobs(&mut self) -> Option<SyncSender<J>> {
        self.jobs.take()
    }

    /// Waits for a place in the queue; results that come meanwhile are kept.
    pub fn give(&mut self, mut job: J) -> Result<()> {
        loop {
            let Some(jobs) = &self.jobs else { return Ok(()) };
            match jobs.try_send(job) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(gone()),
                Err(TrySendError::Full(back)) => job = back,
            }
            if let Some(result) = self.wait()? {
                self.early.push_back(result);
            }
        }
    }

    /// A result that is there already.
    pub fn ready(&mut self) -> Option<R> {
        self.early.pop_front().or_else(|| self.results.as_ref()?.try_recv().ok())
    }

    /// There are no more jobs.
    pub fn no_more(&mut self) {
        self.jobs = None;
    }

    /// The next result; None when all threads have ended.
    pub fn next(&mut self) -> Result<Option<R>> {
        match self.early.pop_front() {
            Some(result) => Ok(Some(result)),
            None => loop {
                self.look_around();
                match self.results.as_ref().map(|r| r.recv_timeout(PATIENCE)) {
                    Some(Ok(result)) => return Ok(Some(result)),
                    // While there may be more jobs, a thread ends only because it failed: its result would be waited for in vain.
                    Some(Err(RecvTimeoutError::Timeout))
                        if self.jobs.is_some() && self.threads.iter().any(JoinHandle::is_finished) =>
                    {
                        return Err(gone());
                    }
                    Some(Err(RecvTimeoutError::Timeout)) => {}
                    Some(Err(RecvTimeoutError::Disconnected)) | None => {
                        // A thread that failed took its end of the queue with it.
                        return self.join().map(|()| None);
                    }
                }
            },
        }
    }

    /// A result, if one comes soon.
    fn wait(&mut self) -> Result<Option<R>> {
        self.look_around();
        match self.results.as_ref().map(|r| r.recv_timeout(Duration::from_millis(1))) {
            Some(Ok(result)) => Ok(Some(result)),
            Some(Err(RecvTimeoutError::Timeout)) => Ok(None),
            Some(Err(RecvTimeoutError::Disconnected)) | None => Err(gone()),
        }
    }

    /// Is the work still wanted? An orphan would keep a new postmaster from starting.
    fn look_around(&mut self) {
        pgrx::check_for_interrupts!();
        if self.looked.elapsed() >= PATIENCE {
            ffi::exit_without_postmaster();
            self.looked = Instant::now();
        }
    }

    fn join(&mut self) -> Result<()> {
        let failed = self.threads.drain(..).map(JoinHandle::join).filter(std::result::Result::is_err).count();
        if failed == 0 { Ok(()) } else { Err(gone()) }
    }
}

fn gone() -> crate::pg::error::Error {
    Problem::new("XX000", "a thread of the load failed")
        .hint("Set foreshard.load_threads to 0, and report this.")
        .into()
}

impl<J, R> Drop for Threads<J, R> {
    fn drop(&mut self) {
        self.stop.set();
        // Whoever waits for a place in a queue finds it closed.
        (self.jobs, self.results) = (None, None);
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

/// A thread that is started meanwhile gets no signals: the server's handlers are for its own thread.
struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    fn new() -> Self {
        // SAFETY: signal sets on the stack, filled before they are read.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
