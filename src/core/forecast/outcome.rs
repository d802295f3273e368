//! What a forecast says: every slot ahead with its interval, which members said it and how far off they were, and whether
//! the history was enough to know.

use super::fit::{Forecaster, Step};
use super::history::History;
use super::members::{MEMBERS, Member};
use serde::{Deserialize, Serialize};

/// Members named in a `because`; all are in the evidence.
const NAMED: usize = 3;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Unix time of the first slot ahead.
    pub start: i64,
    pub interval_seconds: i64,
    /// Probability that a slot's load lies between its lower and upper.
    pub level: f64,
    pub steps: Vec<Step>,
    pub evidence: Vec<Evidence>,
    /// Slots ahead up to which the backtest could look; beyond, the intervals are only widened.
    pub tested_steps: usize,
    pub because: String,
}

/// What the backtest found for one number of steps ahead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub step: usize,
    /// Forecasts that were compared with what came.
    pub cases: usize,
    /// Mean absolute error of the ensemble as a share of the mean load.
    pub error: f64,
    /// Heaviest first.
    pub members: Vec<MemberEvidence>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MemberEvidence {
    pub member: Member,
    pub weight: f64,
    /// Mean absolute error as a share of the mean load.
    pub error: f64,
}

impl Forecaster {
    /// The slots after the history's end, as many as the forecaster was fitted for.
    pub fn forecast(&self, history: &History<'_>, level: f64) -> Forecast {
        let series = history.series();
        let origin = series.len().saturating_sub(1);
        let reader = self.from(history, origin);
        let evidence = self.evidence();
        Forecast {
            start: series.time_of(series.len()),
            interval_seconds: series.interval_seconds(),
            level,
            steps: (1..=self.steps).map(|step| reader.step(step, level)).collect(),
            tested_steps: self.tested_steps(),
            because: self.because(&evidence, series.interval_seconds()),
            evidence,
        }
    }

    fn tested_steps(&self) -> usize {
        match self.anchors.iter().rfind(|a| a.tested()) {
            // The last fitted step stands for the few after it as well.
            Some(last) if self.anchors.last().is_some_and(|a| a.step == last.step) => self.steps,
            Some(last) => last.step,
            None => 0,
        }
    }

    fn evidence(&self) -> Vec<Evidence> {
        let of = |weights: &[f64], errors: &[f64]| {
            let mut members: Vec<MemberEvidence> = MEMBERS
                .iter()
                .zip(weights)
                .zip(errors)
                .filter(|((_, weight), _)| **weight > 0.0)
                .map(|((member, weight), error)| MemberEvidence { member: *member, weight: *weight, error: *error })
                .collect();
            members.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.member.cmp(&b.member)));
            members
        };
        self.anchors
            .iter()
            .map(|a| Evidence { step: a.step, cases: a.cases, error: a.error, members: of(&a.weights, &a.errors) })
            .collect()
    }

    fn because(&self, evidence: &[Evidence], interval_seconds: i64) -> String {
        let tested = self.tested_steps();
        let Some(last) = evidence.iter().rfind(|e| e.step <= tested) else {
            return format!(
                "too little history: {} slots are not enough to try a forecast, so the interval is wide",
                self.slots
            );
        };
        let named: Vec<String> = last
            .members
            .iter()
            .take(NAMED)
            .map(|m| format!("{} {:.0} % (alone {:.0} % off)", m.member.name(), m.weight * 100.0, m.error * 100.0))
            .collect();
        let mut told = format!(
            "{} ahead the members' average was {:.0} % of the mean load off in {} forecasts of the past; it leans on {}",
            ahead(last.step, interval_seconds),
            last.error * 100.0,
            last.cases,
            named.join(", ")
        );
        if tested < self.steps {
            told.push_str(&format!(
                "; too little history to try more than {} ahead: beyond, the interval is widened",
                ahead(tested, interval_seconds)
            ));
        }
        told
    }
}

fn ahead(steps: usize, interval_seconds: i64) -> String {
    let seconds = i64::try_from(steps).unwrap_or(i64::MAX).saturating_mul(interval_seconds);
    match seconds {
        s if s >= 2 * 86_400 => format!("{} days", s / 86_400),
        s if s >= 2 * 3_600 => format!("{} hours", s / 3_600),
        s if s >= 120 => format!("{} minutes", s / 60),
        s => format!("{s} seconds"),
    }
}
