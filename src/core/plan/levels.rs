//! Two levels: a key by which rows are found and, within or around it, ranges of another by which they are limited or thrown
//! away.
//!
//! Such options are made only where the log speaks for both keys (or the config asks for them), and compete with all others
//! by the same objective: each statement visits the shards that the second level leaves of each part that the first leaves.

use super::PlanInput;
use super::options::{Scored, agrees, is_possible, limits_of, makes};
use crate::count::{CoLocated, Costing, PERIODS, decide, family_bound, key_bounds, per_part};
use crate::key::{
    Cut, Cutting, HashShares, Level, Setting, Subject, assess, candidates, demanded, methods, skew, work,
};
use crate::model::config::WithinConfig;
use crate::model::layout::spreads_more;
use crate::model::plan::{CountBound, CountDecision, Within};
use crate::model::words::list;
use crate::model::{Config, KeyColumns, Method};
use std::collections::BTreeMap;

/// What options are made from.
pub(super) struct World<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) input: &'a PlanInput<'a>,
    pub(super) bounds: &'a [CountBound],
    pub(super) beside: &'a BTreeMap<KeyColumns, CoLocated>,
    pub(super) demand: &'a crate::count::Demand,
    pub(super) setting: &'a Setting<'a>,
    pub(super) exact: &'a HashShares<'a>,
}

/// A key with a way to cut it.
type Way = (KeyColumns, Method);

/// The options of two levels: of each pair of keys the cheapest way.
pub(super) fn of_target(world: &World<'_>) -> Vec<Scored> {
    let config = world.input.config;
    let pairs: Vec<Vec<(Way, Way)>> = match &config.within {
        Some(within) => forced(world, within),
        // A key or a method that is asked for is meant alone.
        None if config.shard_key.is_some() || config.method.is_some() => Vec::new(),
        None => wanted(world),
    };
    let cheapest = |ways: Vec<(Way, Way)>| {
        let scored = ways.into_iter().filter_map(|(first, second)| option(world, first, second));
        scored.min_by(|a, b| {
            let rejected = |s: &Scored| s.candidate.rejected.is_some();
            rejected(a).cmp(&rejected(b)).then(a.candidate.cost.total_cmp(&b.candidate.cost))
        })
    };
    pairs.into_iter().filter_map(cheapest).collect()
}

/// The pairs that the log speaks for, each with both orders.
fn wanted(world: &World<'_>) -> Vec<Vec<(Way, Way)>> {
    let pairs = demanded(world.subject);
    let ways = |(found, limited): (KeyColumns, KeyColumns)| {
        let spread = methods(world.subject, &found).into_iter().filter(|m| matches!(m, Method::Hash | Method::List));
        let both = |m: Method| {
            let (spread, range) = ((found.clone(), m), (limited.clone(), Method::Range));
            [(spread.clone(), range.clone()), (range, spread)]
        };
        spread.flat_map(both).collect()
    };
    pairs.into_iter().map(ways).collect()
}

/// What the config asks for, with the planner's choice for what it leaves open.
fn forced(world: &World<'_>, within: &WithinConfig) -> Vec<Vec<(Way, Way)>> {
    let config = world.input.config;
    let second = KeyColumns::from_iter(within.shard_key.iter().cloned());
    let keys = match &config.shard_key {
        Some(key) => vec![KeyColumns::from_iter(key.iter().cloned())],
        None => candidates(world.subject, true).into_iter().filter(|k| k.len() == 1).collect(),
    };
    let apart = |key: &KeyColumns| !key.iter().any(|c| second.contains(c));
    let possible = |key: &KeyColumns, asked: Option<Method>| -> Vec<Method> {
        let mut ways = methods(world.subject, key);
        ways.extend(asked.filter(|m| !ways.contains(m) && is_possible(world.subject, key, *m)));
        ways.retain(|m| asked.is_none_or(|a| a == *m));
        ways
    };
    let method = method_within(config, within);
    let ways = |key: KeyColumns| {
        let mut out = Vec::new();
        // Ranges of ranges only where they are named.
        let named = config.method.is_some() || method != Method::Range;
        for first in possible(&key, config.method).into_iter().filter(|m| named || *m != Method::Range) {
            let second = possible(&second, Some(method)).into_iter().map(|m| (second.clone(), m));
            out.extend(second.map(|second| ((key.clone(), first), second)));
        }
        out
    };
    keys.into_iter().filter(apart).map(ways).collect()
}

