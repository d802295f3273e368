//! From a load history as it was found to what a plan says of the time ahead: every series cleaned, forecast up to the
//! horizon by the models that suit it (loads by the ensemble, sizes by their growth), and summed up day by day.

use super::counters::concurrency;
use super::fit::{Forecaster, Step};
use super::grid::INTERVALS;
use super::growth::Growth;
use super::history::History;
use super::samples::{Regular, regularise};
use super::series::{DAY_SECONDS, Series};
use crate::model::outlook::{DayAhead, Expected};
use crate::model::words::{date, figure, moment, percent, round4};
use crate::model::{Interrupts, LoadHistory, Measured, Metric, Outlook, Problem, Span};
use std::collections::BTreeMap;

/// Probability that a load lies within its interval, in plans.
pub const LEVEL: f64 = 0.9;
/// Probability that no load of the time ahead exceeds the peak: the upper end of the same interval.
const PEAK: f64 = 0.95;
/// Slots ahead, at most: a week of minutes. A longer horizon is looked at in longer slots.
const MAX_STEPS: i64 = 10_080;
/// Days of history that growth of a load is told from: two of every weekday.
const GROWTH_DAYS: usize = 2 * WEEK_DAYS;
const WEEK_DAYS: usize = 7;

/// One series up to the horizon.
#[derive(Debug, Clone)]
pub struct Ahead {
    pub regular: Regular,
    /// The slots after the series' end.
    pub steps: Vec<Step>,
    /// Slots ahead up to which forecasts could be tried on the history.
    pub tried_steps: usize,
    pub peak: f64,
    pub per_day: Option<f64>,
    pub because: String,
}

impl Ahead {
    /// Unix time at which the slot after `step - 1` others begins; 0 is the history's last.
    pub fn time_of(&self, step: usize) -> i64 {
        self.regular.series.time_of(self.regular.series.len() - 1 + step)
    }
}

/// Forecasts one series up to `horizon` after its end.
///
/// # Errors
/// What [`regularise`] refuses, naming the series.
pub fn ahead(measured: &Measured, horizon: Span, level: f64) -> Result<Ahead, Problem> {
    let regular = even(&measured.samples, horizon).map_err(|problem| {
        let detail = problem.detail.clone().unwrap_or_default();
        problem.detail(format!("It came up in \"{}\". {detail}", measured.name))
    })?;
    let series = &regular.series;
    let steps = usize::try_from(horizon.0.max(1)).unwrap_or(1).div_ceil(interval(series));
    Ok(if measured.metric.is_size() { size_ahead(regular, steps, level) } else { load_ahead(regular, steps, level) })
}

