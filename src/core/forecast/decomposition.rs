//! Seasons taken apart by MSTL (the crate stlrs) on logarithms: the day's and the week's shape, smoothed over the periods,
//! on the level of the last day.

use super::history::History;
use super::scale::{Scale, View};

/// Days that are taken apart: more cost time and say little of the season now.
const DAYS: usize = 28;

/// Seasonal shapes as they were known at the slot `until`.
#[derive(Debug, Clone)]
pub(super) struct Seasons {
    until: usize,
    /// The last period of each component, which ends with `until`.
    shapes: Vec<Vec<f64>>,
}

impl Seasons {
    /// None when there are less than three days.
    pub(super) fn fit(history: &History<'_>, first: usize, until: usize, scale: Scale) -> Option<Self> {
        let first = first.max((until + 1).saturating_sub(DAYS * history.day));
        let known = history.series().values().get(first..=until)?;
        let (day, week) = (history.day, history.week);
        let periods: Vec<usize> = [(day, 3 * day), (week, 3 * week)]
            .into_iter()
            .filter(|(period, enough)| *period >= 2 && known.len() >= *enough)
            .map(|(period, _)| period)
            .collect();
        let seen: Vec<f64> = known.iter().map(|value| View::Log.see(*value, scale)).collect();
        let taken_apart = stlrs::Mstl::fit(&seen, &periods).ok()?;
        let shapes = taken_apart
            .seasonal()
            .iter()
            .zip(&periods)
            .map(|(season, period)| season.get(season.len().checked_sub(*period)?..).map(<[f64]>::to_vec))
            .collect::<Option<Vec<_>>>()?;
        shapes.iter().flatten().all(|s| s.is_finite()).then_some(Self { until, shapes })
    }

    pub(super) fn until(&self) -> usize {
        self.until
    }

    fn season(&self, slot: usize) -> f64 {
        let of = |shape: &Vec<f64>| {
            let period = shape.len();
            // The shape's first slot is `until + 1` modulo the period.
            let at = (slot + period - (self.until + 1) % period) % period;
            shape.get(at).copied().unwrap_or(0.0)
        };
        self.shapes.iter().map(of).sum()
    }

    /// Mean of the last day's logarithms beside the seasons.
    pub(super) fn level(&self, history: &History<'_>, origin: usize, scale: Scale) -> f64 {
        let begin = (origin + 1).saturating_sub(history.day);
        let slots = begin..=origin;
        let count = slots.clone().count().max(1) as f64;
        let beside = |slot: usize| View::Log.see(history.value(slot).unwrap_or(0.0), scale) - self.season(slot);
        slots.map(beside).sum::<f64>() / count
    }

    pub(super) fn forecast(&self, level: f64, slot: usize, scale: Scale) -> f64 {
        View::Log.back(level + self.season(slot), scale)
    }
}
