//! Raw samples to a [`Series`]: sorted, cleaned, averaged onto an even grid, gaps filled and marked. Every repair is counted,
//! so that a plan can say what its history was worth; what cannot be repaired is an error that says what to change.

use super::grid::{chosen_interval, filled};
use super::series::{MAX_LOAD, Series, check_interval};
use crate::model::Problem;
use serde::{Deserialize, Serialize};

/// A hole longer than this splits a history in two, of which one is used: a clock that jumped, or another life of the
/// system. Assumed: four weeks without one sample say more of the sampling than of the load.
const ERA_SECONDS: i64 = 28 * 86_400;
/// Share of the samples that a later era needs to be believed; less is a clock that jumped. Assumed.
const ERA_SHARE: f64 = 0.1;
/// Share of the samples that must be loads at all. Assumed: below, the column is something else.
const USABLE_SHARE: f64 = 0.5;
/// Slots of a series, at most: a year of minutes. More is the interval's fault.
const MAX_SLOTS: i64 = 525_600;

/// What was done to the samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repairs {
    pub received: usize,
    pub not_numbers: usize,
    pub negative: usize,
    pub out_of_order: usize,
    pub repeated: usize,
    /// Samples of another era: before a hole of weeks, or after a jump of the clock.
    pub far_away: usize,
    /// Samples that shared a slot with others.
    pub averaged: usize,
    /// Slots without a sample.
    pub filled: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Regular {
    pub series: Series,
    pub repairs: Repairs,
}

/// Samples (unix time in seconds, load) to a series; without an interval, one that most samples keep to.
pub fn regularise(samples: &[(i64, f64)], interval_seconds: Option<i64>) -> Result<Regular, Problem> {
    if let Some(interval) = interval_seconds {
        check_interval(interval)?;
    }
    let mut repairs = Repairs { received: samples.len(), ..Repairs::default() };
    let usable = usable(samples, &mut repairs)?;
    let sorted = sorted(usable, &mut repairs);
    let era = era(&sorted, &mut repairs);
    let interval = interval_seconds.unwrap_or_else(|| chosen_interval(era));
    let start = era.first().map_or(0, |(time, _)| time.div_euclid(interval).saturating_mul(interval));
    let span = era.last().map_or(0, |(time, _)| time.saturating_sub(start));
    if span / interval >= MAX_SLOTS {
        return Err(Problem::new("54000", "the load history has too many slots")
            .detail(format!("{span} seconds at an interval of {interval} seconds are more than {MAX_SLOTS} slots."))
            .hint("Use a longer interval, or pass the last weeks only."));
    }
    let slots = usize::try_from(span / interval).unwrap_or(0) + 1;
    let mut sums = vec![(0.0, 0usize); slots];
    for (time, value) in era {
        let slot = usize::try_from((time - start) / interval).unwrap_or(0);
        if let Some((sum, count)) = sums.get_mut(slot) {
            *sum += value;
            *count += 1;
        }
    }
    let means: Vec<Option<f64>> = sums.iter().map(|(sum, count)| (*count > 0).then(|| sum / *count as f64)).collect();
    repairs.averaged = sums.iter().map(|(_, count)| count.saturating_sub(1)).sum();
    repairs.filled = means.iter().filter(|m| m.is_none()).count();
    let measured = means.iter().map(Option::is_some).collect();
    Ok(Regular { series: Series::with_gaps(start, interval, filled(&means, interval), measured)?, repairs })
}

fn usable(samples: &[(i64, f64)], repairs: &mut Repairs) -> Result<Vec<(i64, f64)>, Problem> {
    repairs.not_numbers = samples.iter().filter(|(_, v)| v.is_nan() || *v > MAX_LOAD).count();
    repairs.negative = samples.iter().filter(|(_, v)| *v < 0.0).count();
    let found: Vec<(i64, f64)> = samples.iter().copied().filter(|(_, v)| (0.0..=MAX_LOAD).contains(v)).collect();
    if !samples.is_empty() && (found.len() as f64) < samples.len() as f64 * USABLE_SHARE {
        return Err(Problem::new("22023", "the load history is mostly not loads")
            .detail(format!(
                "Of {} values, {} are not numbers and {} are negative.",
                samples.len(),
                repairs.not_numbers,
                repairs.negative
            ))
            .hint("Name a column of loads: numbers from zero up, such as statements per second."));
    }
    if found.is_empty() {
        return Err(Problem::new("22023", "the load history is empty")
            .detail("A forecast needs at least one measured value.")
            .hint("Name a relation that holds samples, or let the monitor collect some first."));
    }
    Ok(found)
}

/// By time; of samples of one time the one that came last.
fn sorted(mut samples: Vec<(i64, f64)>, repairs: &mut Repairs) -> Vec<(i64, f64)> {
    let mut latest = i64::MIN;
    for (time, _) in &samples {
        repairs.out_of_order += usize::from(*time < latest);
        latest = latest.max(*time);
    }
    samples.sort_by_key(|(time, _)| *time);
    let mut kept: Vec<(i64, f64)> = Vec::with_capacity(samples.len());
    for sample in samples {
        match kept.last_mut() {
            Some(before) if before.0 == sample.0 => {
                *before = sample;
                repairs.repeated += 1;
            }
            _ => kept.push(sample),
        }
    }
    kept
}

/// The latest stretch without a hole of weeks that holds more than stray samples.
fn era<'a>(samples: &'a [(i64, f64)], repairs: &mut Repairs) -> &'a [(i64, f64)] {
    let near = |a: &(i64, f64), b: &(i64, f64)| b.0.saturating_sub(a.0) <= ERA_SECONDS;
    let enough = |era: &&[(i64, f64)]| era.len() as f64 >= samples.len() as f64 * ERA_SHARE;
    let eras = || samples.chunk_by(near);
    let longest = || eras().max_by_key(|era| era.len());
    let chosen = eras().rfind(enough).or_else(longest).unwrap_or_default();
    repairs.far_away = samples.len() - chosen.len();
    chosen
}

impl Repairs {
    /// What a plan says of its history; nothing when nothing was repaired.
    pub fn notes(&self) -> Vec<String> {
        let of = self.received;
        let notes = [
            (self.not_numbers, "samples were not numbers and are left out"),
            (self.negative, "samples were negative and are left out"),
            (self.out_of_order, "samples came out of order and are sorted"),
            (self.repeated, "samples repeated a time; the last of each time counts"),
            (
                self.far_away,
                "samples lie weeks away from the others (a clock that jumped, or a long pause) and are left out",
            ),
            (self.averaged, "samples shared a slot and are averaged"),
        ];
        let mut told: Vec<String> = notes
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} of {of} {what}"))
            .collect();
        if self.filled > 0 {
            told.push(format!("{} slots had no sample; they are filled and no error is measured there", self.filled));
        }
        told
    }
}
