//! The highest load of a window, which is what nodes are sized for. The highest of the expected loads is not it: loads
//! scatter around what is expected, and the highest of many is always one that scattered up. So the backtest is asked how
//! far the highest load of such windows lay above the highest expected one.

use super::fit::Forecaster;
use super::history::History;
use super::residuals::Residuals;

/// Origins that are tried. Assumed: 128 leave six beyond the 95 % quantile.
const ORIGINS: usize = 128;
/// Days back that they are taken from.
const DAYS: usize = 28;
/// Slots of a window at which the expected load is looked at: enough to follow a day's shape.
const LOOKS: usize = 32;
/// Origins below which the error of single slots is used as well. Assumed: the 95 % quantile of fewer is their largest.
const ENOUGH: usize = 20;

/// How far the highest load of a window lies above the highest expected one.
#[derive(Debug, Clone)]
pub struct PeakRule {
    first_step: usize,
    last_step: usize,
    residuals: Residuals,
}

impl Forecaster {
    /// Learns for the window from `first_step` to `last_step` slots ahead, from origins up to `end`.
    pub fn peak_rule(&self, history: &History<'_>, end: usize, first_step: usize, last_step: usize) -> PeakRule {
        let first_step = first_step.max(1);
        let mut rule = PeakRule { first_step, last_step: last_step.max(first_step), residuals: Residuals::default() };
        let end = end.min(history.series().len().saturating_sub(1));
        let latest = (end + 1).saturating_sub(rule.last_step);
        let earliest =
            latest.saturating_sub(DAYS * history.day).max((end + 1).saturating_sub(self.slots) + self.slots / 3);
        let span = latest.saturating_sub(earliest);
        let count = span.min(ORIGINS);
        let mut errors = Vec::with_capacity(count);
        for i in 0..count {
            let origin = earliest + i * span / count;
            let window = origin + rule.first_step..=origin + rule.last_step;
            let came =
                window.filter(|slot| history.measured(*slot)).filter_map(|slot| history.value(slot)).reduce(f64::max);
            if let Some(came) = came {
                errors.push((self.scale.blended(came) - self.expected_peak(history, origin, &rule), 1.0));
            }
        }
        rule.residuals = Residuals::sorted(errors);
        rule
    }

    /// The load that the window's highest stays below with probability `quantile`.
    pub fn peak(&self, history: &History<'_>, origin: usize, rule: &PeakRule, quantile: f64) -> f64 {
        let reader = self.from(history, origin);
        let single = || reader.upper_error(rule.last_step, quantile);
        let error = match rule.residuals.len() {
            0 => single(),
            n if n < ENOUGH => rule.residuals.quantile(1.0).max(single()),
            // The origins to come are one more than those that were tried.
            n => rule.residuals.quantile(quantile * (n as f64 + 1.0) / n as f64) * reader.spread(rule.last_step),
        };
        self.scale.unblended(self.expected_peak(history, origin, rule) + error)
    }

    /// In logarithms.
    fn expected_peak(&self, history: &History<'_>, origin: usize, rule: &PeakRule) -> f64 {
        let reader = self.from(history, origin);
        let span = rule.last_step - rule.first_step;
        let looks = (span + 1).min(LOOKS);
        (0..looks)
            .map(|i| rule.first_step + i * span / (looks - 1).max(1))
            .map(|step| reader.centre(step))
            .fold(f64::NEG_INFINITY, f64::max)
    }
}
