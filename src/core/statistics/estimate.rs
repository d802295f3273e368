//! From what a sample shows to the whole table: how many values there are, and which of them are common for certain.

/// Share of the rows above which a number of values is taken to grow with them (`compute_scalar_stats`).
const GROWING: f64 = 0.1;

/// What a sample shows of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Rows of the sample, and of the table.
    pub(super) sampled: f64,
    pub(super) rows: f64,
    pub(super) nulls: f64,
    /// Values too wide to be looked at, taken to be all different.
    pub(super) wide: f64,
    /// Different values among the others, and those of them that are there more than once.
    pub(super) distinct: f64,
    pub(super) repeated: f64,
}

/// Different values of the whole table as `stadistinct` has them: a number, or a share of the rows with a minus. Haas and Stokes,
/// IBM Research Report RJ 10025: their estimator Duj1. Rounded to an f32 wherever the server does.
pub(super) fn distinct(seen: &Seen, null_fraction: f32) -> f32 {
    let there = 1.0 - f64::from(null_fraction);
    let found = if seen.repeated == 0.0 {
        -there as f32
    } else if seen.wide == 0.0 && seen.repeated == seen.distinct {
        seen.distinct as f32
    } else {
        let once = seen.distinct - seen.repeated + seen.wide;
        let different = once + seen.repeated;
        let (sampled, all) = (seen.sampled - seen.nulls, seen.rows * there);
        let estimate = if all > 0.0 { sampled * different / (sampled - once + once * sampled / all) } else { 0.0 };
        (estimate.max(different).min(all) + 0.5).floor() as f32
    };
    if f64::from(found) > GROWING * seen.rows { (-(f64::from(found) / seen.rows)) as f32 } else { found }
}

/// How many of the most common values, counted in the sample from the most common on, are more common than those that are not kept
/// (`analyze_mcv_list`): by two standard deviations of a hypergeometric distribution, and a half.
pub(super) fn certain(counts: &[u32], distinct: f32, null_fraction: f32, sampled: f64, rows: f64) -> usize {
    if sampled == rows || rows <= 1.0 {
        return counts.len();
    }
    let distinct = f64::from(distinct);
    let distinct = if distinct < 0.0 { -distinct * rows } else { distinct };
    let mut before: f64 = counts.iter().rev().skip(1).map(|count| f64::from(*count)).sum();
    for (kept, count) in (0..counts.len()).zip(counts).rev() {
        // The share that each of the others would have, were this value one of them.
        let rest = (1.0 - before / sampled - f64::from(null_fraction)).clamp(0.0, 1.0);
        let others = distinct - kept as f64;
        let share = if others > 1.0 { rest / others } else { rest };
        let count = f64::from(*count);
        let total = rows * count / sampled;
        let variance = sampled * total * (rows - total) * (rows - sampled) / (rows * rows * (rows - 1.0));
        if count > share * sampled + 2.0 * variance.sqrt() + 0.5 {
            return kept + 1;
        }
        before -= kept.checked_sub(1).and_then(|n| counts.get(n)).map_or(0.0, |count| f64::from(*count));
    }
    0
}
