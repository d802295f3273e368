//! From bounds to one count.

use super::bounds::whole;
use crate::model::Method;
use crate::model::plan::{CountBound, CountDecision, Direction};
use crate::model::words::counted;

/// Gain in the fullest shard over the mean for which more shards are taken than asked for. Assumed.
const WORTH_A_SHARD: f64 = 0.1;

/// The largest lower bound, rounded up to a power of two under hash so that a shard (m, r) can later be split into
/// (2m, r) and (2m, r + m); under range and list any count up to twice that bound, the one with the evenest shards. Then
/// cut to the smallest upper bound. `forced` replaces all that. `skew_at` gives the fullest shard over the mean at a count.
pub fn decide(
    bounds: Vec<CountBound>,
    method: Method,
    forced: Option<u32>,
    skew_at: &dyn Fn(u32) -> Option<f64>,
) -> CountDecision {
    let lower =
        bounds.iter().filter(|b| b.direction == Direction::AtLeast).fold(None, |best: Option<&CountBound>, b| {
            if best.is_some_and(|old| old.value >= b.value) { best } else { Some(b) }
        });
    let upper =
        bounds.iter().filter(|b| b.direction == Direction::AtMost).fold(None, |best: Option<&CountBound>, b| {
            if best.is_some_and(|old| old.value <= b.value) { best } else { Some(b) }
        });
    if let Some(count) = forced {
        let mut because = format!("The config asks for {}.", counted(u64::from(count), "shard"));
        if let Some(b) = upper.filter(|b| f64::from(count) > b.value) {
            because += &format!(" The bound \"{}\" advises at most {}: {}.", b.name, b.value.floor(), b.because);
        }
        return CountDecision { count, bounds, decided_by: "config".to_owned(), because };
    }
    let asked = lower.map_or(1, |b| whole(b.value));
    let ceiling = upper.map_or(u32::MAX, |b| (b.value + 1e-9).floor().clamp(1.0, f64::from(u32::MAX)) as u32);
    let wished = if method == Method::Hash { asked.checked_next_power_of_two().unwrap_or(asked) } else { asked };
    let capped = wished > ceiling;
    let count = match method {
        Method::Hash if capped => 1 << ceiling.ilog2(),
        Method::Hash => wished,
        _ if capped => ceiling,
        _ => evenest(asked, ceiling.min(asked.saturating_mul(2)), skew_at),
    };
    let decider = if capped { upper } else { lower };
    let mut because = match decider {
        Some(b) => format!("\"{}\" decides: {}", b.name, b.because),
        None => "Nothing asks for more".to_owned(),
    };
    if let Some(b) = lower.filter(|_| capped) {
        because += &format!("; \"{}\" would ask for {asked}", b.name);
    } else if method == Method::Hash && count != asked {
        because += &format!("; {asked} is rounded up to {count}, a power of two, so that a shard can be split alone");
    } else if count != asked {
        because += &format!("; {count} rather than {asked}, since that makes the shards evener");
    }
    because.push('.');
    let decided_by = decider.map_or_else(|| "minimum".to_owned(), |b| b.name.clone());
    CountDecision { count, bounds, decided_by, because }
}

/// The decision for a table that stays one.
pub fn unsharded(bounds: Vec<CountBound>) -> CountDecision {
    CountDecision {
        count: 1,
        bounds,
        decided_by: "not sharded".to_owned(),
        because: "The table stays one plain table.".to_owned(),
    }
}

/// The count of `from..=to` with the least skew; the smaller of equals.
fn evenest(from: u32, to: u32, skew_at: &dyn Fn(u32) -> Option<f64>) -> u32 {
    let mut best = (from, f64::INFINITY);
    for count in from..=to.max(from) {
        if let Some(skew) = skew_at(count).filter(|s| *s < best.1 - WORTH_A_SHARD) {
            best = (count, skew);
        }
    }
    best.0
}
