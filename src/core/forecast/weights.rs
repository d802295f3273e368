//! How much each member counts: by its errors of late, then by what it adds to the others.
//!
//! Members are averaged in logarithms: they err by factors, and the mean of factors is not dragged up by the boldest.
//! Choosing one member by a short backtest is noisy, so the search starts from all of them, weighed by their errors,
//! takes a bounded number of steps towards the least absolute error of the average, and averages over its own path.

use super::members::MEMBERS;

pub(super) const N: usize = MEMBERS.len();

/// How steeply a larger error lowers the weight that the search starts from. Assumed: twice the error, a sixteenth.
const ERROR_POWER: f64 = 4.0;
const STEP: f64 = 1.0;
/// Share of the weights left where the search started. Assumed: what was best by a backtest is seldom best by much.
const SHRUNK: f64 = 0.1;
/// One origin with a wild member must not decide.
const MAX_GRADIENT: f64 = 3.0;

/// What the members said at one origin, and what came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) origin: usize,
    /// In logarithms.
    pub(super) said: [f64; N],
    pub(super) came: f64,
    pub(super) weight: f64,
}

/// Weighted mean of the absolute errors of each member, in units of the mean load.
pub(super) fn errors(cases: &[Case]) -> [f64; N] {
    let mut errors = [0.0; N];
    let total: f64 = cases.iter().map(|c| c.weight).sum();
    if total <= 0.0 {
        return errors;
    }
    for case in cases {
        let came = case.came.exp();
        for (error, said) in errors.iter_mut().zip(case.said) {
            *error += (said.exp() - came).abs() * case.weight / total;
        }
    }
    errors
}

/// Weights that sum to one; zero for members that are not `usable`.
pub(super) fn weights(cases: &[Case], errors: &[f64; N], usable: &[bool; N], steps: u32) -> [f64; N] {
    let best = errors.iter().zip(usable).filter(|(_, u)| **u).map(|(e, _)| *e).fold(f64::INFINITY, f64::min);
    let floor = best.max(1e-9);
    let mut weights = [0.0; N];
    for ((weight, error), usable) in weights.iter_mut().zip(errors).zip(usable) {
        *weight = if *usable { ((error + 1e-9) / floor).powf(-ERROR_POWER) } else { 0.0 };
    }
    normalise(&mut weights);
    let total: f64 = cases.iter().map(|c| c.weight).sum();
    if total <= 0.0 || best <= 0.0 || steps == 0 {
        return weights;
    }
    let start = weights;
    let came: Vec<f64> = cases.iter().map(|c| c.came.exp()).collect();
    let mut path = [0.0; N];
    for iteration in 0..steps {
        let mut gradient = [0.0; N];
        for (case, came) in cases.iter().zip(&came) {
            let said = dot(&weights, &case.said);
            let raised = said.exp();
            let pull = (raised - came).signum() * raised * case.weight / total / floor;
            for (g, member) in gradient.iter_mut().zip(case.said) {
                *g += pull * (member - said);
            }
        }
        let size = STEP / (1.0 + 0.2 * f64::from(iteration)).sqrt();
        for ((weight, g), sum) in weights.iter_mut().zip(gradient).zip(&mut path) {
            *weight *= (-size * g.clamp(-MAX_GRADIENT, MAX_GRADIENT)).exp();
            *sum += *weight;
        }
        normalise(&mut weights);
    }
    normalise(&mut path);
    for (found, start) in path.iter_mut().zip(start) {
        *found += SHRUNK * (start - *found);
    }
    path
}

pub(super) fn dot(weights: &[f64; N], said: &[f64; N]) -> f64 {
    weights.iter().zip(said).map(|(w, s)| w * s).sum()
}

fn normalise(weights: &mut [f64; N]) {
    let total: f64 = weights.iter().sum();
    if total > 0.0 {
        weights.iter_mut().for_each(|w| *w /= total);
    }
}
