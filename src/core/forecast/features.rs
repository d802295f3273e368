//! What is known at an origin about a slot some steps ahead: recent levels, the same slot of days and weeks before, and
//! what the recent levels used to be then. The members of the ensemble and the regressions read nothing else.

use super::history::History;

/// Days averaged for "this hour of the day": a week, so that every weekday counts once.
const DAYS: usize = 7;
/// Weeks averaged for "this hour of the week". Assumed: a month; fewer are noise, more are the past.
const WEEKS: usize = 4;

/// What does not depend on the step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) origin: usize,
    pub(super) last: f64,
    pub(super) before: f64,
    pub(super) before_that: f64,
    pub(super) hour: f64,
    pub(super) six_hours: f64,
    pub(super) day: f64,
    pub(super) yesterday: f64,
    pub(super) week: f64,
    pub(super) week_before: f64,
    /// What `last`, `hour` were at this time of the last days.
    pub(super) last_of_days: f64,
    pub(super) hour_of_days: f64,
    /// What `last`, `hour`, `day` were at this time of the last weeks.
    pub(super) last_of_weeks: f64,
    pub(super) hour_of_weeks: f64,
    pub(super) day_of_weeks: f64,
}

impl Now {
    pub(super) fn at(history: &History<'_>, origin: usize) -> Self {
        let History { hour, day, week, .. } = *history;
        let last = history.value(origin).unwrap_or(0.0);
        let back = |slots: usize| origin.checked_sub(slots).and_then(|slot| history.value(slot)).unwrap_or(last);
        let (hourly, daily) = (history.mean(origin, hour), history.mean(origin, day));
        let last_of_days = history.mean_before(origin, 1, day, DAYS).unwrap_or(last);
        let hour_of_days = history.mean_before(origin, hour, day, DAYS).unwrap_or(hourly);
        Self {
            origin,
            last,
            before: back(1),
            before_that: back(2),
            hour: hourly,
            six_hours: history.mean(origin, 6 * hour),
            day: daily,
            yesterday: history.mean(origin.saturating_sub(day), day),
            week: history.mean(origin, week),
            week_before: origin.checked_sub(week).map_or_else(|| history.mean(origin, week), |o| history.mean(o, week)),
            last_of_days,
            hour_of_days,
            last_of_weeks: history.mean_before(origin, 1, week, WEEKS).unwrap_or(last_of_days),
            hour_of_weeks: history.mean_before(origin, hour, week, WEEKS).unwrap_or(hour_of_days),
            day_of_weeks: history.mean_before(origin, day, week, WEEKS).unwrap_or(daily),
        }
    }
}

/// What is known of the slot `step` ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Then {
    pub(super) day: f64,
    pub(super) day_before: f64,
    pub(super) days_mean: f64,
    pub(super) days_median: f64,
    /// Mean of the hour around the same time of the last known day.
    pub(super) day_around: f64,
    pub(super) week: f64,
    pub(super) weeks_mean: f64,
    pub(super) weeks_median: f64,
    pub(super) week_around: f64,
    /// Weeks between the last known same slot and the target.
    pub(super) weeks_ahead: f64,
    pub(super) level: f64,
    pub(super) trend: f64,
}

impl Then {
    pub(super) fn at(history: &History<'_>, now: &Now, step: usize) -> Self {
        let History { hour, day, week, .. } = *history;
        let days = history.same_slot::<DAYS>(now.origin, step, day);
        let weeks = history.same_slot::<WEEKS>(now.origin, step, week);
        let around = |period: usize| {
            let end = (now.origin + step).checked_sub(step.div_ceil(period).max(1) * period)? + hour / 2;
            Some(history.mean(end.min(now.origin), hour))
        };
        let last_day = days.nth(0).unwrap_or(now.hour);
        let days_mean = days.mean().unwrap_or(now.day);
        let days_median = days.median().unwrap_or(now.day);
        let day_around = around(day).unwrap_or(now.hour);
        let (level, trend) = history.smooth(now.origin, step);
        Self {
            day: last_day,
            day_before: days.nth(1).unwrap_or(last_day),
            days_mean,
            days_median,
            day_around,
            week: weeks.nth(0).unwrap_or(last_day),
            weeks_mean: weeks.mean().unwrap_or(days_mean),
            weeks_median: weeks.median().unwrap_or(days_median),
            week_around: around(week).unwrap_or(day_around),
            weeks_ahead: step.div_ceil(week).max(1) as f64,
            level,
            trend,
        }
    }
}
