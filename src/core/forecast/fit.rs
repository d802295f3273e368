//! Fitting a forecaster to a history, and asking it. The ensemble is fitted at a few steps, closer together near the
//! origin; between two of them both are asked and averaged.

use super::anchor::{Anchor, View};
use super::backtest::backtest;
use super::decomposition::Seasons;
use super::features::{Now, Then};
use super::history::History;
use super::members::MEMBERS;
use super::origins::origins;
use super::scale::Scale;
use super::series::DAY_SECONDS;

/// Days of history that are looked at: eight weeks hold eight of every weekday.
const HISTORY_DAYS: usize = 56;
/// No forecast exceeds the largest load ever seen by more than this factor. Assumed: none of the members foresees more.
const MOST: f64 = 3.0;
/// A mean load below this is none, in any unit.
const NOTHING: f64 = 1e-12;
/// Fitted steps, in seconds ahead: what is known changes from the last minutes to the hour to the day to the week. A whole
/// day is a case of its own, where the last value is the same time of another day, so it has close neighbours; near whole
/// weeks, where still more members agree, none is fitted.
const ANCHORS: [i64; 8] = [900, 3_600, 10_800, 32_400, 75_600, DAY_SECONDS, 97_200, 507_600];

/// A forecaster that has learnt from a history up to some slot.
#[derive(Debug, Clone)]
pub struct Forecaster {
    pub(super) scale: Scale,
    pub(super) anchors: Vec<Anchor>,
    /// Slots that it learnt from.
    pub(super) slots: usize,
    /// Slots ahead that it learnt for.
    pub(super) steps: usize,
    seasons: Option<Seasons>,
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
        let (end, steps) = (end.min(history.series().len().saturating_sub(1)), steps.max(1));
        let first = (end + 1).saturating_sub(HISTORY_DAYS * history.day);
        let slots = end + 1 - first;
        let known = history.series().values().get(first..=end).unwrap_or_default();
        let most = known.iter().copied().fold(0.0, f64::max);
        let mean = known.iter().sum::<f64>() / slots as f64;
        let scale = if mean > NOTHING { Scale { mean, most: most * MOST } } else { Scale { mean: 1.0, most: 0.0 } };
        let usable = MEMBERS.map(|member| slots >= member.needs_days() * history.day);
        let origins = origins(history, first, end, scale);
        let mut anchors: Vec<Anchor> = Vec::new();
        for step in anchor_steps(steps, history.series().interval_seconds()) {
            let mut usable = usable;
            if step.is_multiple_of(history.day) && history.day > 1 {
                usable.iter_mut().zip(MEMBERS).for_each(|(usable, member)| *usable &= !member.is_of_the_moment());
            }
            let tried = backtest(history, &origins, step, scale, &usable);
            let before = anchors.last();
            anchors.push(if tried.tested() { tried } else { tried.or_widened(before) });
        }
        Self { scale, anchors, slots, steps, seasons: Seasons::fit(history, first, end, scale) }
    }

    /// What is expected `step` slots after `origin`, with the interval that holds with probability `level`.
    pub fn step(&self, history: &History<'_>, origin: usize, step: usize, level: f64) -> Step {
        self.from(history, origin).step(step, level)
    }

    /// To ask for many steps of one origin.
    pub(super) fn from<'a>(&'a self, history: &'a History<'a>, origin: usize) -> Reader<'a> {
        let seasons = self.seasons.as_ref().map(|s| (s, s.level(history, origin, self.scale)));
        Reader { forecaster: self, history, now: Now::at(history, origin), seasons }
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

/// A forecaster at one origin.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    forecaster: &'a Forecaster,
    history: &'a History<'a>,
    now: Now,
    seasons: Option<(&'a Seasons, f64)>,
}

impl Reader<'_> {
    /// In logarithms.
    pub(super) fn centre(&self, step: usize) -> f64 {
        let then = Then::at(self.history, &self.now, step);
        let (seasons, scale) = (self.seasons, self.forecaster.scale);
        let view = View { now: &self.now, then: &then, step, seasons, scale };
        self.blend(step, |anchor| anchor.forecast(view))
    }

    fn blend(&self, step: usize, of: impl Fn(&Anchor) -> f64) -> f64 {
        self.forecaster.around(step).map(|(anchor, share)| share * of(anchor)).sum()
    }

    pub(super) fn upper_error(&self, step: usize, quantile: f64) -> f64 {
        self.blend(step, |a| a.residuals.quantile(quantile))
    }

    pub(super) fn spread(&self, step: usize) -> f64 {
        self.blend(step, |a| a.residuals.spread)
    }

    pub(super) fn step(&self, step: usize, level: f64) -> Step {
        let tail = (1.0 - level.clamp(0.0, 1.0)) / 2.0;
        let centre = self.centre(step);
        let back = |seen: f64| self.forecaster.scale.unblended(seen);
        let median = back(centre);
        Step {
            median,
            mean: back(centre + self.blend(step, |a| a.residuals.mean_factor.ln())),
            lower: back(centre + self.upper_error(step, tail)).min(median),
            upper: back(centre + self.upper_error(step, 1.0 - tail)).max(median),
        }
    }
}

fn anchor_steps(steps: usize, interval_seconds: i64) -> Vec<usize> {
    let slots = |seconds: i64| usize::try_from(seconds / interval_seconds.max(1)).unwrap_or(1).max(1);
    let day = slots(DAY_SECONDS);
    let back = match steps {
        n if n.is_multiple_of(7 * day) => day + day / 8,
        n if n > day && n.is_multiple_of(day) => (day / 8).max(1),
        _ => 0,
    };
    let last = steps.saturating_sub(back).max(1);
    let mut found: Vec<usize> = ANCHORS.into_iter().map(slots).filter(|step| *step < last).collect();
    found.extend([1, last]);
    found.sort_unstable();
    found.dedup();
    found
}
