//! Work that a thread does while somebody waits for it, who can be cancelled.
//!
//! The thread is not waited for when nobody wants its result any more: it may stand in a system call for as long as a socket's timeout.

use crate::pg::error::Result;
use crate::pg::ffi;
use crate::pg::threads::{PATIENCE, Stop, spawn_alone, still_wanted, stop_of_thread};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

/// A result that comes once.
#[derive(Debug)]
pub struct Pending<T> {
    result: Receiver<T>,
    stop: Stop,
}

impl<T: Send + 'static> Pending<T> {
    /// # Errors
    /// 53000 when the system gives no thread.
    pub fn start(work: impl FnOnce(&Stop) -> T + Send + 'static) -> Result<Self> {
        let (give, result) = sync_channel(1);
        let stop = Stop::default();
        let asked = stop.clone();
        spawn_alone(move || {
            let _sent = give.send(work(&asked));
        })?;
        Ok(Self { result, stop })
    }

    /// # Errors
    /// Of whoever waits, when that is not wanted any more.
    pub fn wait(self) -> std::io::Result<T> {
        loop {
            still_wanted()?;
            match self.result.recv_timeout(PATIENCE) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) if stop_of_thread().is_none() => ffi::exit_without_postmaster(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(std::io::Error::other("a thread failed")),
            }
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.stop.set();
    }
}
