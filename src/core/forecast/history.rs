//! A series prepared for look-ups from any origin: sums over windows, the same slot of days and weeks before, a smoothed
//! level with its trend. Everything said about an origin uses only slots up to it.

use super::series::{DAY_SECONDS, Series};

/// Time after which an exponentially smoothed level has forgotten two thirds. Assumed: the time in which load that is not
/// seasonal is worth following.
const LEVEL_SECONDS: f64 = 3_600.0;
/// Time after which a trend has died away by two thirds. Assumed: ramps of load last hours; longer ones are the season's.
const TREND_SECONDS: f64 = 6.0 * 3_600.0;
/// The trend's step as a part of the level's: the customary tenth of Holt's method.
const TREND_SHARE: f64 = 0.1;

#[derive(Debug, Clone)]
pub struct History<'a> {
    series: &'a Series,
    /// Sum of the slots before each slot.
    sums: Vec<f64>,
    smoothed: Vec<(f64, f64)>,
    damping: f64,
    pub(super) hour: usize,
    pub(super) day: usize,
    pub(super) week: usize,
}

impl<'a> History<'a> {
    pub fn of(series: &'a Series) -> Self {
        let interval = series.interval_seconds().max(1);
        let slots = |seconds: i64| usize::try_from(seconds / interval).unwrap_or(1).max(1);
        let mut sums = Vec::with_capacity(series.len() + 1);
        let mut sum = 0.0;
        sums.push(sum);
        for value in series.values() {
            sum += value;
            sums.push(sum);
        }
        let seconds = interval as f64;
        let damping = (-seconds / TREND_SECONDS).exp();
        Self {
            series,
            sums,
            smoothed: smoothed(series.values(), 1.0 - (-seconds / LEVEL_SECONDS).exp(), damping),
            damping,
            hour: slots(3_600),
            day: slots(DAY_SECONDS),
            week: slots(7 * DAY_SECONDS),
        }
    }

    pub fn series(&self) -> &'a Series {
        self.series
    }

    pub(super) fn value(&self, slot: usize) -> Option<f64> {
        self.series.values().get(slot).copied()
    }

    pub(super) fn measured(&self, slot: usize) -> bool {
        self.series.measured().get(slot).copied().unwrap_or(false)
    }

    /// Mean of the `length` slots that end with `slot`, fewer at the beginning.
    pub(super) fn mean(&self, slot: usize, length: usize) -> f64 {
        let end = (slot + 1).min(self.series.len());
        let begin = end.saturating_sub(length.max(1));
        match (self.sums.get(end), self.sums.get(begin)) {
            // A difference of sums may fall below zero by rounding.
            (Some(to), Some(from)) if end > begin => ((to - from) / (end - begin) as f64).max(0.0),
            _ => 0.0,
        }
    }

    /// Mean over the last `count` periods before `slot` of the windows of `length` slots that end in the same slot.
    pub(super) fn mean_before(&self, slot: usize, length: usize, period: usize, count: usize) -> Option<f64> {
        let (mut sum, mut found) = (0.0, 0usize);
        for k in 1..=count {
            let Some(then) = slot.checked_sub(k * period).filter(|then| then + 1 >= length) else { break };
            sum += self.mean(then, length);
            found += 1;
        }
        (found > 0).then(|| sum / found as f64)
    }

    /// The same slot of the last `N` periods that are known at `origin`, latest first, for the slot `step` ahead.
    pub(super) fn same_slot<const N: usize>(&self, origin: usize, step: usize, period: usize) -> Slots<N> {
        let mut slots = Slots { values: [0.0; N], found: 0 };
        let first = step.div_ceil(period.max(1)).max(1);
        for (k, place) in slots.values.iter_mut().enumerate() {
            let Some(value) = (origin + step).checked_sub((first + k) * period).and_then(|slot| self.value(slot))
            else {
                break;
            };
            *place = value;
            slots.found = k + 1;
        }
        slots
    }

    /// Damped trend from the smoothed level at `origin`.
    pub(super) fn smooth(&self, origin: usize, step: usize) -> (f64, f64) {
        let (level, trend) = self.smoothed.get(origin).copied().unwrap_or((0.0, 0.0));
        let steps = i32::try_from(step).unwrap_or(i32::MAX);
        let reach = self.damping * (1.0 - self.damping.powi(steps)) / (1.0 - self.damping).max(f64::EPSILON);
        // A falling trend may carry the level itself below zero.
        (level.max(0.0), (level + trend * reach).max(0.0))
    }
}

/// Values of one slot in successive periods, latest first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots<const N: usize> {
    values: [f64; N],
    found: usize,
}

impl<const N: usize> Slots<N> {
    fn known(&self) -> &[f64] {
        self.values.get(..self.found).unwrap_or_default()
    }

    pub(super) fn nth(&self, k: usize) -> Option<f64> {
        self.known().get(k).copied()
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.found > 0).then(|| self.known().iter().sum::<f64>() / self.found as f64)
    }

    pub(super) fn median(&self) -> Option<f64> {
        let mut slots = *self;
        let known = slots.values.get_mut(..self.found).unwrap_or_default();
        known.sort_unstable_by(f64::total_cmp);
        let upper = known.get(known.len() / 2).copied()?;
        let lower = known.get((known.len() - 1) / 2).copied()?;
        Some((lower + upper) / 2.0)
    }
}

/// Holt's linear method, level and trend at each slot.
fn smoothed(values: &[f64], alpha: f64, damping: f64) -> Vec<(f64, f64)> {
    let beta = alpha * TREND_SHARE;
    let mut state: Option<(f64, f64)> = None;
    values
        .iter()
        .map(|value| {
            let next = match state {
                None => (*value, 0.0),
                Some((level, trend)) => {
                    let expected = level + damping * trend;
                    let new = expected + alpha * (value - expected);
                    (new, damping * trend + beta * (new - level - damping * trend))
                }
            };
            state = Some(next);
            next
        })
        .collect()
}
