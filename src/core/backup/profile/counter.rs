//! Distinct values and the most frequent ones, in one table of counters.
//!
//! Up to [`ColumnProfile::HEAVY_LIMIT`] different values, all are counted, exactly. Beyond, a HyperLogLog sketch takes over
//! the number of distinct values, and the counters become those of Misra and Gries in the form of Anderson et al. (A
//! High-Performance Algorithm for Identifying Frequent Items in Data Streams, 2017): when the table is full, the median
//! count is taken off every counter, and counters that reach zero make room. A value that is in the table is in the
//! sketch already, so that frequent values cost one look-up. Counters go by the value's hash; that two values share one is
//! less likely than a wrong bit in memory.

use crate::model::ColumnProfile;
use datasketches::hll::{HllSketch, HllType};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Counters at most: what a hash table of 4,096 slots takes. Counts then lack less than 1/1,792 of all values.
const COUNTERS: usize = 3584;
/// 2^14 registers of one byte: a standard error of 0.7 % (Flajolet et al. 2007, with the HIP estimator).
const LOG_REGISTERS: u8 = 14;

#[derive(Debug, Default)]
pub(super) struct Counter {
    counters: HashMap<u64, Count, BuildHasherDefault<AsIs>>,
    /// Taken off every count so far; None while nothing was.
    cut: u64,
    /// Sketch of all values' hashes; None while all values have a counter.
    distinct: Option<HllSketch>,
}

#[derive(Debug)]
struct Count {
    count: u64,
    /// None for a value too wide, or not seen a second time.
    text: Option<Box<[u8]>>,
}

pub(super) struct Counts {
    pub(super) distinct: u64,
    /// All values have a counter.
    pub(super) exact: bool,
    /// Most frequent first; see [`ColumnProfile::heavy`].
    pub(super) frequent: Vec<(String, u64)>,
}

impl Counter {
    /// Counts a value by its hash; `text` is the value, None where it is too wide to be kept.
    pub(super) fn count(&mut self, hash: u64, text: Option<&[u8]>) {
        if let Some(known) = self.counters.get_mut(&hash) {
            known.count += 1;
            if known.text.is_none() {
                known.text = text.map(Box::from);
            }
            return;
        }
        if self.distinct.is_none() && self.counters.len() == ColumnProfile::HEAVY_LIMIT {
            self.distinct = HllSketch::new(LOG_REGISTERS, HllType::Hll8).ok();
            self.distinct.iter_mut().for_each(|sketch| self.counters.keys().for_each(|&hash| sketch.update(hash)));
        }
        let mut first = Count { count: 1, text: None };
        match &mut self.distinct {
            // Most values of a column with many are never seen again: their text is not worth an allocation.
            Some(sketch) => sketch.update(hash),
            None => first.text = text.map(Box::from),
        }
        if self.counters.len() == COUNTERS {
            self.purge();
        }
        self.counters.insert(hash, first);
    }

    fn purge(&mut self) {
        let mut counts: Vec<u64> = self.counters.values().map(|c| c.count).collect();
        let middle = counts.len() / 2;
        let median = *counts.select_nth_unstable(middle).1;
        self.cut += median;
        self.counters.retain(|_, c| {
            c.count = c.count.saturating_sub(median);
            c.count > 0
        });
    }

    /// Distinct values so far.
    pub(super) fn distinct(&self) -> u64 {
        match &self.distinct {
            Some(sketch) => (sketch.estimate().round() as u64).max(ColumnProfile::HEAVY_LIMIT as u64 + 1),
            None => self.counters.len() as u64,
        }
    }

    pub(super) fn finish(self) -> Counts {
        let exact = self.distinct.is_none();
        let distinct = self.distinct();
        // A count that does not stand above what may have been taken off any value says nothing.
        let counts = self.counters.into_values().filter(|c| c.count > self.cut);
        let mut frequent: Vec<(String, u64)> =
            counts.filter_map(|c| Some((String::from_utf8(c.text?.into_vec()).ok()?, c.count))).collect();
        frequent.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        frequent.truncate(ColumnProfile::HEAVY_LIMIT);
        Counts { distinct, exact, frequent }
    }
}

/// The keys are hashes already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
