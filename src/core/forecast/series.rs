//! A load series on an even grid: what every model of this room reads.
//!
//! Slot `i` begins at `start + i * interval`; a slot that nothing was measured in carries a filled value and is marked, so
//! that no error is ever measured against it.

use crate::model::Problem;
use serde::{Deserialize, Serialize};

/// Seconds of a day: an interval must divide it, so that a slot has the same hour every day.
pub const DAY_SECONDS: i64 = 86_400;

/// More of anything, an exabyte's bytes among them, is an error of units; sums of such values stay exact enough.
pub(super) const MAX_LOAD: f64 = 1e18;

/// Loads at even times. Values are finite and not negative; there is at least one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    start: i64,
    interval_seconds: i64,
    values: Vec<f64>,
    measured: Vec<bool>,
}

impl Series {
    /// A series that is even and clean already; anything else goes through [`super::regularise`].
    pub fn new(start: i64, interval_seconds: i64, values: Vec<f64>) -> Result<Self, Problem> {
        let measured = vec![true; values.len()];
        Self::with_gaps(start, interval_seconds, values, measured)
    }

    pub(super) fn with_gaps(
        start: i64,
        interval_seconds: i64,
        values: Vec<f64>,
        measured: Vec<bool>,
    ) -> Result<Self, Problem> {
        check_interval(interval_seconds)?;
        if values.is_empty() {
            return Err(Problem::new("22023", "the load history is empty")
                .detail("A forecast needs at least one measured value.")
                .hint("Name a relation that holds samples, or let the monitor collect some first."));
        }
        if let Some(at) = values.iter().position(|v| !(0.0..=MAX_LOAD).contains(v)) {
            return Err(Problem::new("22023", "the load history holds a value that is no load")
                .detail(format!("Value number {} is negative, not a number, or above {MAX_LOAD:e}.", at + 1))
                .hint("Pass raw samples, which are cleaned and counted, or remove the value."));
        }
        Ok(Self { start, interval_seconds, values, measured })
    }

    /// Unix time of the first slot.
    pub fn start(&self) -> i64 {
        self.start
    }

    pub fn interval_seconds(&self) -> i64 {
        self.interval_seconds
    }

    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Whether each slot was measured, rather than filled.
    pub fn measured(&self) -> &[bool] {
        &self.measured
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Never: a series has at least one value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Unix time at which slot `slot` begins.
    pub fn time_of(&self, slot: usize) -> i64 {
        let slots = i64::try_from(slot).unwrap_or(i64::MAX);
        self.start.saturating_add(slots.saturating_mul(self.interval_seconds))
    }
}

/// An interval is a whole part of a day, from a second to a day.
pub(super) fn check_interval(interval_seconds: i64) -> Result<(), Problem> {
    if (1..=DAY_SECONDS).contains(&interval_seconds) && DAY_SECONDS % interval_seconds == 0 {
        return Ok(());
    }
    Err(Problem::new("22023", format!("{interval_seconds} seconds is no interval of a load series"))
        .detail("An interval must divide a day, so that every day has the same slots.")
        .hint("Use 60, 300, 900, 1800, 3600 or 86400 seconds, or leave the interval out."))
}
