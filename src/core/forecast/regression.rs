//! Direct autoregression: the load `step` slots ahead as the median of its weeks plus what the other features say beyond
//! that, with one set of coefficients for each step that is fitted. On logarithms, where levels multiply, and as it is.

use super::features::{Now, Then};

pub(super) const COLUMNS: usize = 23;

/// How a load is seen by a model: relative to the series' mean, so that units do not matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// Mean load of the history; 1 when nothing ever happened.
    pub(super) mean: f64,
    /// No forecast leaves what was ever seen by more than this.
    pub(super) most: f64,
}

/// Share of the mean added before a logarithm is taken, so that an idle minute is not minus infinity. Assumed: a twentieth
/// is far below what anything is sized for.
const LOG_OFFSET: f64 = 0.05;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Log,
    Linear,
}

impl View {
    fn see(self, value: f64, scale: Scale) -> f64 {
        match self {
            Self::Log => (value / scale.mean + LOG_OFFSET).ln(),
            Self::Linear => value / scale.mean,
        }
    }

    fn back(self, seen: f64, scale: Scale) -> f64 {
        let value = match self {
            // Bounded before it is raised, or a wild coefficient would make it infinite.
            Self::Log => seen.min((scale.most / scale.mean + LOG_OFFSET).ln()).exp() - LOG_OFFSET,
            Self::Linear => seen,
        };
        (value * scale.mean).clamp(0.0, scale.most)
    }

    pub(super) fn target(self, value: f64, then: &Then, scale: Scale) -> f64 {
        self.see(value, scale) - self.see(then.weeks_median, scale)
    }

    pub(super) fn row(self, now: &Now, then: &Then, scale: Scale) -> [f64; COLUMNS] {
        let base = self.see(then.weeks_median, scale);
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
        let mut row = [1.0; COLUMNS];
        for (cell, feature) in row.iter_mut().zip(features) {
            *cell = self.see(feature, scale) - base;
        }
        row
    }

    pub(super) fn predict(
        self,
        coefficients: Option<&[f64; COLUMNS]>,
        row: &[f64; COLUMNS],
        then: &Then,
        scale: Scale,
    ) -> f64 {
        let beyond = coefficients.map_or(0.0, |known| known.iter().zip(row).map(|(c, x)| c * x).sum());
        self.back(self.see(then.weeks_median, scale) + beyond, scale)
    }
}
