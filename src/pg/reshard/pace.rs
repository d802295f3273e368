//! How fast a job copies: by portions, with a pause after each that leaves part of the time to those who are at work themselves.

use super::snapshots;
use super::transaction::{pause, transaction};
use crate::pg::error::Result;
use crate::pg::worker::process::Isolation;
use std::time::Instant;

#[derive(Debug)]
pub struct Pace {
    /// Part of the time that the job takes.
    share: f64,
    since: Instant,
}

impl Pace {
    pub fn begin(share: f64) -> Self {
        Self { share, since: Instant::now() }
    }

    /// Between two transactions. Where nobody else is at work in the database, the next portion begins at once.
    ///
    /// # Errors
    /// 57014 for a cancel.
    pub fn rest(&mut self) -> Result<()> {
        let took = self.since.elapsed();
        if self.share < 1.0 && transaction(Isolation::ReadCommitted, |_| snapshots::others())? {
            pause(took.mul_f64(1.0 / self.share - 1.0))?;
        }
        self.since = Instant::now();
        Ok(())
    }
}
