//! How finely the history of loads is kept: minutes of the last hours, for those who look at what happened just now; hours of
//! the last weeks, for forecasts; nothing beyond. So it has a bounded size, whatever happens.

/// Seconds of a fine slot, unless the monitor looks less often.
pub const FINE_SECONDS: i64 = 60;
/// How long fine slots are kept. Assumed: an incident is looked at within a working day.
const FINE_KEPT: i64 = 6 * 3_600;
/// Seconds of what they are thinned out to: hours, as capacity is planned in.
const COARSE_SECONDS: i64 = 3_600;

/// What has to be done with a history, as of a moment. All in seconds, times as unix times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thinning {
    /// Slots shorter than [`Self::into`] that begin before it are merged into slots of that length.
    pub merge_before: i64,
    pub into: i64,
    /// Slots that begin before it are dropped.
    pub drop_before: i64,
}

/// Where a look falls, and how long that slot is.
pub fn slot_of(time: i64, interval_seconds: i64) -> (i64, i64) {
    let length = FINE_SECONDS.max(interval_seconds).min(COARSE_SECONDS);
    (time.div_euclid(length) * length, length)
}

/// Whole hours only: an hour that is merged is never added to again.
pub fn thinning(now: i64, retention_seconds: i64) -> Thinning {
    let whole = |time: i64| time.div_euclid(COARSE_SECONDS) * COARSE_SECONDS;
    let kept = retention_seconds.max(COARSE_SECONDS);
    Thinning { merge_before: whole(now - FINE_KEPT.min(kept)), into: COARSE_SECONDS, drop_before: whole(now - kept) }
}
