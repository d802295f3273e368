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
}

/// One error of the backtest, in logarithms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Residual {
    pub(super) origin: usize,
    pub(super) error: f64,
    pub(super) weight: f64,
}

impl Residuals {
    /// From errors in the order of their origins.
    pub(super) fn of(errors: &[Residual], _step: usize) -> Self {
        let mut sorted: Vec<(f64, f64)> = errors.iter().map(|e| (e.error, e.weight)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = sorted.iter().map(|(_, w)| w).sum();
        let raised: f64 = sorted.iter().map(|(e, w)| e.exp() * w).sum();
        let mean_factor = if total > 0.0 { raised / total } else { 1.0 };
        Self { sorted, total, mean_factor }
    }

    /// The error that a share `q` of the errors stays below, linear between neighbours.
    pub(super) fn quantile(&self, q: f64) -> f64 {
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
