//! Fitting a forecaster to a history, and asking it. The ensemble is fitted at a few steps, closer together near the
//! origin; between two of them both are asked and averaged.

use super::backtest::{Anchor, BACKTEST_DAYS, CASES, Origins, ROWS, backtest, unblended};
use super::features::{Now, Then};
use super::history::History;
use super::members::MEMBERS;
use super::regression::Scale;
use super::weights::N;

/// Days of history that are looked at: eight weeks hold two months' worth of every weekday.
const HISTORY_DAYS: usize = 56;
/// No forecast exceeds the largest load ever seen by more than this factor. Assumed: growth beyond is not foreseen by any
/// of the members.
const MOST: f64 = 3.0;

/// A forecaster that has learnt from a history up to some slot.
#[derive(Debug, Clone)]
pub struct Forecaster {
    pub(super) scale: Scale,
    pub(super) anchors: Vec<Anchor>,
}

/// One slot of a forecast, in the unit of the series.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    pub median: f64,
    pub mean: f64,
    pub lower: f64,
    pub upper: f64,
}

impl Forecaster {
    /// Learns from the slots up to and including `end` to forecast 1 to `steps` slots ahead.
    pub fn fit(history: &History<'_>, end: usize, steps: usize) -> Self {
        let end = end.min(history.series().len().saturating_sub(1));
        let first = (end + 1).saturating_sub(HISTORY_DAYS * history.day);
        let slots = end + 1 - first;
        let known = history.series().values().get(first..=end).unwrap_or_default();
        let mean = known.iter().sum::<f64>() / slots as f64;
        let most = known.iter().copied().fold(0.0, f64::max) * MOST;
        let scale = if mean > 0.0 { Scale { mean, most } } else { Scale { mean: 1.0, most: 0.0 } };
        let mut usable = [false; N];
        for (usable, member) in usable.iter_mut().zip(MEMBERS) {
            *usable = slots >= member.needs_days() * history.day;
        }
        let origins = origins(history, first, end);
        let anchors = anchor_steps(steps, history.day)
            .into_iter()
            .map(|step| backtest(history, &origins, step, scale, &usable))
            .collect();
        Self { scale, anchors }
    }

    /// What is expected `step` slots after `origin`, with the interval that holds with probability `level`.
    pub fn step(&self, history: &History<'_>, origin: usize, step: usize, level: f64) -> Step {
        let now = Now::at(history, origin);
        self.step_from(history, &now, step, level)
    }

    pub(super) fn step_from(&self, history: &History<'_>, now: &Now, step: usize, level: f64) -> Step {
        let then = Then::at(history, now, step);
        let tail = (1.0 - level.clamp(0.0, 1.0)) / 2.0;
        let (mut centre, mut mean, mut low, mut high) = (0.0, 0.0, 0.0, 0.0);
        for (anchor, share) in self.around(step) {
            centre += share * anchor.forecast(now, &then, self.scale);
            mean += share * anchor.residuals.mean_factor.ln();
            low += share * anchor.residuals.quantile(tail);
            high += share * anchor.residuals.quantile(1.0 - tail);
        }
        let back = |seen: f64| unblended(seen, self.scale);
        let median = back(centre);
        Step {
            median,
            mean: back(centre + mean),
            lower: back(centre + low).min(median),
            upper: back(centre + high).max(median),
        }
    }

    /// The fitted steps around a step, with their shares: linear in the logarithm of the step.
    fn around(&self, step: usize) -> impl Iterator<Item = (&Anchor, f64)> {
        let after = self.anchors.iter().position(|a| a.step >= step);
        let upper = after.and_then(|i| self.anchors.get(i)).or(self.anchors.last());
        let lower = after.and_then(|i| i.checked_sub(1)).and_then(|i| self.anchors.get(i));
        let share = match (lower, upper) {
            (Some(a), Some(b)) => (step as f64 / a.step as f64).ln() / (b.step as f64 / a.step as f64).ln(),
            _ => 1.0,
        };
        let lower = lower.map(|a| (a, 1.0 - share)).filter(|(_, s)| *s > 0.0);
        lower.into_iter().chain(upper.map(|a| (a, share)).filter(|(_, s)| *s > 0.0))
    }
}

/// 1, 2, 4 … and the whole days among them, up to `steps`.
fn anchor_steps(steps: usize, day: usize) -> Vec<usize> {
    let steps = steps.max(1);
    let mut found: Vec<usize> =
        std::iter::successors(Some(1usize), |s| s.checked_mul(2)).take_while(|s| *s < steps).collect();
    found.extend([day, 2 * day, 7 * day].into_iter().filter(|s| *s < steps));
    found.push(steps);
    found.sort_unstable();
    found.dedup();
    found
}

/// Origins spread over the history, never in step with a season.
fn origins(history: &History<'_>, first: usize, end: usize) -> Origins {
    let slots = end + 1 - first;
    let (day, week) = (history.day, history.week);
    let start = first
        + if slots >= 3 * week {
            week + day
        } else if slots >= 4 * day {
            day
        } else {
            slots / 4
        };
    let span = end + 1 - start;
    let rows = span.min(ROWS);
    let stride = span as f64 / rows.max(1) as f64;
    // The golden ratio's multiples are as even as can be and meet no period.
    let golden = 0.618_033_988_749_895;
    let mut found: Vec<usize> = (0..rows)
        .map(|i| start + ((i as f64 + (i as f64 * golden).fract()) * stride) as usize)
        .map(|origin| origin.min(end))
        .collect();
    found.dedup();
    let compared_from = (start + span / 3).max((end + 1).saturating_sub(BACKTEST_DAYS * day));
    let compared = found.iter().filter(|o| **o >= compared_from).count();
    let rows = found.into_iter().map(|origin| Now::at(history, origin)).collect();
    Origins { rows, compared_from, every: compared.div_ceil(CASES).max(1), end }
}