/// What a plan says of the time ahead.
///
/// # Errors
/// Every series that is none.
pub fn outlook(history: &LoadHistory, horizon: Span, interrupts: Interrupts) -> Result<Outlook, Vec<Problem>> {
    let mut measured: Vec<&Measured> = history.measured.iter().collect();
    measured.sort_by_key(|m| m.metric);
    let (mut series, mut problems) = (Vec::new(), Vec::new());
    for one in measured {
        interrupts.check();
        match ahead(one, horizon, LEVEL) {
            Ok(ahead) => series.push(expected(one, &ahead)),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Outlook { source: history.source.clone(), horizon: horizon.to_string(), series, notes: history.notes.clone() })
}

/// How many are at work, where that was not measured itself but how many come and how long they stay.
pub fn by_littles_law(measured: &[Measured]) -> Option<Measured> {
    let of = |metric: Metric| measured.iter().find(|m| m.metric == metric);
    let (None, Some(rate), Some(mean)) = (of(Metric::Sessions), of(Metric::Rate), of(Metric::MeanMs)) else {
        return None;
    };
    let means: BTreeMap<i64, f64> = mean.samples.iter().copied().collect();
    let at = |(time, rate): &(i64, f64)| match means.get(time) {
        Some(mean) => Some((*time, concurrency(*rate, *mean))),
        // Nobody came, and so nobody stayed.
        None => (*rate == 0.0).then_some((*time, 0.0)),
    };
    let samples: Vec<(i64, f64)> = rate.samples.iter().filter_map(at).collect();
    let name = format!("{} x {}", rate.name, mean.name);
    (!samples.is_empty()).then_some(Measured { metric: Metric::Sessions, name, samples })
}

/// On the grid that the samples keep to, or on a wider one where that has too many slots.
fn even(samples: &[(i64, f64)], horizon: Span) -> Result<Regular, Problem> {
    let least = INTERVALS.into_iter().find(|i| horizon.0 / i <= MAX_STEPS).unwrap_or(DAY_SECONDS);
    let found = regularise(samples, None);
    let fits = |regular: &Regular| regular.series.interval_seconds() >= least;
    match &found {
        Ok(regular) if fits(regular) => return found,
        Err(problem) if problem.sqlstate != "54000" => return found,
        _ => {}
    }
    let mut wider = INTERVALS.into_iter().filter(|i| *i >= least).map(|i| regularise(samples, Some(i)));
    wider.find(Result::is_ok).unwrap_or(found)
}

fn interval(series: &Series) -> usize {
    usize::try_from(series.interval_seconds()).unwrap_or(1).max(1)
}

fn slots_a_day(series: &Series) -> usize {
    (DAY_SECONDS as usize / interval(series)).max(1)
}

fn load_ahead(regular: Regular, steps: usize, level: f64) -> Ahead {
    let series = &regular.series;
    let (history, end) = (History::of(series), series.len() - 1);
    let forecaster = Forecaster::fit(&history, end, steps);
    let mut forecast = forecaster.forecast(&history, level);
    let rule = forecaster.peak_rule(&history, end, 1, steps);
    let mut peak = forecaster.peak(&history, end, &rule, PEAK);
    let growth = growth_of_days(series);
    if let Some((highest, per_day)) = growth.filter(|(highest, per_day)| *highest > 0.0 && *per_day > 0.0) {
        // No member foresees growth, and none was tried so far ahead.
        let beyond = forecast.steps.iter_mut().skip(forecast.tested_steps).enumerate();
        for (slots, step) in beyond.map(|(i, step)| (i + 1, step)) {
            let times = 1.0 + per_day * slots as f64 / slots_a_day(series) as f64 / highest;
            let Step { median, mean, lower, upper } = *step;
            *step = Step { median: median * times, mean: mean * times, lower: lower * times, upper: upper * times };
            peak = peak.max(step.upper);
        }
        if forecast.tested_steps < steps {
            forecast.because += &format!("; beyond, steady growth of its peaks by {} a day goes on", figure(per_day));
        }
    }
    Ahead {
        steps: forecast.steps,
        tried_steps: forecast.tested_steps,
        peak,
        per_day: growth.map(|g| g.1),
        because: forecast.because,
        regular,
    }
}

/// The highest load of a day, on average over the last week, and how it changes steadily per day; None where the history is
/// too short to tell.
fn growth_of_days(series: &Series) -> Option<(f64, f64)> {
    let day = slots_a_day(series);
    let highest = |day: &[f64]| day.iter().copied().fold(0.0, f64::max);
    // A day that has only begun has no highest load yet.
    let days: Vec<f64> = series.values().chunks_exact(day).map(highest).collect();
    let week = days.get(days.len().checked_sub(GROWTH_DAYS)? + GROWTH_DAYS - WEEK_DAYS..)?;
    let level = week.iter().sum::<f64>() / WEEK_DAYS as f64;
    let per_day = Growth::of(&Series::new(0, DAY_SECONDS, days.clone()).ok()?, 1).steady_per_day()?;
    Some((level, per_day))
}

fn size_ahead(regular: Regular, steps: usize, level: f64) -> Ahead {
    let growth = Growth::of(&regular.series, steps);
    let found: Vec<Step> = (1..=steps).map(|step| growth.step(step, level)).collect();
    let tried_steps = growth.tried_steps();
    let last = regular.series.values().last().copied().unwrap_or(0.0);
    let because = match (growth.per_day(), growth.error()) {
        (None, _) => "too little history: less than a day tells no growth, so the interval is wide".to_owned(),
        (Some(per_day), (_, 0)) => format!(
            "too little history to try a forecast, so the interval is wide; it changed by {} a day",
            figure(per_day)
        ),
        (Some(per_day), (error, cases)) => format!(
            "it goes on to change by {} a day; {} ahead that was {} of the size off in {cases} forecasts of the past",
            figure(per_day),
            Span(i64::try_from(tried_steps * interval(&regular.series)).unwrap_or(i64::MAX)),
            percent(error / last.max(f64::MIN_POSITIVE))
        ),
    };
    let peak = found.iter().map(|s| s.upper).fold(0.0, f64::max);
    Ahead { steps: found, tried_steps, peak, per_day: growth.steady_per_day(), because, regular }
}

fn expected(measured: &Measured, ahead: &Ahead) -> Expected {
    let series = &ahead.regular.series;
    let day = slots_a_day(series);
    let size = measured.metric.is_size();
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = values.fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
        sum / count.max(1) as f64
    };
    let of_day = |steps: &[Step]| match steps.last() {
        Some(last) if size => last.median,
        _ => mean(&mut steps.iter().map(|s| s.mean)),
    };
    let last = |days: usize| series.values().get(series.len().saturating_sub(days * day)..).unwrap_or_default();
    let (last_day, last_week) = (last(1), last(WEEK_DAYS));
    let now = if size { last_day.last().copied().unwrap_or(0.0) } else { mean(&mut last_day.iter().copied()) };
    let end = ahead.steps.get(ahead.steps.len().saturating_sub(day)..).unwrap_or_default();
    let interval_of = |judged: &[Step]| {
        let lower = judged.iter().map(|s| s.lower).fold(f64::INFINITY, f64::min);
        (lower, judged.iter().map(|s| s.upper).fold(0.0, f64::max))
    };
    let at_end = end.len().saturating_sub(1);
    let (lower, upper) = interval_of(if size { end.get(at_end..).unwrap_or_default() } else { &ahead.steps });
    let days = ahead.steps.chunks(day).enumerate().map(|(i, steps)| DayAhead {
        until: date(ahead.time_of(i * day + steps.len())),
        expected: round4(of_day(steps)),
        upper: round4(interval_of(steps).1),
    });
    let span = |steps: usize| Span(i64::try_from(steps * interval(series)).unwrap_or(i64::MAX)).to_string();
    Expected {
        metric: measured.metric,
        name: measured.name.clone(),
        from: moment(series.start()),
        until: moment(ahead.time_of(0)),
        slots: series.len(),
        interval: Span(series.interval_seconds()).to_string(),
        now: round4(now),
        highest: round4(if size { now } else { last_week.iter().copied().fold(0.0, f64::max) }),
        expected: round4(of_day(end)),
        lower: round4(lower),
        upper: round4(upper),
        peak: round4(ahead.peak),
        per_day: ahead.per_day.map(round4),
        tried: (ahead.tried_steps > 0).then(|| span(ahead.tried_steps)),
        horizon_end: ahead.time_of(ahead.steps.len()),
        days: days.collect(),
        because: ahead.because.clone(),
        repairs: ahead.regular.repairs.notes(),
    }
}
