//! Direct autoregression: the load some steps ahead as the median of its weeks plus what the other features say beyond
//! that, with coefficients for that number of steps. Twice: on logarithms, where levels multiply, and as it is.

use super::features::{Now, Then};
use super::least_squares::LeastSquares;
use super::scale::{Scale, View};
use std::collections::VecDeque;

const COLUMNS: usize = 23;
/// Shrinks a regression towards the median of weeks; share of the mean square of the columns.
const RIDGE: f64 = 1e-3;

/// Standard deviations from a column's mean beyond which a value is taken as if it were there: a load never seen before says
/// that it is out of the ordinary, not how many times as much a coefficient may make of it.
const BEYOND: f64 = 3.0;

#[derive(Debug, Clone, Default)]
pub(super) struct Coefficients {
    log: Option<Fit>,
    linear: Option<Fit>,
}

#[derive(Debug, Clone)]
struct Fit {
    coefficients: [f64; COLUMNS],
    /// Mean and standard deviation of each column.
    columns: [(f64, f64); COLUMNS],
}

impl Fit {
    fn of(rows: &LeastSquares<COLUMNS>) -> Option<Self> {
        Some(Self { coefficients: rows.solve(RIDGE)?, columns: rows.columns() })
    }

    fn beyond_the_base(&self, row: &[f64; COLUMNS]) -> f64 {
        let bounded = |(x, (mean, deviation)): (&f64, &(f64, f64))| {
            x.max(mean - BEYOND * deviation).min(mean + BEYOND * deviation)
        };
        self.coefficients.iter().zip(row.iter().zip(&self.columns).map(bounded)).map(|(c, x)| c * x).sum()
    }
}

impl Coefficients {
    pub(super) fn log(&self, now: &Now, then: &Then, scale: Scale) -> f64 {
        predict(View::Log, self.log.as_ref(), now, then, scale)
    }

    pub(super) fn linear(&self, now: &Now, then: &Then, scale: Scale) -> f64 {
        predict(View::Linear, self.linear.as_ref(), now, then, scale)
    }
}

fn predict(view: View, fit: Option<&Fit>, now: &Now, then: &Then, scale: Scale) -> f64 {
    let beyond = fit.map_or(0.0, |fit| fit.beyond_the_base(&row(view, now, then, scale)));
    view.back(view.see(then.weeks_median, scale) + beyond, scale)
}

/// Both regressions while they learn, and what they may not learn from yet.
#[derive(Debug, Default)]
pub(super) struct Learner {
    log: LeastSquares<COLUMNS>,
    linear: LeastSquares<COLUMNS>,
    /// Rows wait until what they speak of has happened.
    waiting: VecDeque<(usize, [Row; 2])>,
}

#[derive(Debug)]
struct Row {
    columns: [f64; COLUMNS],
    target: f64,
    weight: f64,
}

impl Learner {
    /// At `slot` it came to `came`.
    pub(super) fn meet(&mut self, slot: usize, now: &Now, then: &Then, came: f64, weight: f64, scale: Scale) {
        let rows = [View::Log, View::Linear].map(|view| Row {
            columns: row(view, now, then, scale),
            target: view.see(came, scale) - view.see(then.weeks_median, scale),
            weight,
        });
        self.waiting.push_back((slot, rows));
    }

    /// Learns what has happened until `slot`.
    pub(super) fn learn_until(&mut self, slot: usize) {
        while self.waiting.front().is_some_and(|(at, _)| *at <= slot) {
            if let Some((_, [log, linear])) = self.waiting.pop_front() {
                self.log.add(&log.columns, log.target, log.weight);
                self.linear.add(&linear.columns, linear.target, linear.weight);
            }
        }
    }

    pub(super) fn coefficients(&self) -> Coefficients {
        Coefficients { log: Fit::of(&self.log), linear: Fit::of(&self.linear) }
    }
}

fn row(view: View, now: &Now, then: &Then, scale: Scale) -> [f64; COLUMNS] {
    let base = view.see(then.weeks_median, scale);
    let features = [
        now.last,
        now.before,
        now.before_that,
        now.hour,
        now.six_hours,
        now.day,
        now.yesterday,
        now.week,
        now.last_of_days,
        now.hour_of_days,
        now.last_of_weeks,
        now.hour_of_weeks,
        now.day_of_weeks,
        then.day,
        then.day_before,
        then.days_mean,
        then.days_median,
        then.day_around,
        then.week,
        then.weeks_mean,
        then.week_around,
        then.level,
    ];
    // The last column stays 1: the constant.
    let mut row = [1.0; COLUMNS];
    for (cell, feature) in row.iter_mut().zip(features) {
        *cell = view.see(feature, scale) - base;
    }
    row
}