/// The method of a second level, also where it is named without one.
pub(super) fn method_within(config: &Config, within: &WithinConfig) -> Method {
    let usual = if config.method == Some(Method::Range) { Method::Hash } else { Method::Range };
    within.method.unwrap_or(usual)
}

/// Parts that so many shards can be made of, where nothing says how many.
pub(super) fn can_be_parts(shards: u32) -> bool {
    periods_of(shards).is_some()
}

fn periods_of(shards: u32) -> Option<u32> {
    (2..=PERIODS).rev().find(|n| shards.is_multiple_of(*n) && shards / n >= 2)
}

/// Counts of the first and of the second level as the config fixes them; None where it leaves one open.
fn asked(config: &Config, second_spreads: bool) -> Option<(Option<u32>, Option<u32>)> {
    let each = config.within.as_ref().and_then(|w| w.shard_count);
    Some(match (config.shard_count, each) {
        (Some(all), Some(each)) => (Some(all / each), Some(each)),
        (Some(all), None) => {
            let periods = periods_of(all)?;
            if second_spreads { (Some(periods), Some(all / periods)) } else { (Some(all / periods), Some(periods)) }
        }
        (None, each) => (None, each),
    })
}

fn option(world: &World<'_>, first: Way, second: Way) -> Option<Scored> {
    let World { subject, input, exact, .. } = *world;
    let second_spreads = spreads_more(second.1, first.1);
    let (first_count, second_count) = asked(input.config, second_spreads)?;
    let (spread, periods) = if second_spreads { (&second, &first) } else { (&first, &second) };
    let (spread_count, period_count) =
        if second_spreads { (second_count, first_count) } else { (first_count, second_count) };

    let most = super::options::pieces(subject, &periods.0, periods.1).unwrap_or(u32::MAX);
    let period_count = period_count.unwrap_or(PERIODS.min(most));
    let family = world.beside.get(&spread.0).and_then(|other| family_bound(world.demand, other));
    let bounds: Vec<CountBound> = world.bounds.iter().cloned().chain(family).collect();
    let bounds = per_part(bounds, period_count).into_iter().chain(key_bounds(&limits_of(subject, &spread.0, spread.1)));
    let work_at = |count: u32| {
        let spread = Level { key: &spread.0, method: spread.1, count };
        work(subject, &[spread, Level { key: &periods.0, method: periods.1, count: period_count }])
    };
    let skew_at = |count: u32| skew(subject, &spread.0, spread.1, count, exact);
    let costing = Costing { demand: world.demand, work_at: &work_at, skew_at: &skew_at, each: period_count };
    let decision = decide(bounds.collect(), spread.1, spread_count, &costing);
    let made = |(key, method): &Way, count: u32| count > 1 && makes(subject, key, *method, Some(count));
    if !made(spread, decision.count) || !made(periods, period_count) {
        return None;
    }
    let even = |(key, method): &Way, count: u32| skew(subject, key, *method, count, exact);
    let skew = even(spread, decision.count).map(|s| s * even(periods, period_count).unwrap_or(1.0));
    let (first_count, second_count) =
        if second_spreads { (period_count, decision.count) } else { (decision.count, period_count) };
    let cutting = Cutting {
        cut: Cut { method: first.1, count: first_count, skew },
        key: first.0.clone(),
        within: Some(Within { method: second.1, key: second.0.clone(), count: second_count }),
    };
    let candidate = assess(subject, &cutting, world.setting);
    let because = format!(
        "{} by {} on {}, times {} by {} on {}: {}",
        decision.count,
        spread.1.name(),
        list(&spread.0, 4),
        period_count,
        periods.1.name(),
        list(&periods.0, 4),
        decision.because
    );
    let count = CountDecision { count: cutting.shards(), because, ..decision };
    Some(Scored { candidate, count, like: None, agreed: agrees(subject, &spread.0, spread.1) })
}
