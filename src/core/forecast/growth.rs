//! Sizes: what is there adds up, so tomorrow's is today's and what is added by then. What was added in a week (of a short
//! history: in half of it) is looked at from many slots, and the median goes on; so one bulk load or clean-up is no
//! growth, and what comes back every night or every week is. The same forecast is tried from slots of the past, and its
//! errors are the interval.

use super::fit::Step;
use super::series::{DAY_SECONDS, Series};

/// Days of history whose changes are looked at: four of every weekday.
const WINDOW_DAYS: usize = 28;
/// Changes that the median is taken of, and origins that are tried, at most.
const LOOKS: usize = 128;
/// Origins of the past below which nothing is known of the errors. Assumed.
const TRIED_CASES: usize = 10;
/// How much further errors may lie than those seen, over the number of separate windows that they were seen in. By trial on
/// sizes that grow by chance, in bulk loads, on working days (tests/core/outlook.rs): with 1 nine in ten held where the growth
/// itself stays; with 2 still where it doubles within weeks.
const FEW_WINDOWS: f64 = 2.0;
/// Change of a size per day, as a share of it, that is thought possible where none could be tried. Assumed: a fresh table
/// doubles in some weeks.
const UNTRIED_PER_DAY: f64 = 0.05;

/// What a size has grown by, and what is expected of it.
#[derive(Debug, Clone)]
pub struct Growth {
    last: f64,
    day: usize,
    /// What goes on, and what does so for sure; None where less than a day was measured.
    per_slot: Option<(f64, f64)>,
    /// A day, a week and the last slot ahead, as far as the history allows.
    tried: Vec<Tried>,
}

/// Forecasts of the past of one number of slots ahead.
#[derive(Debug, Clone)]
struct Tried {
    step: usize,
    /// How far what came lay from what was forecast, smallest first. Windows that overlap err the same way, so that which way
    /// says nothing.
    errors: Vec<f64>,
    /// How much further they may lie.
    spread: f64,
}

impl Growth {
    /// For forecasts up to `steps` slots ahead.
    pub fn of(series: &Series, steps: usize) -> Self {
        let day = usize::try_from(DAY_SECONDS / series.interval_seconds()).unwrap_or(1).max(1);
        let end = series.len() - 1;
        let longest = steps.min(series.len() / 2).max(1);
        let mut leads = vec![day, 7 * day, longest];
        leads.retain(|lead| *lead <= longest);
        leads.sort_unstable();
        leads.dedup();
        let tried = leads.into_iter().map(|lead| Tried::on(series, lead, day));
        let tried = tried.filter(|t| t.errors.len() >= TRIED_CASES).collect();
        Self { last: value(series, end), day, per_slot: drift(series, end, day), tried }
    }

    /// In the unit of the series; None where less than a day was measured.
    pub fn per_day(&self) -> Option<f64> {
        self.per_slot.map(|(median, _)| median * self.day as f64)
    }

    /// The same where three quarters of the changes agree on a direction, and 0 where they do not: what may be looked far
    /// ahead by.
    pub fn steady_per_day(&self) -> Option<f64> {
        self.per_slot.map(|(median, steady)| if steady == 0.0 { 0.0 } else { median * self.day as f64 })
    }

    /// Slots ahead that the errors are known of; 0 for none.
    pub fn tried_steps(&self) -> usize {
        self.tried.last().map_or(0, |t| t.step)
    }

    /// Mean absolute error of the furthest that was tried, and how often.
    pub fn error(&self) -> (f64, usize) {
        let errors = self.tried.last().map(|t| t.errors.as_slice()).unwrap_or_default();
        let sum: f64 = errors.iter().sum();
        (sum / errors.len().max(1) as f64, errors.len())
    }

