//! What was learnt for one number of steps ahead: the fitted members, their weights, and the errors that remain.

use super::decomposition::Seasons;
use super::features::{Now, Then};
use super::members::{Fitted, MEMBERS, Member};
use super::regression::Coefficients;
use super::residuals::Residuals;
use super::scale::Scale;
use super::weights::{N, dot};

/// Forecasts of the past below which nothing is known of the errors. Assumed: the ends of a 90 % interval then are the
/// largest errors seen.
pub(super) const TESTED_CASES: usize = 30;
/// Factor, either way, by which a load may differ from a forecast that could not be tried. Assumed: a day's peak is
/// customarily two to four times its mean.
const UNTRIED_FACTOR: f64 = 3.0;
/// The interval grows no more than this beyond the last step that could be tried.
const MAX_WIDENING: f64 = 4.0;
/// Share of the mean load taken for none when levels are compared.
const TINY: f64 = 1e-3;

/// What the members look at to forecast one slot from an origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) now: &'a Now,
    pub(super) then: &'a Then,
    /// May lie beside an anchor's own.
    pub(super) step: usize,
    pub(super) seasons: Option<(&'a Seasons, f64)>,
    pub(super) scale: Scale,
}

#[derive(Debug, Clone)]
pub(super) struct Anchor {
    pub(super) step: usize,
    pub(super) coefficients: Coefficients,
    pub(super) weights: [f64; N],
    /// Of each member alone, in mean loads.
    pub(super) errors: [f64; N],
    /// Of the ensemble.
    pub(super) error: f64,
    pub(super) cases: usize,
    pub(super) residuals: Residuals,
}

impl Anchor {
    pub(super) fn tested(&self) -> bool {
        self.cases >= TESTED_CASES
    }

    /// For a step that could not be tried: what the step before it learnt, trusted the less the further ahead it is.
    pub(super) fn or_widened(self, before: Option<&Self>) -> Self {
        match before {
            Some(before) => {
                let times = (self.step as f64 / before.step as f64).sqrt().min(MAX_WIDENING);
                Self {
                    step: self.step,
                    cases: self.cases,
                    residuals: before.residuals.widened(times),
                    ..before.clone()
                }
            }
            None => Self { residuals: self.residuals.clone().wide(UNTRIED_FACTOR), ..self },
        }
    }

    /// The members' forecasts, in logarithms.
    pub(super) fn members(&self, view: View<'_>) -> [f64; N] {
        let View { now, then, step, seasons, scale } = view;
        let fitted = Fitted {
            log: self.coefficients.log(now, then, scale),
            linear: self.coefficients.linear(now, then, scale),
            decomposed: seasons.map_or(then.days_median, |(s, level)| s.forecast(level, now.origin + step, scale)),
        };
        let tiny = scale.mean * TINY;
        MEMBERS.map(|member: Member| scale.blended(member.value(now, then, tiny, &fitted).min(scale.most)))
    }

    /// The ensemble's forecast, in logarithms.
    pub(super) fn forecast(&self, view: View<'_>) -> f64 {
        dot(&self.weights, &self.members(view))
    }
}
