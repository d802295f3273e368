//! What sampled statements tell of a table's shard key: the values that carry its load, and whether new ones always increase.
//!
//! Plain data of a fixed size, so that all processes of a server can share it.

use super::sketch::{Entry, Sketch};
use std::collections::BTreeMap;

/// Values that are kept of a table. Assumed: each with more than a hundredth of the load is among them.
const VALUES: usize = 128;
const SHARDS: usize = 128;
/// Bytes of the longest value that is kept. Longer ones count as load of no value.
pub const LONGEST: usize = 64;
/// After so many seconds two thirds of what was sampled are forgotten: what is hot now counts.
const MEMORY: f64 = 60.0;
/// Samples without which a share means nothing. Assumed: of ten the share is known to 30 points, and the thresholds have hysteresis.
const ENOUGH: f64 = 10.0;
/// Share of new keys that are greater than the one sampled before from which on a key increases; chance makes it a half.
const INCREASES: f64 = 0.9;

/// A value as text.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Text {
    len: u8,
    bytes: [u8; LONGEST],
}

impl Text {
    const EMPTY: Self = Self { len: 0, bytes: [0; LONGEST] };

    /// None where it is too long.
    fn new(text: &str) -> Option<Self> {
        let mut own = Self { len: u8::try_from(text.len()).ok()?, ..Self::EMPTY };
        own.bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(own)
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

/// A key that was stored with a new row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NewKey {
    /// Greater than all before it by what it is made of: a sequence, the time.
    Next,
    /// As something that compares like the value.
    Value([u8; 16]),
}

impl NewKey {
    /// Of a value's text. A whole number compares as such, all else byte by byte, as dates and UUIDs do.
    pub fn of(text: &str) -> Self {
        let mut order = [0; 16];
        match text.parse::<i64>() {
            Ok(number) => {
                let biased = (i128::from(number) - i128::from(i64::MIN)) as u64;
                order.iter_mut().zip(biased.to_be_bytes()).for_each(|(to, from)| *to = from);
            }
            Err(_) => order.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from),
        }
        Self::Value(order)
    }
}

/// One statement on the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The value of the key that it asked for, where there is one.
    pub value: Option<&'a str>,
    /// The shard that it met, or any one of several.
    pub shard: u32,
    /// It met no other, so that the value is there.
    pub only: bool,
    /// What it took, in look-ups.
    pub weight: f64,
    pub new: Option<NewKey>,
}

/// How new keys follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Increasing,
    Decreasing,
    Mixed,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Increasing => "increasing",
            Self::Decreasing => "decreasing",
            Self::Mixed => "mixed",
        }
    }
}

/// A value with its share of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct HotValue {
    pub value: String,
    /// None where several shards have it, or nobody saw which.
    pub shard: Option<u32>,
    /// Of the table's load, at least.
    pub share: f64,
    /// Of its shard's.
    pub shard_share: Option<f64>,
}

/// What is known of one table's key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyLoad {
    values: Sketch<Text, VALUES>,
    shards: Sketch<u32, SHARDS>,
    weight: f64,
    with_value: f64,
    samples: f64,
    rises: f64,
    falls: f64,
    last: [u8; 16],
}

impl KeyLoad {
    pub const EMPTY: Self = Self {
        values: Sketch::new(Text::EMPTY),
        shards: Sketch::new(0),
        weight: 0.0,
        with_value: 0.0,
        samples: 0.0,
        rises: 0.0,
        falls: 0.0,
        last: [0; 16],
    };

    pub fn take(&mut self, sample: &Sample<'_>) {
        self.weight += sample.weight;
        self.samples += 1.0;
        self.shards.take(sample.shard, 0, sample.weight);
        if let Some(text) = sample.value.and_then(Text::new) {
            self.with_value += sample.weight;
            self.values.take(text, if sample.only { sample.shard } else { 0 }, sample.weight);
        }
        match sample.new {
            Some(NewKey::Next) => self.rises += 1.0,
            Some(NewKey::Value(order)) => {
                self.rises += f64::from(u8::from(order > self.last));
                self.falls += f64::from(u8::from(order < self.last));
                self.last = order;
            }
            None => {}
        }
    }

    /// So many seconds have gone by.
    pub fn forget(&mut self, seconds: f64) {
        let kept = (-seconds.max(0.0) / MEMORY).exp();
        self.values.keep(kept);
        self.shards.keep(kept);
        for sum in [&mut self.weight, &mut self.with_value, &mut self.samples, &mut self.rises, &mut self.falls] {
            *sum *= kept;
        }
    }

    /// These are the shards of the table now: what is known of others is of no use, and hides where a value is.
    pub fn have_shards(&mut self, shards: &[u32]) {
        self.values.leave(|home| !shards.contains(&home));
    }

    /// Statements that it stands on.
    pub fn samples(&self) -> f64 {
        self.samples
    }

    /// Share of the load that is of statements with a value of the key.
    pub fn known_share(&self) -> f64 {
        if self.weight > 0.0 { self.with_value / self.weight } else { 0.0 }
    }

    /// None where too few rows were new.
    pub fn direction(&self) -> Option<Direction> {
        let new = self.rises + self.falls;
        (new >= ENOUGH).then(|| match self.rises / new {
            rises if rises >= INCREASES => Direction::Increasing,
            rises if rises <= 1.0 - INCREASES => Direction::Decreasing,
            _ => Direction::Mixed,
        })
    }

    /// Values that were met often enough, the heaviest first.
    pub fn hot_values(&self) -> Vec<HotValue> {
        let mut found: Vec<HotValue> =
            self.values.entries().iter().filter(|e| e.count >= ENOUGH).map(|e| self.hot_value(e)).collect();
        found.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.value.cmp(&b.value)));
        found
    }

    /// Of each shard the value with the greatest share of its load, and that share.
    pub fn hottest(&self) -> BTreeMap<u32, (String, f64)> {
        let mut found = BTreeMap::new();
        for HotValue { value, shard, shard_share, .. } in self.hot_values() {
            // The heaviest of all comes first.
            if let (Some(shard), Some(share)) = (shard, shard_share) {
                found.entry(shard).or_insert((value, share));
            }
        }
        found
    }

    /// The weight of a value that its home can have: no more than the shard itself has taken, which may be younger.
    fn met_since(&self, entry: &Entry<Text>) -> f64 {
        let shard = self.shards.entries().iter().find(|e| e.key == entry.home).map_or(0.0, |e| e.weight);
        entry.sure().min(shard)
    }

    fn hot_value(&self, entry: &Entry<Text>) -> HotValue {
        // Met nearly always in one place: the others are where it was before the shards changed.
        let shard = Some(entry.home).filter(|home| *home != 0 && entry.at_home >= self.met_since(entry) / 2.0);
        let of_shard = |shard: u32| self.shards.entries().iter().find(|e| e.key == shard).map(|e| e.weight);
        let share_of = |total: f64| if total > 0.0 { (entry.sure() / total).min(1.0) } else { 0.0 };
        HotValue {
            value: entry.key.as_str().to_owned(),
            shard,
            share: share_of(self.weight),
            shard_share: shard.and_then(of_shard).map(share_of),
        }
    }
}
