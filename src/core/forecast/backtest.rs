//! The rolling backtest of one number of steps ahead: every member forecasts from origins spread over the past, with nothing
//! later than the origin known to it, and what came decides the weights and the intervals. The same pass fits the
//! regressions.

use super::anchor::{Anchor, TESTED_CASES, View};
use super::features::Then;
use super::history::History;
use super::origins::Origins;
use super::regression::{Coefficients, Learner};
use super::residuals::{Residual, Residuals};
use super::scale::Scale;
use super::weights::{Case, N, dot, errors, weights};

/// Days after which an error counts half when weights are found. Assumed; 7 and 60 differ by 1 %.
const HALF_LIFE_DAYS: f64 = 14.0;
/// Days after which a row counts half in a regression. Assumed: the shape of load lasts longer than its level.
const ROW_HALF_LIFE_DAYS: f64 = 28.0;
/// How often regressions and weights are found anew within the backtest.
const REFITS: usize = 4;
/// Steps of the search for weights. Assumed: more fits the backtest's noise.
const SEARCHED: u32 = 30;
/// The same within the backtest, where weights only have to be about right.
const REHEARSED: u32 = 8;
/// Past forecasts that weights must stand on before errors made with them count. Assumed.
const WEIGHED_CASES: usize = 10;
/// Factor on errors of weights that knew them, where there are too few others. Assumed.
const KNOWING: f64 = 1.25;

pub(super) fn backtest(
    history: &History<'_>,
    origins: &Origins,
    step: usize,
    scale: Scale,
    usable: &[bool; N],
) -> Anchor {
    let no_errors = [0.0; N];
    let mut anchor = Anchor {
        step,
        coefficients: Coefficients::default(),
        // As they would have been then: an error with weights that knew it is no error to trust.
        weights: weights(&[], &no_errors, usable, 0),
        errors: no_errors,
        error: 0.0,
        cases: 0,
        residuals: Residuals::default(),
    };
    let mut learner = Learner::default();
    let day = history.day as f64;
    let fade = |origin: usize, half_life: f64| 0.5f64.powf((origins.end - origin) as f64 / day / half_life);
    let refit_every = (origins.end.saturating_sub(origins.compared_from) / REFITS).max(1);
    let mut refit_at = origins.compared_from;
    let mut cases: Vec<Case> = Vec::new();
    let mut residuals: Vec<Residual> = Vec::new();
    let mut weighed = false;
    for (i, now) in origins.rows.iter().enumerate() {
        let target = now.origin + step;
        if target > origins.end {
            break;
        }
        if now.origin >= refit_at {
            learner.learn_until(now.origin);
            anchor.coefficients = learner.coefficients();
            let known: Vec<Case> = cases.iter().copied().filter(|case| case.origin + step <= now.origin).collect();
            anchor.weights = weights(&known, &errors(&known), usable, REHEARSED);
            weighed = known.len() >= WEIGHED_CASES;
            refit_at = now.origin + refit_every;
        }
        let Some(came) = history.value(target).filter(|_| history.measured(target)) else { continue };
        let then = Then::at(history, now, step);
        if now.origin >= origins.compared_from && i % origins.every == 0 {
            let said = anchor.members(View { now, then: &then, step, seasons: origins.seasons_at(i), scale });
            let (weight, came) = (fade(now.origin, HALF_LIFE_DAYS), scale.blended(came));
            let case = Case { origin: now.origin, said, came, weight };
            residuals.extend(weighed.then(|| residual(&case, &anchor.weights)));
            cases.push(case);
        }
        learner.meet(target, now, &then, came, fade(now.origin, ROW_HALF_LIFE_DAYS), scale);
    }
    learner.learn_until(origins.end);
    let errors = errors(&cases);
    let weights = weights(&cases, &errors, usable, SEARCHED);
    let honest = residuals.len() >= TESTED_CASES;
    if !honest {
        residuals = cases.iter().map(|case| residual(case, &weights)).collect();
    }
    let error = residuals.iter().map(|r| r.absolute).sum::<f64>() / residuals.len().max(1) as f64;
    let residuals = Residuals::of(&residuals, step).widened(if honest { 1.0 } else { KNOWING });
    Anchor { coefficients: learner.coefficients(), weights, errors, error, cases: cases.len(), residuals, ..anchor }
}

fn residual(case: &Case, weights: &[f64; N]) -> Residual {
    let said = dot(weights, &case.said);
    let absolute = (case.came.exp() - said.exp()).abs();
    Residual { origin: case.origin, error: case.came - said, absolute, weight: case.weight }
}
