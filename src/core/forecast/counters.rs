//! Successive copies of cumulative counters, as pg_stat_statements keeps them, to loads; and from rates to concurrency.

use super::series::DAY_SECONDS;
use crate::model::Problem;

/// One copy of a counter pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CounterCopy {
    /// Unix time in seconds.
    pub time: i64,
    pub calls: f64,
    pub total_milliseconds: f64,
}

/// Loads between successive copies, stamped with the time of the earlier one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    pub calls_per_second: Vec<(i64, f64)>,
    /// Only where there were calls.
    pub mean_milliseconds: Vec<(i64, f64)>,
    /// Statements at work at a time.
    pub concurrency: Vec<(i64, f64)>,
    /// How often a counter fell: a reset, a restart, an entry that was evicted and came back.
    pub resets: usize,
    /// Pairs of copies that say nothing: no time between them, more than a day, or no numbers.
    pub skipped: usize,
}

/// Copies in the order in which they were made. After a reset the counters have counted from zero, so that the new values
/// are what was added: at least that much happened.
pub fn rates(copies: &[CounterCopy]) -> Result<Rates, Problem> {
    if copies.len() < 2 {
        return Err(Problem::new("22023", "one copy of the counters tells no rate")
            .detail(format!("Rates are differences between copies; there are {}.", copies.len()))
            .hint("Copy the counters again after some minutes, and regularly from then on."));
    }
    let mut rates = Rates::default();
    for pair in copies.windows(2) {
        let [from, to] = pair else { continue };
        let seconds = to.time.saturating_sub(from.time);
        let numbers = [from.calls, from.total_milliseconds, to.calls, to.total_milliseconds];
        if !(1..=DAY_SECONDS).contains(&seconds) || numbers.iter().any(|n| !n.is_finite() || *n < 0.0) {
            rates.skipped += 1;
            continue;
        }
        let reset = to.calls < from.calls || to.total_milliseconds < from.total_milliseconds;
        rates.resets += usize::from(reset);
        let base = if reset { (0.0, 0.0) } else { (from.calls, from.total_milliseconds) };
        let (calls, milliseconds) = (to.calls - base.0, to.total_milliseconds - base.1);
        let per_second = calls / seconds as f64;
        rates.calls_per_second.push((from.time, per_second));
        let mean = if calls > 0.0 { milliseconds / calls } else { 0.0 };
        if calls > 0.0 {
            rates.mean_milliseconds.push((from.time, mean));
        }
        rates.concurrency.push((from.time, concurrency(per_second, mean)));
    }
    Ok(rates)
}

/// Little's law: how many are at work at a time is how many arrive times how long each stays.
pub fn concurrency(arrivals_per_second: f64, mean_milliseconds: f64) -> f64 {
    arrivals_per_second * mean_milliseconds / 1_000.0
}