    /// What is expected `step` slots after the end, with the interval that holds with probability `level`.
    pub fn step(&self, step: usize, level: f64) -> Step {
        let ahead = step as f64;
        let added = self.per_slot.map_or(0.0, |(median, _)| median) * ahead;
        let centre = (self.last + added).max(0.0);
        let width = if self.tried.is_empty() {
            self.last * UNTRIED_PER_DAY * ahead / self.day as f64 + added.abs()
        } else {
            self.width(step, level.clamp(0.0, 1.0))
        };
        Step { median: centre, mean: centre, lower: (centre - width).max(0.0), upper: centre + width }
    }

    /// The error, either way, that a share `q` of those to come stays below. Chance adds up with the root of time; beyond what was tried
    /// a wrong rate of growth adds up with time itself.
    fn width(&self, step: usize, q: f64) -> f64 {
        let after = self.tried.iter().position(|t| t.step >= step).unwrap_or(self.tried.len());
        let before = after.checked_sub(1).and_then(|at| self.tried.get(at));
        match (before, self.tried.get(after)) {
            (Some(a), Some(b)) => {
                let share = (step - a.step) as f64 / (b.step - a.step) as f64;
                a.quantile(q) + (b.quantile(q) - a.quantile(q)) * share
            }
            (None, Some(first)) => first.quantile(q) * (step as f64 / first.step as f64).sqrt(),
            (Some(last), None) => last.quantile(q) * step as f64 / last.step as f64,
            (None, None) => 0.0,
        }
    }
}

impl Tried {
    fn on(series: &Series, step: usize, day: usize) -> Self {
        // An origin needs a history of its own.
        let origins = (series.len() / 4).max(2)..=(series.len() - 1).saturating_sub(step);
        let every = (origins.clone().count() / LOOKS).max(1);
        let error = |origin: usize| {
            let measured = series.measured().get(origin + step).is_some_and(|m| *m);
            let came = measured.then(|| value(series, origin + step))?;
            Some((came - value(series, origin) - drift(series, origin, day)?.0 * step as f64).abs())
        };
        let mut errors: Vec<f64> = origins.clone().step_by(every).filter_map(error).collect();
        errors.sort_unstable_by(f64::total_cmp);
        // Windows that overlap are not cases of their own.
        let windows = 1.0 + origins.count() as f64 / step as f64;
        Self { step, errors, spread: 1.0 + FEW_WINDOWS / windows }
    }

    fn quantile(&self, q: f64) -> f64 {
        let at = (self.errors.len() as f64 * q).floor() as usize;
        self.errors.get(at.min(self.errors.len().saturating_sub(1))).copied().unwrap_or(0.0) * self.spread
    }
}

fn value(series: &Series, slot: usize) -> f64 {
    series.values().get(slot).copied().unwrap_or(0.0)
}

/// Change per slot as it was known at `end`: the median, and the quarter of the changes nearest to none, which is none
/// where they do not agree on a direction.
fn drift(series: &Series, end: usize, day: usize) -> Option<(f64, f64)> {
    if end < day {
        return None;
    }
    let week = 7 * day;
    let lag = if end >= 2 * week { week } else { end.div_ceil(2).max(1) };
    let begin = (end + 1).saturating_sub(WINDOW_DAYS * day).max(lag);
    let measured = |slot: usize| series.measured().get(slot).copied().unwrap_or(false);
    let every = ((end + 1 - begin) / LOOKS).max(1);
    let mut changes: Vec<f64> = (begin..=end)
        .rev()
        .step_by(every)
        .filter(|slot| measured(*slot) && measured(slot - lag))
        .map(|slot| (value(series, slot) - value(series, slot - lag)) / lag as f64)
        .collect();
    changes.sort_unstable_by(f64::total_cmp);
    let at = |place: usize| changes.get(place).copied();
    let last = changes.len().checked_sub(1)?;
    let median = (at(last / 2)? + at(last.div_ceil(2))?) / 2.0;
    let (low, high) = (at(last / 4)?, at(last - last / 4)?);
    let steady = if low > 0.0 { low } else { high.min(0.0) };
    Some((median, steady))
}
