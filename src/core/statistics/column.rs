//! The statistics of one column, as `pg_statistic` has them.

use super::estimate::{Seen, certain, distinct};
use super::order::Order;
use super::sample::{Field, Rows};

/// What has to be known of a column.
#[derive(Debug, Clone)]
pub struct Column {
    /// None for a type whose values have none.
    pub order: Option<Order>,
    /// Bytes of each value; None where they have lengths of their own.
    pub length: Option<usize>,
}

/// The figures of a column, with values as they are stored, without a length.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    pub null_fraction: f32,
    /// Bytes of a value, on average.
    pub width: i32,
    /// Different values: a number, or a share of the rows with a minus; 0 where it is not known.
    pub distinct: f32,
    /// The most common values and their shares of the rows.
    pub common: Vec<(Vec<u8>, f32)>,
    /// Bounds of parts with as many of the other values each.
    pub histogram: Vec<Vec<u8>>,
    /// Between the order of the values and that of the rows.
    pub correlation: Option<f32>,
}

/// A value that is there more than once.
#[derive(Debug, Clone, Copy)]
struct Repeated {
    count: u32,
    /// Where it begins among the sorted values.
    first: usize,
}

/// The statistics of column `at` of a table with so many `rows`. `target`: its statistics target. None for a table
/// without rows, and for values that are not understood.
pub fn describe(sample: &Rows, at: usize, column: &Column, target: usize, rows: u64) -> Option<Statistics> {
    let mut values: Vec<&[u8]> = Vec::with_capacity(sample.len());
    let (mut nulls, mut wide, mut width) = (0_usize, 0_usize, 0_usize);
    for field in sample.column(at) {
        match field {
            Field::Null => nulls += 1,
            Field::Wide { width: this } => {
                wide += 1;
                width += this;
            }
            Field::Value { value, width: this } => {
                values.push(value);
                width += this;
            }
        }
    }
    let (sampled, rows) = (sample.len() as f64, rows as f64);
    if sample.len() == 0 {
        return None;
    }
    let average = (width as f64 / (sample.len() - nulls).max(1) as f64) as i32;
    let mut found = Statistics {
        null_fraction: (nulls as f64 / sampled) as f32,
        width: column.length.map_or(average, |length| i32::try_from(length).unwrap_or(i32::MAX)),
        distinct: 0.0,
        common: Vec::new(),
        histogram: Vec::new(),
        correlation: None,
    };
    let Some(order) = column.order.as_ref().filter(|_| nulls < sample.len()) else { return Some(found) };
    let sorted = order.sort(&values)?;
    let value = |place: usize| {
        let n = sorted.places.get(place)?;
        values.get(*n as usize).map(|value| value.to_vec())
    };
    let (mut common, repeated) = most_common(&sorted.groups, values.len(), target);
    let different = sorted.groups.len();
    let seen = Seen {
        sampled,
        rows,
        nulls: nulls as f64,
        wide: wide as f64,
        distinct: different as f64,
        repeated: repeated as f64,
    };
    found.distinct = distinct(&seen, found.null_fraction);
    // Values that are all there is are all kept.
    let complete = common.len() == different && wide == 0 && found.distinct > 0.0;
    if !complete {
        let counts: Vec<u32> = common.iter().map(|value| value.count).collect();
        common.truncate(certain(&counts, found.distinct, found.null_fraction, sampled, rows));
    }
    let share = |common: &Repeated| Some((value(common.first)?, (f64::from(common.count) / sampled) as f32));
    found.common = common.iter().map(share).collect::<Option<_>>()?;
    let bounds = (different - common.len()).min(target + 1);
    if bounds >= 2 {
        common.sort_unstable_by_key(|value| value.first);
        found.histogram = histogram(&common, values.len(), bounds).map(value).collect::<Option<_>>()?;
    }
    found.correlation = (values.len() > 1).then(|| correlation(&sorted.places));
    Some(found)
}

/// Up to `most` values that are there more than once, the most common first, then the lowest; and how many there are.
fn most_common(groups: &[usize], values: usize, most: usize) -> (Vec<Repeated>, usize) {
    let ends = groups.iter().skip(1).copied().chain(std::iter::once(values));
    let counted = groups.iter().zip(ends).map(|(first, end)| Repeated { count: (end - first) as u32, first: *first });
    let mut repeated: Vec<Repeated> = counted.filter(|value| value.count > 1).collect();
    let all = repeated.len();
    repeated.sort_by_key(|value| std::cmp::Reverse(value.count));
    repeated.truncate(most);
    (repeated, all)
}

/// Places of so many bounds, at least two, among the sorted values, without the common ones, which come in their order.
fn histogram(common: &[Repeated], values: usize, bounds: usize) -> impl Iterator<Item = usize> {
    let others = values - common.iter().map(|value| value.count as usize).sum::<usize>();
    let mut skipped = common.iter().copied().peekable();
    let mut passed = 0;
    (0..bounds).map(move |n| {
        let place = n * others.saturating_sub(1) / (bounds - 1);
        while let Some(value) = skipped.next_if(|value| value.first <= place + passed) {
            passed += value.count as usize;
        }
        place + passed
    })
}

/// Of the numbers from 0 on with the places of the values in their order.
fn correlation(places: &[u32]) -> f32 {
    let count = places.len() as f64;
    let products = places.iter().enumerate().fold(0.0, |sum, (n, place)| sum + n as f64 * f64::from(*place));
    let sum = (count - 1.0) * count / 2.0;
    let squares = (count - 1.0) * count * (2.0 * count - 1.0) / 6.0;
    ((count * products - sum * sum) / (count * squares - sum * sum)) as f32
}
