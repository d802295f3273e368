//! How uneven the shards will be.

use super::subject::Subject;
use super::values::KeyValues;
use super::{HashShares, candidates, split};
use crate::model::Method;

/// Rows of the fullest shard over the mean, at `count` shards; None where no profile tells. From the shards themselves
/// where the values are known, else for a hash [`expected_hash_skew`].
pub fn skew(subject: &Subject<'_>, key: &[String], method: Method, count: u32, exact: &HashShares<'_>) -> Option<f64> {
    if count <= 1 {
        return Some(1.0);
    }
    if method == Method::Hash {
        let column = if let [one] = key { subject.table.column(one) } else { None };
        let profile = column.and_then(|c| subject.profile?.column(&c.name));
        if let Some((column, profile)) = column.zip(profile)
            && let Some(shares) = candidates::exact_shares(profile, &column.type_name, count, exact)
        {
            return Some(shares.iter().copied().fold(0.0, f64::max) * f64::from(count));
        }
        return expected_hash_skew(&KeyValues::of(subject, key), count);
    }
    candidates::pieces(subject, key, method, count, exact).map(|pieces| split::skew(&pieces))
}

/// The larger of two expectations. Values thrown into `n` shards at random: each shard's share has mean 1/n and variance
/// c (1/n)(1 - 1/n), where c is the sum of the squared shares of the values, and the largest of n normal variables lies
/// Φ⁻¹((n - 3/8) / (n + 1/4)) deviations above the mean (Blom 1958). And the most frequent value with its part of the
/// rest beside it. For 100 equal values on 16 shards this gives 1.68, and PostgreSQL's hash 1.68 (measured).
pub(super) fn expected_hash_skew(values: &KeyValues, count: u32) -> Option<f64> {
    let n = f64::from(count);
    let deviation = (values.concentration? * (1.0 / n) * (1.0 - 1.0 / n)).sqrt();
    let spread = 1.0 + n * deviation * normal_quantile((n - 0.375) / (n + 0.25));
    let largest = values.largest_group()?;
    Some(spread.max(n * largest + 1.0 - largest).min(n))
}

/// Look-ups of the busiest shard over the mean: those of the hottest value, with its part of the rest beside it.
pub(super) fn load_skew(hottest: Option<f64>, count: u32) -> Option<f64> {
    let n = f64::from(count);
    Some((n * hottest? + 1.0 - hottest?).clamp(1.0, n.max(1.0)))
}

/// Φ⁻¹(p) for 0.5 < p < 1, to 4.5e-4 (Abramowitz and Stegun, 26.2.23).
fn normal_quantile(p: f64) -> f64 {
    let t = (-2.0 * (1.0 - p).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_equal_values_on_sixteen_shards() {
        let values = KeyValues { concentration: Some(0.01), hottest: Some(0.01), ..KeyValues::default() };
        let skew = expected_hash_skew(&values, 16).unwrap();
        assert!((skew - 1.68).abs() < 0.01, "{skew}");
    }

    #[test]
    fn a_value_with_half_of_the_rows_fills_one_of_four_shards() {
        let values = KeyValues { concentration: Some(0.25), hottest: Some(0.5), ..KeyValues::default() };
        assert_eq!(expected_hash_skew(&values, 4), Some(2.5));
    }
}
