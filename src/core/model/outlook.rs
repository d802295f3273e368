//! What a load history says of the time ahead: one forecast for each series, and when it asks for more shards.

use super::load::Metric;
use serde::{Deserialize, Serialize};

/// Times are those of the history, in UTC: a plan has no clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Where the history was found, in words.
    pub source: String,
    /// How far ahead is looked: `7 days`.
    pub horizon: String,
    /// In the order of [`Metric`].
    pub series: Vec<Expected>,
    /// What was repaired or is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Expected {
    /// What a plan reckons with at the most: the peak, or the end of the size's interval. Where no forecast could be tried,
    /// the interval is only a guess, and what was measured counts.
    pub fn reckoned(&self) -> f64 {
        match (&self.tried, self.metric.is_size()) {
            (Some(_), _) => self.peak,
            (None, true) => self.expected,
            (None, false) => self.highest.max(self.expected),
        }
    }
}

impl Outlook {
    pub fn of(&self, metric: Metric) -> Option<&Expected> {
        self.series.iter().find(|e| e.metric == metric)
    }

    /// The size that growth is told by: bytes, or else rows.
    pub fn size(&self) -> Option<&Expected> {
        self.of(Metric::Bytes).or_else(|| self.of(Metric::Rows))
    }
}

/// One series now and at the horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    pub metric: Metric,
    /// The column, or what the series was worked out from.
    pub name: String,
    /// First and last time of the history, slots in between and how long one is.
    pub from: String,
    pub until: String,
    pub slots: usize,
    pub interval: String,
    /// Of a size the last one; of a load the mean of the history's last day.
    pub now: f64,
    /// Of a load the highest of the history's last week.
    pub highest: f64,
    /// Of a size the one at the horizon's end; of a load the mean of its last day.
    pub expected: f64,
    /// Between these lies the size at the horizon's end, or the load of any slot ahead, in nine of ten cases.
    pub lower: f64,
    pub upper: f64,
    /// What all the time ahead stays below with 95 % probability.
    pub peak: f64,
    /// Steady change per day of the size, or of the day's highest load; None where the history is too short to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<f64>,
    /// How far ahead forecasts could be tried on the history itself; None for not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<String>,
    /// Unix time of the last slot ahead.
    pub horizon_end: i64,
    /// Day by day.
    pub days: Vec<DayAhead>,
    /// Which models it stands on.
    pub because: String,
    /// What was done to its samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayAhead {
    /// The end of it.
    pub until: String,
    /// Of a size that at its end, of a load its mean.
    pub expected: f64,
    /// The highest upper end of it.
    pub upper: f64,
}

/// When more shards than the plan has are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextSplit {
    pub due: Due,
    /// The day, where one can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The bound that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
    /// A full sentence.
    pub because: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// The plan's shards are fewer than are asked for already.
    Now,
    WithinHorizon,
    /// After it, if the growth goes on.
    Later,
    /// The history shows no growth that would lead there.
    NotForeseen,
    /// The history does not tell growth.
    Unknown,
}
