//! The rolling backtest of one step: every member forecasts from origins spread over the past, with nothing later than
//! the origin known to it, and what came decides the weights and the intervals. One pass also fits the regressions.

use super::features::{Now, Then};
use super::history::History;
use super::least_squares::LeastSquares;
use super::members::{MEMBERS, Member};
use super::regression::{COLUMNS, Scale, View};
use super::residuals::{Residual, Residuals};
use super::weights::{Case, N, dot, errors, weights};

/// Rows that a regression is fitted to. Assumed: twenty for each coefficient, twice.
pub(super) const ROWS: usize = 1_024;
/// Origins that the members are compared at, at most: the interval's 95 % then stands on a dozen errors.
pub(super) const CASES: usize = 256;
/// Days that the members are compared over.
pub(super) const BACKTEST_DAYS: usize = 28;
/// Days after which an error counts half when weights are found.
const HALF_LIFE_DAYS: f64 = 14.0;
/// Days after which a row counts half in a regression.
const ROW_HALF_LIFE_DAYS: f64 = 28.0;
/// How often the regressions are refitted within the backtest.
const REFITS: usize = 6;
/// Shrinks a regression towards the median of weeks; share of the mean square of the columns.
const RIDGE: f64 = 1e-3;
/// Share of the mean load added before members are averaged in logarithms.
const BLEND_OFFSET: f64 = 0.01;

/// What was learnt for one step.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    pub(super) step: usize,
    pub(super) weights: [f64; N],
    pub(super) errors: [f64; N],
    pub(super) residuals: Residuals,
    log: Option<[f64; COLUMNS]>,
    linear: Option<[f64; COLUMNS]>,
}

/// The origins of the past that are looked at, the same for all steps.
#[derive(Debug)]
pub(super) struct Origins {
    pub(super) rows: Vec<Now>,
    /// First origin at which members are compared.
    pub(super) compared_from: usize,
    /// One row in how many is compared.
    pub(super) every: usize,
    pub(super) end: usize,
}

pub(super) fn blended(value: f64, scale: Scale) -> f64 {
    (value / scale.mean + BLEND_OFFSET).ln()
}

pub(super) fn unblended(seen: f64, scale: Scale) -> f64 {
    ((seen.exp() - BLEND_OFFSET) * scale.mean).clamp(0.0, scale.most * 4.0)
}

pub(super) fn backtest(
    history: &History<'_>,
    origins: &Origins,
    step: usize,
    scale: Scale,
    usable: &[bool; N],
) -> Anchor {
    let mut anchor =
        Anchor { step, weights: [0.0; N], errors: [0.0; N], residuals: Residuals::default(), log: None, linear: None };
    let (mut log, mut linear) = (LeastSquares::default(), LeastSquares::default());
    // Rows wait until what they speak of has happened.
    let mut waiting = std::collections::VecDeque::new();
    let day = history.day as f64;
    let fade = |origin: usize, half_life: f64| 0.5f64.powf((origins.end - origin) as f64 / day / half_life);
    let span = origins.end.saturating_sub(origins.compared_from);
    let refit_every = (span / REFITS).max(1);
    let mut refit_at = origins.compared_from;
    let mut cases: Vec<Case> = Vec::with_capacity(CASES);
    // Weights as they would have been then: an error with weights that knew it is no error to trust.
    let mut weights_then = weights(&[], &anchor.errors, usable);
    let mut residuals = Vec::with_capacity(CASES);
    for (i, now) in origins.rows.iter().enumerate() {
        let target = now.origin + step;
        if target > origins.end {
            break;
        }
        while let Some((known, row_log, row_linear, y_log, y_linear, weight)) = waiting.pop_front() {
            if known > now.origin {
                waiting.push_front((known, row_log, row_linear, y_log, y_linear, weight));
                break;
            }
            log.add(&row_log, y_log, weight);
            linear.add(&row_linear, y_linear, weight);
        }
        if now.origin >= refit_at {
            anchor.log = log.solve(RIDGE);
            anchor.linear = linear.solve(RIDGE);
            refit_at = now.origin + refit_every;
            let known: Vec<Case> = cases.iter().copied().filter(|case| case.origin + step <= now.origin).collect();
            weights_then = weights(&known, &errors(&known), usable);
        }
        let Some(came) = history.value(target).filter(|_| history.measured(target)) else { continue };
        let then = Then::at(history, now, step);
        let (row_log, row_linear) = (View::Log.row(now, &then, scale), View::Linear.row(now, &then, scale));
        if now.origin >= origins.compared_from && i % origins.every == 0 {
            let said = anchor.members(now, &then, &row_log, &row_linear, scale);
            let weight = fade(now.origin, HALF_LIFE_DAYS);
            let came = blended(came, scale);
            residuals.push(Residual { origin: now.origin, error: came - dot(&weights_then, &said), weight });
            cases.push(Case { origin: now.origin, said, came, weight });
        }
        let targets = (View::Log.target(came, &then, scale), View::Linear.target(came, &then, scale));
        waiting.push_back((target, row_log, row_linear, targets.0, targets.1, fade(now.origin, ROW_HALF_LIFE_DAYS)));
    }
    for (_, row_log, row_linear, y_log, y_linear, weight) in waiting {
        log.add(&row_log, y_log, weight);
        linear.add(&row_linear, y_linear, weight);
    }
    anchor.log = log.solve(RIDGE);
    anchor.linear = linear.solve(RIDGE);
    anchor.errors = errors(&cases);
    anchor.weights = weights(&cases, &anchor.errors, usable);
    anchor.residuals = Residuals::of(&residuals, step);
    anchor
}

impl Anchor {
    /// The members' forecasts, in logarithms.
    fn members(
        &self,
        now: &Now,
        then: &Then,
        row_log: &[f64; COLUMNS],
        row_linear: &[f64; COLUMNS],
        scale: Scale,
    ) -> [f64; N] {
        let log = View::Log.predict(self.log.as_ref(), row_log, then, scale);
        let linear = View::Linear.predict(self.linear.as_ref(), row_linear, then, scale);
        let tiny = scale.mean * 1e-3;
        let said = |member: Member| blended(member.value(now, then, tiny, log, linear).min(scale.most), scale);
        MEMBERS.map(said)
    }

    /// The ensemble's forecast, in logarithms; `then` may speak of a step beside the anchor's own.
    pub(super) fn forecast(&self, now: &Now, then: &Then, scale: Scale) -> f64 {
        let (row_log, row_linear) = (View::Log.row(now, then, scale), View::Linear.row(now, then, scale));
        dot(&self.weights, &self.members(now, then, &row_log, &row_linear, scale))
    }
}
