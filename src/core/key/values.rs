//! What the profile tells of a key's values.

use super::subject::Subject;
use crate::model::ColumnProfile;
use crate::model::workload::ColumnLoad;

/// Figures of a key's values; each None where no profile tells.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct KeyValues {
    pub distinct: Option<u64>,
    pub null_share: Option<f64>,
    /// Share of the rows with the most frequent non-null value.
    pub hottest: Option<f64>,
    /// Share of the watched look-ups that the value surely has that is looked up most often.
    pub hottest_load: Option<f64>,
    /// Sum of the squared shares of all values: 1/n for n equal ones, 1 for a single one.
    pub concentration: Option<f64>,
    pub monotonicity: Option<f64>,
    /// The monotonicity, as far as it foretells that new rows bring ever larger values: a backup written in the order of
    /// its key shows the same correlation for a closed set of values, each shared by many rows.
    pub growth: Option<f64>,
}

impl KeyValues {
    pub fn of(subject: &Subject<'_>, key: &[String]) -> Self {
        let unique = subject.table.unique_keys.iter().any(|k| k.columns.iter().all(|c| key.contains(c)));
        let rows = subject.profile.map(|p| p.rows);
        let mut columns = key.iter().map(|c| Self::of_column(subject, c, rows));
        let first = columns.next().unwrap_or_default();
        // Columns of a pair are taken as independent of each other, where nobody knows better, except that they cannot have more
        // values than rows.
        let mut all = columns.fold(first, |a, b| Self {
            distinct: a.distinct.zip(b.distinct).map(|(a, b)| a.saturating_mul(b).min(rows.unwrap_or(u64::MAX))),
            null_share: a.null_share.zip(b.null_share).map(|(a, b)| a.max(b)),
            hottest: a.hottest.zip(b.hottest).map(|(a, b)| a * b),
            hottest_load: a.hottest_load.zip(b.hottest_load).map(|(a, b)| a * b),
            concentration: a.concentration.zip(b.concentration).map(|(a, b)| a * b),
            monotonicity: a.monotonicity,
            growth: a.growth,
        });
        if key.len() > 1
            && let Some(known) = subject.profile.and_then(|p| p.distinct_together(key))
        {
            all.distinct = Some(known);
        }
        if let Some(rows) = rows.filter(|r| unique && *r > 0 && all.null_share.unwrap_or(0.0) == 0.0) {
            all.distinct = Some(rows);
            all.hottest = Some(1.0 / rows as f64);
            all.concentration = Some(1.0 / rows as f64);
        }
        all
    }

    /// Share of the rows with the most frequent value or with NULL, whichever is more: what one shard must take whole.
    pub fn largest_group(&self) -> Option<f64> {
        match (self.hottest, self.null_share) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        }
    }

    fn of_column(subject: &Subject<'_>, column: &str, rows: Option<u64>) -> Self {
        let known = subject.profile.and_then(|p| p.column(column)).zip(rows.filter(|r| *r > 0));
        let hottest_load = subject.context.load(&subject.table.name, column).and_then(surely);
        let Some((profile, rows)) = known else {
            let boolean = subject.table.column(column).is_some_and(|c| c.type_name == "boolean");
            return Self { distinct: boolean.then_some(2), hottest_load, ..Self::default() };
        };
        let rows = rows as f64;
        let time = subject.table.column(column).is_some_and(|c| is_time(&c.type_name));
        let closed = !time && profile.distinct_exact && profile.distinct as f64 * ROWS_OF_A_CLOSED_SET < rows;
        Self {
            distinct: Some(profile.distinct),
            null_share: Some(profile.nulls as f64 / rows),
            hottest: Some(match profile.heavy.first() {
                Some(h) => h.count as f64 / rows,
                None => 1.0 / profile.distinct.max(1) as f64,
            }),
            hottest_load,
            concentration: Some(concentration(profile, rows)),
            monotonicity: Some(profile.monotonicity),
            growth: Some(if closed { 0.0 } else { profile.monotonicity.max(0.0) }),
        }
    }
}

/// Rows per value above which counted values are a closed set. Assumed: a growing key has one row a value, or a few.
const ROWS_OF_A_CLOSED_SET: f64 = 10.0;

/// Look-ups below which nothing is concluded from their values. Assumed.
const ENOUGH_LOOK_UPS: f64 = 100.0;

/// The share of the look-ups that the hottest value has at least, with 97.5 % certainty: a few look-ups of many values
/// always have a hottest one, which means nothing. The lower bound of Wilson (1927) with two deviations.
fn surely(load: &ColumnLoad) -> Option<f64> {
    let n = load.seen;
    if n < ENOUGH_LOOK_UPS {
        return None;
    }
    let (share, z) = ((load.hottest / n).min(1.0), 2.0);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    Some(((share + z * z / (2.0 * n) - spread) / (1.0 + z * z / n)).max(0.0))
}

fn concentration(profile: &ColumnProfile, rows: f64) -> f64 {
    let square = |count: f64| (count / rows) * (count / rows);
    let heavy: f64 = profile.heavy.iter().map(|h| square(h.count as f64)).sum();
    let listed: f64 = profile.heavy.iter().map(|h| h.count as f64).sum();
    let others = profile.distinct.saturating_sub(profile.heavy.len() as u64) as f64;
    let rest = (rows - profile.nulls as f64 - listed).max(0.0);
    let spread = if others > 0.0 { square(rest) / others } else { 0.0 };
    heavy + spread + square(profile.nulls as f64)
}

/// Dates and timestamps.
pub fn is_time(type_name: &str) -> bool {
    type_name == "date" || type_name.starts_with("timestamp")
}
