//! From bounds and costs to one count.

use super::bounds::whole;
use super::cost::{Costing, CountCost, MOST_OTHERS, lasts_until, slower};
use crate::model::Method;
use crate::model::plan::{CountBound, CountDecision, Direction};
use crate::model::words::{counted, round4};

/// Gain in the fullest shard over the mean for which more shards are taken than asked for. Assumed.
const WORTH_A_SHARD: f64 = 0.1;
/// Gain for which twice the shards are taken. Assumed: less is not seen in any measurement.
const WORTH_DOUBLING: f64 = 0.01;

/// The cheapest count between the largest lower and the smallest upper bound. Under hash it is a power of two, so that a
/// shard (m, r) can later be split into (2m, r) and (2m, r + m). Under range and list the count doubles from the lower bound,
/// and of those up to twice the cheapest the one with the evenest shards is taken. A table that is cut has two shards at
/// least. `forced` replaces all that.
pub fn decide(bounds: Vec<CountBound>, method: Method, forced: Option<u32>, costing: &Costing<'_>) -> CountDecision {
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
        return decision(count, bounds, "config", because, costing);
    }
    let asked = lower.map_or(1, |b| whole(b.value));
    let ceiling = upper.map_or(u32::MAX, |b| (b.value + 1e-9).floor().clamp(1.0, f64::from(u32::MAX)) as u32);
    let least = asked.max(2);
    let wished = if method == Method::Hash { least.checked_next_power_of_two().unwrap_or(least) } else { least };
    if wished > ceiling {
        let count = if method == Method::Hash { 1 << ceiling.ilog2() } else { ceiling };
        let (name, reason) = upper.map_or(("minimum", ""), |b| (b.name.as_str(), b.because.as_str()));
        let mut because = format!("\"{name}\" decides: {reason}");
        if let Some(b) = lower.filter(|_| asked > ceiling) {
            because += &format!("; \"{}\" would ask for {asked}", b.name);
        }
        let name = name.to_owned();
        return decision(count, bounds, &name, because + ".", costing);
    }
    let (cheapest, others) = cheapest(wished, ceiling, costing);
    let count = match method {
        Method::Hash => cheapest.count,
        _ => evenest(cheapest.count, ceiling.min(cheapest.count.saturating_mul(2)), costing.skew_at),
    };
    let (name, reason) = match lower {
        Some(b) if asked > 1 => (b.name.clone(), b.because.clone()),
        _ => ("minimum".to_owned(), "a table that is cut has two shards at least".to_owned()),
    };
    let by_cost = cheapest.count > wished;
    let mut because = if by_cost {
        format!("The cost decides, from {wished} on, for which \"{name}\" asks: {reason}")
    } else {
        format!("\"{name}\" decides: {reason}")
    };
    if method == Method::Hash && wished != least {
        because += &format!("; {least} is rounded up to {wished}, a power of two, so that a shard can be split alone");
    }
    if count != cheapest.count {
        because += &format!("; {count} rather than {}, since that makes the shards evener", cheapest.count);
    }
    for other in others.iter().filter_map(|o| o.against(&cheapest)) {
        because += &format!("; {other}");
    }
    let name = if by_cost { "cost".to_owned() } else { name };
    decision(count, bounds, &name, because + ".", costing)
}

/// The decision for a table that stays one.
pub fn unsharded(bounds: Vec<CountBound>, spreads: bool) -> CountDecision {
    let because = if spreads {
        "The table stays one plain table."
    } else {
        "The table stays one plain table: it fits one node, and there shards only cost. With more nodes, or a \"growth\" or \
         \"throughput\" in the config that asks for them, it would be cut."
    };
    CountDecision {
        count: 1,
        bounds,
        decided_by: "not sharded".to_owned(),
        because: because.to_owned(),
        lasts_until: None,
        slower: None,
    }
}

fn decision(count: u32, bounds: Vec<CountBound>, by: &str, because: String, costing: &Costing<'_>) -> CountDecision {
    let shards = f64::from(count) * f64::from(costing.each);
    let lasts_until = lasts_until(costing.demand, shards, (costing.skew_at)(count)).map(round4);
    let slower = Some(round4(slower(&(costing.work_at)(count), shards, costing.demand.spreads)));
    CountDecision { count, bounds, decided_by: by.to_owned(), because, lasts_until, slower }
}

/// The cheapest count of `from`, twice that, and so on up to `to`, with its neighbours among these. More shards are taken
/// only where they gain something that can be seen.
fn cheapest(from: u32, to: u32, costing: &Costing<'_>) -> (CountCost, Vec<CountCost>) {
    let mut tried = vec![CountCost::of(costing, from)];
    let mut best = 0;
    let mut next = from.checked_mul(2).filter(|n| *n <= to);
    while let Some(count) = next {
        let cost = CountCost::of(costing, count);
        let least = tried.get(best).map_or(f64::INFINITY, CountCost::sum);
        if cost.sum() < least - WORTH_DOUBLING * (1.0 + least) {
            best = tried.len();
        }
        // What grows by so much is not made up for by anything else.
        let hopeless = cost.parts.first().is_some_and(|time| time.1 > least + MOST_OTHERS);
        tried.push(cost);
        next = count.checked_mul(2).filter(|n| *n <= to && !hopeless);
    }
    let others = tried.iter().enumerate().filter(|(at, _)| at.abs_diff(best) == 1).map(|(_, c)| c.clone()).collect();
    let chosen = tried.swap_remove(best);
    (chosen, others)
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
