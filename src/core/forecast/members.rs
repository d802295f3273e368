//! The members of the ensemble: each a way to say what the load will be, each best on some load and poor on another.

use super::features::{Now, Then};
use serde::{Deserialize, Serialize};

/// How far a level may scale a seasonal profile, either way. Assumed: a level measured in a quiet slot is mostly noise.
const MAX_LEVEL: f64 = 10.0;
/// How far growth from week to week is believed, either way. Assumed: what doubles in a week rarely does so again.
const MAX_GROWTH: f64 = 1.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    LastValue,
    HourMean,
    DayMean,
    WeekMean,
    Smoothed,
    DampedTrend,
    SameTimeYesterday,
    MedianOfDays,
    DaysTimesLevel,
    DaysTimesHour,
    SameTimeLastWeek,
    MedianOfWeeks,
    WeeksTimesLevel,
    WeeksTimesHour,
    WeeksTimesDay,
    LastWeekGrown,
    Decomposition,
    RegressionLog,
    RegressionLinear,
}

pub(super) const MEMBERS: [Member; 19] = [
    Member::LastValue,
    Member::HourMean,
    Member::DayMean,
    Member::WeekMean,
    Member::Smoothed,
    Member::DampedTrend,
    Member::SameTimeYesterday,
    Member::MedianOfDays,
    Member::DaysTimesLevel,
    Member::DaysTimesHour,
    Member::SameTimeLastWeek,
    Member::MedianOfWeeks,
    Member::WeeksTimesLevel,
    Member::WeeksTimesHour,
    Member::WeeksTimesDay,
    Member::LastWeekGrown,
    Member::Decomposition,
    Member::RegressionLog,
    Member::RegressionLinear,
];

/// What the members that are fitted say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fitted {
    pub(super) log: f64,
    pub(super) linear: f64,
    pub(super) decomposed: f64,
}

impl Member {
    pub fn name(self) -> &'static str {
        match self {
            Self::LastValue => "last value",
            Self::HourMean => "mean of the last hour",
            Self::DayMean => "mean of the last day",
            Self::WeekMean => "mean of the last week",
            Self::Smoothed => "exponential smoothing",
            Self::DampedTrend => "damped trend",
            Self::SameTimeYesterday => "same time yesterday",
            Self::MedianOfDays => "median of the same time on 7 days",
            Self::DaysTimesLevel => "7-day mean x current level",
            Self::DaysTimesHour => "7-day mean x level of the last hour",
            Self::SameTimeLastWeek => "same time last week",
            Self::MedianOfWeeks => "median of the same time in 4 weeks",
            Self::WeeksTimesLevel => "4-week mean x current level",
            Self::WeeksTimesHour => "4-week mean x level of the last hour",
            Self::WeeksTimesDay => "4-week mean x level of the last day",
            Self::LastWeekGrown => "last week x weekly growth",
            Self::Decomposition => "seasons by MSTL x level of the last day",
            Self::RegressionLog => "autoregression of logarithms",
            Self::RegressionLinear => "autoregression",
        }
    }

    /// Knows no season; a whole day ahead it is the same as yesterday, which says nothing of it for the steps around.
    pub(super) fn is_of_the_moment(self) -> bool {
        matches!(self, Self::LastValue | Self::HourMean | Self::Smoothed | Self::DampedTrend)
    }

    /// Days of history without which this member would only repeat another one.
    pub(super) fn needs_days(self) -> usize {
        match self {
            Self::LastValue | Self::HourMean | Self::Smoothed | Self::DampedTrend => 0,
            Self::DayMean => 1,
            Self::SameTimeYesterday | Self::RegressionLog | Self::RegressionLinear => 2,
            Self::MedianOfDays | Self::DaysTimesLevel | Self::DaysTimesHour => 3,
            Self::Decomposition => 7,
            Self::WeekMean | Self::SameTimeLastWeek => 8,
            Self::WeeksTimesLevel | Self::WeeksTimesHour | Self::WeeksTimesDay => 15,
            Self::MedianOfWeeks | Self::LastWeekGrown => 22,
        }
    }

    /// What this member says; those that were fitted have said it in `fitted`.
    pub(super) fn value(self, now: &Now, then: &Then, tiny: f64, fitted: &Fitted) -> f64 {
        let level = |is: f64, used_to_be: f64| ((is + tiny) / (used_to_be + tiny)).clamp(1.0 / MAX_LEVEL, MAX_LEVEL);
        match self {
            Self::LastValue => now.last,
            Self::HourMean => now.hour,
            Self::DayMean => now.day,
            Self::WeekMean => now.week,
            Self::Smoothed => then.level,
            Self::DampedTrend => then.trend,
            Self::SameTimeYesterday => then.day,
            Self::MedianOfDays => then.days_median,
            Self::DaysTimesLevel => then.days_mean * level(now.last, now.last_of_days),
            Self::DaysTimesHour => then.days_mean * level(now.hour, now.hour_of_days),
            Self::SameTimeLastWeek => then.week,
            Self::MedianOfWeeks => then.weeks_median,
            Self::WeeksTimesLevel => then.weeks_mean * level(now.last, now.last_of_weeks),
            Self::WeeksTimesHour => then.weeks_mean * level(now.hour, now.hour_of_weeks),
            Self::WeeksTimesDay => then.weeks_mean * level(now.day, now.day_of_weeks),
            Self::LastWeekGrown => {
                let growth = ((now.week + tiny) / (now.week_before + tiny)).clamp(1.0 / MAX_GROWTH, MAX_GROWTH);
                then.week * growth.powf(then.weeks_ahead)
            }
            Self::Decomposition => fitted.decomposed,
            Self::RegressionLog => fitted.log,
            Self::RegressionLinear => fitted.linear,
        }
    }
}
