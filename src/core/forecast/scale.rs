//! How a load is seen by a model: relative to the history's mean, so that units do not matter, and where levels multiply,
//! in logarithms.

/// Share of the mean added before the logarithm of a regression, so that an idle minute is not minus infinity. Assumed: a
/// twentieth is far below what anything is sized for.
const LOG_OFFSET: f64 = 0.05;
/// The same when members are averaged. Assumed: smaller, for nothing is extrapolated there.
const BLEND_OFFSET: f64 = 0.01;
/// An interval's end never exceeds the largest forecast by more than this factor. Assumed; only keeps it finite.
const MOST_UPPER: f64 = 4.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// Mean load of the history; 1 when nothing ever happened.
    pub(super) mean: f64,
    /// The largest forecast.
    pub(super) most: f64,
}

impl Scale {
    /// As members are averaged.
    pub(super) fn blended(self, value: f64) -> f64 {
        (value / self.mean + BLEND_OFFSET).ln()
    }

    pub(super) fn unblended(self, seen: f64) -> f64 {
        ((seen.exp() - BLEND_OFFSET) * self.mean).clamp(0.0, self.most * MOST_UPPER)
    }
}

/// As a fitted member sees a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Log,
    Linear,
}

impl View {
    pub(super) fn see(self, value: f64, scale: Scale) -> f64 {
        match self {
            Self::Log => (value / scale.mean + LOG_OFFSET).ln(),
            Self::Linear => value / scale.mean,
        }
    }

    pub(super) fn back(self, seen: f64, scale: Scale) -> f64 {
        let value = match self {
            // Bounded before it is raised, or a wild coefficient would make it infinite.
            Self::Log => seen.min((scale.most / scale.mean + LOG_OFFSET).ln()).exp() - LOG_OFFSET,
            Self::Linear => seen,
        };
        (value * scale.mean).clamp(0.0, scale.most)
    }
}
