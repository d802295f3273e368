//! What a shard must be expected to do in the slots to come: its own history goes on, as the ensemble of [`crate::forecast`] sees it, and what counts is
//! the highest minute of an hour, with some probability: a server is overloaded by peaks, not by means. With less than two days of
//! history nothing is known but what it does now, and that is taken to go on for a while.

use crate::forecast::{Forecaster, History, regularise};

/// Seconds that a load of which no more is known is taken to go on. Assumed: what has lasted for minutes often lasts an hour.
const GOES_ON: f64 = 3_600.0;
/// Seconds of history from which on a day's shape can be told.
const ENOUGH: i64 = 2 * 86_400;

#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Work in each slot from now on.
    pub work: Vec<f64>,
    /// It stands on a forecast, and not on what is now.
    pub forecast: bool,
}

/// The slots from now on. `history`: unix times with the highest work of the slot that began then, up to now.
pub fn expected(history: &[(i64, f64)], now: f64, slot_seconds: i64, slots: usize) -> Expected {
    let span = history.last().zip(history.first()).map_or(0, |(last, first)| last.0 - first.0);
    let goes_on = goes_on(slot_seconds);
    let fitted = (span >= ENOUGH).then(|| forecast(history, slot_seconds, slots)).flatten();
    match fitted {
        Some(work) => Expected { work: surprised(&work, now, slot_seconds), forecast: true },
        None => {
            Expected { work: (0..slots).map(|slot| if slot < goes_on { now } else { 0.0 }).collect(), forecast: false }
        }
    }
}

/// A forecast with what nobody foresaw: that goes on for a while as well.
pub fn surprised(forecast: &[f64], now: f64, slot_seconds: i64) -> Vec<f64> {
    let surprise = forecast.first().map(|first| now - first).filter(|s| *s > 0.0).unwrap_or(0.0);
    let with = |(slot, work): (usize, &f64)| if slot < goes_on(slot_seconds) { work + surprise } else { *work };
    forecast.iter().enumerate().map(with).collect()
}

fn goes_on(slot_seconds: i64) -> usize {
    (GOES_ON / slot_seconds.max(1) as f64).ceil() as usize
}

fn forecast(history: &[(i64, f64)], slot_seconds: i64, slots: usize) -> Option<Vec<f64>> {
    let regular = regularise(history, Some(slot_seconds)).ok()?;
    let history = History::of(&regular.series);
    let end = regular.series.len().checked_sub(1)?;
    let forecaster = Forecaster::fit(&history, end, slots);
    Some((1..=slots).map(|step| forecaster.step(&history, end, step, LEVEL).upper).collect())
}

/// Nine of ten slots stay below the upper end of such an interval. Assumed: shards of one table have their peaks together, so that what is
/// enough for each of them is for all.
const LEVEL: f64 = 0.8;
