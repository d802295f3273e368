//! The origins of the past that a backtest looks from, the same for every step ahead.

use super::decomposition::Seasons;
use super::features::Now;
use super::history::History;
use super::scale::Scale;

/// Rows that a regression is fitted to: every second slot between these. Assumed: from forty for each coefficient, to what a
/// background worker has time for.
const ROWS: std::ops::RangeInclusive<usize> = 900..=2_048;
/// One row in how many the members are compared at: the ends of a 90 % interval then stand on a dozen errors each.
const COMPARED: usize = 4;
/// Days that the members are compared over. Assumed: every weekday four times, and not much older than the load of today.
const BACKTEST_DAYS: usize = 28;
/// How often seasons are taken apart anew within the backtest: the costliest part of it.
const SEASONS_REFITS: usize = 2;

#[derive(Debug)]
pub(super) struct Origins {
    pub(super) rows: Vec<Now>,
    /// For the rows that are compared: the latest of `seasons` then, with the level.
    levels: Vec<Option<(usize, f64)>>,
    seasons: Vec<Seasons>,
    /// First origin at which members are compared.
    pub(super) compared_from: usize,
    /// One row in how many is compared.
    pub(super) every: usize,
    pub(super) end: usize,
}

impl Origins {
    /// The seasons as row `i` knew them, with their level then.
    pub(super) fn seasons_at(&self, i: usize) -> Option<(&Seasons, f64)> {
        let (which, level) = self.levels.get(i).copied().flatten()?;
        Some((self.seasons.get(which)?, level))
    }
}

/// Origins spread over the history, never in step with a season.
pub(super) fn origins(history: &History<'_>, first: usize, end: usize, scale: Scale) -> Origins {
    let slots = end + 1 - first;
    let (day, week) = (history.day, history.week);
    let start = first
        + match slots {
            n if n >= 3 * week => week + day,
            n if n >= 4 * day => day,
            n => n / 4,
        };
    let span = end + 1 - start;
    let rows = (span / 2).clamp(*ROWS.start(), *ROWS.end()).min(span);
    let stride = span as f64 / rows.max(1) as f64;
    // The golden ratio's multiples are as even as can be and meet no period.
    let golden = 0.618_033_988_749_895;
    let mut found: Vec<usize> = (0..rows)
        .map(|i| start + ((i as f64 + (i as f64 * golden).fract()) * stride) as usize)
        .map(|origin| origin.min(end))
        .collect();
    found.dedup();
    let compared_from = (start + span / 3).max((end + 1).saturating_sub(BACKTEST_DAYS * day));
    let compared = found.iter().filter(|o| **o >= compared_from).count();
    let every = (compared * COMPARED / rows.max(1)).max(1);
    let refit_every = ((end + 1).saturating_sub(compared_from) / SEASONS_REFITS).max(1);
    let seasons: Vec<Seasons> = (0..SEASONS_REFITS)
        .filter_map(|i| Seasons::fit(history, first, compared_from + i * refit_every, scale))
        .collect();
    let level = |(i, origin): (usize, &usize)| {
        if *origin < compared_from || i % every != 0 {
            return None;
        }
        let which = seasons.iter().rposition(|s| s.until() <= *origin)?;
        Some((which, seasons.get(which)?.level(history, *origin, scale)))
    };
    let levels = found.iter().enumerate().map(level).collect();
    let rows = found.iter().map(|origin| Now::at(history, *origin)).collect();
    Origins { rows, levels, seasons, compared_from, every, end }
}
