//! The even grid under a series: the interval that samples keep to, and what stands in slots that have none.

use super::series::DAY_SECONDS;

/// Intervals that are chosen from: parts of a day that people use.
pub(super) const INTERVALS: [i64; 17] =
    [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, DAY_SECONDS];
/// Share of the distances between samples that the interval must reach. Assumed: a fifth of the samples may come late, or
/// from a time when they were taken less often.
const REACHED: f64 = 0.8;
/// How much later than its interval a sampler may be. Assumed.
const LATE: f64 = 1.25;
/// A gap up to this long is bridged straight; a longer one takes the shape of the day or the week before.
const BRIDGED_SECONDS: i64 = 3_600;

/// The shortest interval that most samples keep to.
pub(super) fn chosen_interval(sorted: &[(i64, f64)]) -> i64 {
    let mut distances: Vec<i64> =
        sorted.windows(2).filter_map(|pair| Some(pair.last()?.0.saturating_sub(pair.first()?.0))).collect();
    distances.sort_unstable();
    let at = (distances.len() as f64 * REACHED) as usize;
    let usual = distances.get(at.min(distances.len().saturating_sub(1))).copied().unwrap_or(60);
    INTERVALS.into_iter().find(|i| *i as f64 * LATE >= usual as f64).unwrap_or(DAY_SECONDS)
}

/// Values for all slots.
pub(super) fn filled(means: &[Option<f64>], interval: i64) -> Vec<f64> {
    let slots = |seconds: i64| usize::try_from(seconds / interval).unwrap_or(1).max(1);
    let (bridged, day, week) = (slots(BRIDGED_SECONDS), slots(DAY_SECONDS), slots(7 * DAY_SECONDS));
    let mut values: Vec<f64> = Vec::with_capacity(means.len());
    let mut slot = 0;
    while let Some(mean) = means.get(slot) {
        if let Some(value) = mean {
            values.push(*value);
            slot += 1;
            continue;
        }
        let gap = means.iter().skip(slot).take_while(|m| m.is_none()).count();
        let before = values.last().copied();
        let after = means.get(slot + gap).copied().flatten();
        for k in 0..gap {
            let share = (k + 1) as f64 / (gap + 1) as f64;
            let straight = match (before, after) {
                (Some(a), Some(b)) => a + (b - a) * share,
                (a, b) => a.or(b).unwrap_or(0.0),
            };
            let back = |period: usize| (slot + k).checked_sub(period).and_then(|then| values.get(then)).copied();
            let shaped = if gap > bridged { back(week).or_else(|| back(day)) } else { None };
            values.push(shaped.unwrap_or(straight));
        }
        slot += gap;
    }
    values
}
