//! What is kept of one column while its values pass, and the figures made of it.

use super::beyond::{Mark, Seen};
use super::counter::Counter;
use super::order::ValueOrder;
use super::sample::{Sample, quantiles, rank_correlation};
use crate::model::ColumnProfile;
use crate::model::profile::HeavyHitter;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of the widest value that is kept as text; a key worth sharding by is far shorter, and a btree index takes none
/// beyond 2,704.
const KEPT_BYTES: usize = 256;

#[derive(Debug)]
pub(super) struct ColumnSketch {
    name: String,
    order: ValueOrder,
    nulls: u64,
    values: u64,
    bytes: u64,
    max_width: usize,
    counter: Counter,
    sample: Sample,
    /// Hash of the value before, and how often a value was not the one before it.
    last: Option<u64>,
    runs: u64,
    /// The last two that were set, the later one first.
    marks: [Mark; 2],
}

impl ColumnSketch {
    pub(super) fn new(name: String, order: ValueOrder, sample: usize) -> Self {
        Self {
            name,
            order,
            nulls: 0,
            values: 0,
            bytes: 0,
            max_width: 0,
            counter: Counter::default(),
            sample: Sample::new(if order == ValueOrder::None { 0 } else { sample }),
            last: None,
            runs: 0,
            marks: [Mark::default(); 2],
        }
    }

    pub(super) fn null(&mut self) {
        self.nulls += 1;
    }

    /// Counts a value; `place` is the number of its row, `ticket` a hash of that.
    pub(super) fn value(&mut self, value: &[u8], place: u64, ticket: u64) {
        self.values += 1;
        self.bytes += value.len() as u64;
        self.max_width = self.max_width.max(value.len());
        let kept = (value.len() <= KEPT_BYTES).then_some(value);
        let hash = xxh3_64(value);
        self.counter.count(hash, kept);
        self.runs += u64::from(self.last != Some(hash));
        self.last = Some(hash);
        if let Some(value) = kept {
            self.sample.offer(ticket, place, value);
        }
    }

    /// Remembers how many values there are so far.
    pub(super) fn mark(&mut self) {
        let mark = Mark { values: self.values, distinct: self.counter.distinct().min(self.values) };
        let [later, _] = self.marks;
        self.marks = [mark, later];
    }

    /// What is needed to tell of the values that were not seen.
    pub(super) fn seen(&self) -> Seen {
        Seen { values: self.values, runs: self.runs, marks: self.marks }
    }

    pub(super) fn finish(self) -> ColumnProfile {
        let counts = self.counter.finish();
        let drawn = self.sample.in_order(self.order);
        let monotonicity = rank_correlation(&drawn);
        let quantiles = if counts.exact {
            let mut values: Vec<_> = counts
                .frequent
                .iter()
                .filter_map(|(value, count)| Some((self.order.key(value.as_bytes())?, value.as_str(), *count)))
                .collect();
            values.sort_unstable();
            quantiles(values.iter().map(|&(_, value, count)| (value, count)))
        } else {
            quantiles(drawn.iter().map(|drawn| (drawn.value.as_str(), 1)))
        };
        ColumnProfile {
            name: self.name,
            distinct: counts.distinct.min(self.values),
            distinct_exact: counts.exact,
            nulls: self.nulls,
            mean_width: if self.values == 0 { 0.0 } else { self.bytes as f64 / self.values as f64 },
            max_width: self.max_width as u64,
            heavy: counts.frequent.into_iter().map(|(value, count)| HeavyHitter { value, count }).collect(),
            monotonicity,
            quantiles,
        }
    }
}
