//! From the first rows of a table to all of them.
//!
//! Rows, bytes and NULLs grow with the rows. How many distinct values there are cannot be told from their number alone: it is
//! read off their growth, from an earlier place in the sample to its end. Two kinds of columns are told apart by their runs, for
//! the first rows of a dump are no random ones:
//!
//! * Values that come back again and again are taken as drawn at random, by the two-parameter model of Pitman (1995), whose
//!   expected number of distinct values among n is θ/σ ((1 + n/θ)^σ - 1) for large n. It has no value again (σ = 1), the power
//!   law of Heaps (1978, 0 < σ < 1) and a closed set of equal values (σ → -∞) in one family; its two parameters are fitted to the
//!   number at both places (as Lijoi, Mena and Prünster, 2007, predict new species from a first sample).
//! * Values that come in runs and do not come back, be it in runs of one row, go on so: twice the rows have twice the values.
//!   Where only a few were seen, as of a table written tenant by tenant, nothing can be told of the others.

use crate::model::{ColumnProfile, TableProfile};

/// Runs over distinct values up to which values do not come back: what a sketch of distinct values may be off by (four standard
/// errors of 0.7 %).
const COME_BACK: f64 = 1.03;
/// Distinct values from which their pace in a run-by-run column can be told: its deviation is then 10 %, if runs are as long as
/// chance has it.
const ENOUGH_RUNS: u64 = 100;
/// Where the growth is read from: a place at most this far into the sample.
const EARLY: f64 = 0.75;
/// What the share of the values that came before a place may be off by, from the sketch. Of the curves that it allows the
/// flattest is taken: to expect too few values makes for caution about even shards.
const OFF: f64 = 1.01;
/// σ at its least: a closed set of equal values, within a thousandth.
const CLOSED: f64 = -1e3;
/// Halvings of an interval: to the end of a double's digits.
const HALVINGS: usize = 60;

/// How many values there were at one place of the sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    pub values: u64,
    pub distinct: u64,
}

/// What the sample showed of one column beside its profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    pub values: u64,
    /// Runs of equal values.
    pub runs: u64,
    /// Two earlier places, the later one first.
    pub marks: [Mark; 2],
}

/// The profile of all rows as the first ones let expect it. Quantiles are still those of the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    pub profile: TableProfile,
    /// Columns whose other values, and how often they occur, the first rows do not tell.
    pub untold: Vec<String>,
}

impl Sampled {
    /// The profile for a planner that sees no other: without the quantiles of columns that have more values than were seen, so
    /// that nothing is cut where only the first rows are.
    pub fn alone(mut self) -> TableProfile {
        self.profile.columns.iter_mut().filter(|c| !c.distinct_exact).for_each(|c| c.quantiles.clear());
        self.profile
    }
}

/// `times`: all rows over those seen, at least 1.
pub(super) fn extrapolate(mut profile: TableProfile, seen: &[Seen], times: f64) -> Sampled {
    let times = times.max(1.0);
    profile.rows = scaled(profile.rows, times);
    profile.text_bytes = scaled(profile.text_bytes, times);
    let told = |(column, seen): (&mut ColumnProfile, &Seen)| go_on(column, *seen, times);
    let told: Vec<bool> = profile.columns.iter_mut().zip(seen).map(told).collect();
    let untold = profile.columns.iter().zip(told).filter(|(_, told)| !told);
    let untold = untold.map(|(column, _)| column.name.clone()).collect();
    Sampled { profile, untold }
}

fn scaled(n: u64, times: f64) -> u64 {
    (n as f64 * times).round() as u64
}

/// Changes the column to what all rows have; false where that cannot be told.
fn go_on(column: &mut ColumnProfile, seen: Seen, times: f64) -> bool {
    column.nulls = scaled(column.nulls, times);
    if seen.values == 0 {
        return true;
    }
    let now = Mark { values: seen.values, distinct: column.distinct };
    let early = |mark: &&Mark| mark.values as f64 <= seen.values as f64 * EARLY;
    let before = seen.marks.iter().find(early).copied().unwrap_or_default();
    if seen.runs as f64 <= column.distinct as f64 * COME_BACK && column.distinct > 1 {
        // What has passed does not come back, so that its count is final.
        column.distinct = scaled(column.distinct, times);
        column.distinct_exact = false;
        return now.distinct >= ENOUGH_RUNS;
    }
    column.heavy.iter_mut().for_each(|h| h.count = scaled(h.count, times));
    column.distinct = distinct(before, now, times);
    column.distinct_exact &= before.distinct == now.distinct;
    now.distinct > 1
}

/// Distinct values among `times` as many, by their growth between two places; see the head of this file.
pub fn distinct(before: Mark, now: Mark, times: f64) -> u64 {
    let (values, known) = (now.values as f64, now.distinct as f64);
    let part = before.values as f64 / values;
    let grown = before.distinct as f64 / known;
    let linear = scaled(now.distinct, times);
    if now.distinct == 0 || now.distinct == before.distinct {
        return now.distinct;
    }
    if grown <= part || known >= values / COME_BACK {
        return linear;
    }
    let curve = |sigma: f64| Curve::through(sigma, known / values);
    // The flatter the curve (the smaller σ), the more of it lies before the earlier place.
    let sigma = bisect(CLOSED, 1.0, |sigma| curve(sigma).ratio(part) > grown * OFF);
    let all = known * curve(sigma).ratio(times);
    (all.round() as u64).clamp(now.distinct, linear)
}

/// Where a condition that holds up to some place ceases to.
fn bisect(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

/// The expected number of distinct values by σ and t = n / θ at the end of the sample. In logarithms, for t may have hundreds
/// of digits where σ is near 1.
#[derive(Debug, Clone, Copy)]
struct Curve {
    sigma: f64,
    ln_t: f64,
}

impl Curve {
    /// ln of the largest t looked at: beyond, the curve is the power law in all digits.
    const MOST: f64 = 1e6;
    const LEAST: f64 = -50.0;

    /// With `share` distinct values per value at the end of the sample.
    fn through(sigma: f64, share: f64) -> Self {
        // Distinct values per value, (((1 + t)^σ - 1) / σ) / t, fall as t grows.
        let at = |ln_t: f64| Self { sigma, ln_t };
        at(bisect(Self::LEAST, Self::MOST, |ln_t| at(ln_t).ln_distinct(ln_t) - ln_t > share.ln()))
    }

    /// ln of ((1 + t)^σ - 1) / σ.
    fn ln_distinct(self, ln_t: f64) -> f64 {
        // ln (1 + t)
        let length = if ln_t > 40.0 { ln_t } else { ln_t.exp().ln_1p() };
        let power = self.sigma * length;
        match power {
            // The 1 is lost beside the power.
            p if p > 40.0 => p - self.sigma.ln(),
            p if p.abs() < 1e-12 => length.ln(),
            p => (p.exp_m1() / self.sigma).ln(),
        }
    }

    /// Distinct values among `times` as many, over those of the sample.
    fn ratio(self, times: f64) -> f64 {
        (self.ln_distinct(self.ln_t + times.ln()) - self.ln_distinct(self.ln_t)).exp()
    }
}
