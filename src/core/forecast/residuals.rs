//! What the backtest was wrong by, as a distribution: the intervals are its quantiles (split conformal prediction with
//! weights that fade with age), so that they need no belief about the shape of errors.

use serde::{Deserialize, Serialize};

/// Errors with their weights, smallest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Residuals {
    sorted: Vec<(f64, f64)>,
    total: f64,
    /// Mean of e^error: by how much the mean exceeds the median.
    pub(super) mean_factor: f64,
    /// How much wider than these errors the interval is: more than 1 where errors were growing through the backtest, less
    /// where they were shrinking, as they do while a history is young.
    pub(super) spread: f64,
}

/// The interval that is tried out through the backtest to learn how errors grow.
const TRIED_LEVEL: f64 = 0.9;
/// Errors that an interval needs before it is tried. Assumed: two beyond each end.
const TRIED_FROM: usize = 40;
/// Bounds of the spread. Assumed: a backtest of some hundred errors tells no more.
const MIN_SPREAD: f64 = 0.7;
const MAX_SPREAD: f64 = 2.0;

/// One error of the backtest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Residual {
    pub(super) origin: usize,
    /// In logarithms, with its sign.
    pub(super) error: f64,
    /// In mean loads, without.
    pub(super) absolute: f64,
    pub(super) weight: f64,
}

impl Residuals {
    /// From errors in the order of their origins.
    pub(super) fn of(errors: &[Residual], step: usize) -> Self {
        let of = Self::sorted(errors.iter().map(|e| (e.error, e.weight)).collect());
        Self { spread: spread(errors, step), ..of }
    }

    pub(super) fn sorted(mut sorted: Vec<(f64, f64)>) -> Self {
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = sorted.iter().map(|(_, w)| w).sum();
        let raised: f64 = sorted.iter().map(|(e, w)| e.exp() * w).sum();
        let mean_factor = if total > 0.0 { raised / total } else { 1.0 };
        Self { sorted, total, mean_factor, spread: 1.0 }
    }

    /// When too few forecasts could be tried: as if each had been off by `factor` either way, or by what was seen.
    pub(super) fn wide(self, factor: f64) -> Self {
        let weight = self.total.max(1.0);
        let ends = [(-factor.ln(), weight), (factor.ln(), weight)];
        Self { mean_factor: 1.0, ..Self::sorted(self.sorted.into_iter().chain(ends).collect()) }
    }

    pub(super) fn widened(&self, times: f64) -> Self {
        Self { spread: self.spread * times, ..self.clone() }
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The error that a share `q` of the errors to come stays below.
    pub(super) fn quantile(&self, q: f64) -> f64 {
        let middle = self.of_backtest(0.5);
        middle + (self.of_backtest(q) - middle) * self.spread
    }

    /// The error that a share `q` of the backtest's stayed below, linear between neighbours.
    fn of_backtest(&self, q: f64) -> f64 {
        let wanted = q.clamp(0.0, 1.0) * self.total;
        let mut below = 0.0;
        let mut previous: Option<(f64, f64)> = None;
        for (error, weight) in &self.sorted {
            let middle = below + weight / 2.0;
            if middle >= wanted {
                return match previous {
                    Some((then, at)) if middle > at => then + (error - then) * (wanted - at) / (middle - at),
                    _ => *error,
                };
            }
            previous = Some((*error, middle));
            below += weight;
        }
        previous.map_or(0.0, |(error, _)| error)
    }
}

/// By what an interval that knew only the errors before would have had to be widened to hold.
fn spread(errors: &[Residual], step: usize) -> f64 {
    let mut known: Vec<f64> = Vec::with_capacity(errors.len());
    let mut later = errors.iter().peekable();
    let mut needed = Vec::with_capacity(errors.len());
    for error in errors {
        while let Some(past) = later.next_if(|past| past.origin + step <= error.origin) {
            known.insert(known.partition_point(|e| *e < past.error), past.error);
        }
        if known.len() < TRIED_FROM {
            continue;
        }
        let tail = (known.len() as f64 * (1.0 - TRIED_LEVEL) / 2.0) as usize;
        let ends = [tail, known.len() / 2, known.len() - 1 - tail].map(|at| known.get(at).copied().unwrap_or(0.0));
        let [low, middle, high] = ends;
        let (away, end) = (error.error - middle, if error.error > middle { high - middle } else { low - middle });
        // An interval without a width cannot be widened.
        if end.abs() > f64::EPSILON {
            needed.push((away / end, error.weight));
        }
    }
    if needed.len() < TRIED_FROM {
        return 1.0;
    }
    Residuals::sorted(needed).of_backtest(TRIED_LEVEL).clamp(MIN_SPREAD, MAX_SPREAD)
}
