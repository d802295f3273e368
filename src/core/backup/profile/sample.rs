//! A sample of a column's values with their places, and what their order tells.
//!
//! Of all values offered, those with the smallest tickets are kept (bottom-k sampling); a ticket is a hash of the row's
//! number, so that the sample is uniform, the same in every run, and spread over the whole stream.

use super::order::ValueOrder;
use std::collections::BinaryHeap;

/// Values of a full sample: quantiles and correlation with a standard error near 1 % (1 / sqrt(8192)).
const VALUES: usize = 8192;
/// Memory that the samples of all columns may take, bytes. One kept value takes up to 300 with its place.
const MEMORY: usize = 128 << 20;
const VALUE_MEMORY: usize = 300;
/// Bounds of the quantiles at most: 128 parts of equal size, enough to cut a table into as many ranges.
const BOUNDS: u64 = 129;

/// Values to sample of each of `columns` columns.
pub(super) fn size(columns: usize) -> usize {
    (MEMORY / VALUE_MEMORY / columns.max(1)).min(VALUES)
}

#[derive(Debug)]
pub(super) struct Sample {
    size: usize,
    /// Largest ticket on top. Ticket, place, value.
    kept: BinaryHeap<(u64, u64, Box<[u8]>)>,
    /// A ticket must be below it to be kept.
    limit: u64,
}

/// A sampled value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Drawn {
    key: Vec<u8>,
    pub(super) value: String,
    place: u64,
}

impl Sample {
    pub(super) fn new(size: usize) -> Self {
        Self { size, kept: BinaryHeap::new(), limit: if size == 0 { 0 } else { u64::MAX } }
    }

    pub(super) fn offer(&mut self, ticket: u64, place: u64, value: &[u8]) {
        if ticket >= self.limit {
            return;
        }
        if self.kept.len() == self.size {
            self.kept.pop();
        }
        self.kept.push((ticket, place, value.into()));
        if self.kept.len() == self.size {
            self.limit = self.kept.peek().map_or(0, |(largest, ..)| *largest);
        }
    }

    /// The sample sorted by the value; values that are not of the order's form are left out.
    pub(super) fn in_order(self, order: ValueOrder) -> Vec<Drawn> {
        let drawn = |(_, place, value): (u64, u64, Box<[u8]>)| {
            Some(Drawn { key: order.key(&value)?, value: String::from_utf8(value.into_vec()).ok()?, place })
        };
        let mut drawn: Vec<Drawn> = self.kept.into_iter().filter_map(drawn).collect();
        drawn.sort_unstable();
        drawn
    }
}

/// Spearman's rank correlation of the values with their places: Pearson's of the ranks, equal values sharing their mean
/// rank. By ranks, because what matters is whether values grow, not how evenly. 0 where all are equal.
pub(super) fn rank_correlation(drawn: &[Drawn]) -> f64 {
    let mut pairs: Vec<(u64, f64)> = Vec::with_capacity(drawn.len());
    for equal in drawn.chunk_by(|a, b| a.key == b.key) {
        let rank = pairs.len() as f64 + (equal.len() - 1) as f64 / 2.0;
        pairs.extend(equal.iter().map(|d| (d.place, rank)));
    }
    pairs.sort_unstable_by_key(|&(place, _)| place);
    // Ranks from 0 to n - 1 have this mean, on both sides and with ties as well.
    let mean = (pairs.len() as f64 - 1.0) / 2.0;
    let (mut product, mut of_places, mut of_values) = (0.0, 0.0, 0.0);
    for (place, (_, rank)) in pairs.iter().enumerate() {
        let (x, y) = (place as f64 - mean, rank - mean);
        product += x * y;
        of_places += x * x;
        of_values += y * y;
    }
    if of_values > 0.0 { (product / (of_places * of_values).sqrt()).clamp(-1.0, 1.0) } else { 0.0 }
}

/// Bounds of parts with equally many values, of sorted values and their counts: the first is the least value, the last the
/// greatest, bound `i` of `n` the value at `i / (n - 1)` of all. A value that fills several parts is there several times.
pub(super) fn quantiles<'a>(sorted: impl Iterator<Item = (&'a str, u64)> + Clone) -> Vec<String> {
    let total: u64 = sorted.clone().map(|(_, count)| count).sum();
    let bounds = total.min(BOUNDS);
    let mut found = Vec::with_capacity(usize::try_from(bounds).unwrap_or_default());
    let mut seen = 0;
    for (value, count) in sorted {
        seen += count;
        loop {
            let bound = found.len() as u64;
            // In 128 bits, so that no count of rows is too large.
            let at = u128::from(bound) * u128::from(total - 1) / u128::from(bounds.max(2) - 1);
            if bound == bounds || at >= u128::from(seen) {
                break;
            }
            found.push(value.to_owned());
        }
    }
    found
}
