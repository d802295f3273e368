//! What ANALYZE would store, from samples: which rows are drawn, how values sort, what is common, what is estimated. That it is the same as the
//! server's, to the last bit, is tests/e2e/44_statistics.sh's to show.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use foreshard_core::heap::Kind;
use foreshard_core::statistics::{Collate, Column, Order, Row, Rows, Sample, Statistics, describe, lot, rows_for};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::ffi::CStr;
use std::sync::Arc;

fn row(table: u32, tid: u64, value: Option<&[u8]>) -> Row {
    Row::new((table, tid), std::iter::once(value.map(|v| (v, v.len() + 4))), &mut Vec::new())
}

/// A sample that has all rows.
fn whole(values: &[Option<Vec<u8>>]) -> Rows {
    let mut sample = Sample::new(values.len());
    (0..).zip(values).for_each(|(tid, value)| sample.add(row(0, tid, value.as_deref())));
    sample.finish(1)
}

/// Statistics of a column with these values, which are all there are.
fn of(order: Order, values: &[Option<Vec<u8>>], target: usize) -> Statistics {
    let column = Column { order: Some(order), length: None };
    describe(&whole(values), 0, &column, target, values.len() as u64).expect("statistics")
}

fn some<T: AsRef<[u8]>>(values: impl IntoIterator<Item = T>) -> Vec<Option<Vec<u8>>> {
    values.into_iter().map(|v| Some(v.as_ref().to_vec())).collect()
}

fn numbers(values: impl IntoIterator<Item = i32>) -> Vec<Option<Vec<u8>>> {
    some(values.into_iter().map(i32::to_le_bytes))
}

fn bytewise() -> Order {
    Order::Text { trimmed: false, collation: None }
}

/// The values in their order, where no two are equal: the bounds of a histogram that has them all.
fn sorted(order: Order, values: &[Option<Vec<u8>>]) -> Vec<Vec<u8>> {
    of(order, values, values.len()).histogram
}

#[test]
fn a_sample_is_as_large_as_the_servers() {
    assert_eq!(rows_for([100, 20].into_iter()), 30_000);
    assert_eq!(rows_for([0].into_iter()), 100);
}

#[test]
fn the_rows_with_the_lowest_lots_are_drawn_in_whatever_order_they_come() {
    let rows: Vec<u64> = (0..5000).collect();
    let mut lowest = rows.clone();
    lowest.sort_by_key(|tid| lot(7, *tid));
    lowest.truncate(300);
    lowest.sort_unstable();
    for step in [1, 7, 4999] {
        let mut sample = Sample::new(300);
        for n in 0..rows.len() {
            let tid = rows[n * step % rows.len()];
            sample.add(row(7, tid, Some(&tid.to_le_bytes())));
        }
        let column = Column { order: Some(Order::Signed), length: Some(8) };
        let found = describe(&sample.finish(1), 0, &column, 300, 5000).unwrap();
        let drawn: Vec<u64> = found.histogram.iter().map(|v| u64::from_le_bytes(v[..].try_into().unwrap())).collect();
        assert_eq!(drawn, lowest, "in steps of {step}");
    }
    // A tenth of them in each tenth, more or less: three standard deviations are 16.
    for tenth in 0..10 {
        let there = lowest.iter().filter(|tid| **tid / 500 == tenth).count();
        assert!((14..=46).contains(&there), "{there} of the rows from {}", tenth * 500);
    }
}

#[test]
fn the_sample_of_several_tables_is_made_of_theirs() {
    let (mut all, mut together) = (Sample::new(200), Sample::new(200));
    for table in 0..4 {
        let mut own = Sample::new(200);
        for tid in 0..1000_u64 {
            let value = [u64::from(table).to_le_bytes(), tid.to_le_bytes()].concat();
            own.add(row(table, tid, Some(&value)));
            all.add(row(table, tid, Some(&value)));
        }
        together.add_all(&own.finish(1));
    }
    let column = Column { order: Some(Order::Bytes), length: None };
    let found = |sample: Sample| describe(&sample.finish(1), 0, &column, 1000, 4000).unwrap();
    let (all, together) = (found(all), found(together));
    assert_eq!(all.histogram.len(), 200);
    assert_eq!(all, together);
}

#[test]
fn memory_is_told() {
    let mut sample = Sample::new(10);
    (0..10_000).for_each(|tid| sample.add(row(0, tid, Some(&[b'x'; 500]))));
    assert!((5000..10_000).contains(&sample.bytes()), "{}", sample.bytes());
    assert!(sample.limit() < u64::MAX / 100);
}

#[test]
fn no_rows_no_statistics() {
    let column = Column { order: None, length: None };
    assert_eq!(describe(&whole(&[]), 0, &column, 100, 0), None);
}

#[test]
fn different_values_are_counted_or_estimated() {
    assert_eq!(of(Order::Signed, &numbers(0..1000), 100).distinct, -1.0);
    let half: Vec<_> = numbers(0..1000).into_iter().chain(vec![None; 1000]).collect();
    let found = of(Order::Signed, &half, 100);
    assert_eq!((found.distinct, found.null_fraction), (-0.5, 0.5));
    assert_eq!(of(Order::Signed, &numbers((0..1000).map(|n| n % 5)), 100).distinct, 5.0);
    // All of them were seen: 400 values in 800 rows are more than a tenth.
    assert_eq!(of(Order::Signed, &numbers((0..800).map(|n| n % 400)), 100).distinct, -0.5);
    // 1,000 of 100,000 rows, all but two of them with a value of their own: Duj1 says 1000 * 999 / (2 + 998 * 0.01).
    let column = Column { order: Some(Order::Signed), length: Some(4) };
    let sample = whole(&numbers((0..1000).map(|n| n % 999)));
    let estimated = describe(&sample, 0, &column, 100, 100_000).unwrap().distinct;
    assert_eq!(estimated, (-(83_389.0_f64 / 100_000.0)) as f32);
    let none = vec![None; 10];
    let found = of(bytewise(), &none, 100);
    assert_eq!((found.null_fraction, found.width, found.distinct, found.correlation), (1.0, 0, 0.0, None));
}

#[test]
fn a_complete_list_of_common_values_is_kept_whole_the_most_common_first() {
    let found = of(Order::Signed, &numbers((0..100).map(|n| if n < 50 { 3 } else { -(n % 2) })), 100);
    let common: Vec<(i32, f32)> =
        found.common.iter().map(|(v, f)| (i32::from_le_bytes(v[..].try_into().unwrap()), *f)).collect();
    assert_eq!(common, [(3, 0.5), (-1, 0.25), (0, 0.25)]);
    assert!(found.histogram.is_empty());
}

#[test]
fn of_a_part_of_the_rows_only_what_is_surely_common_is_kept() {
    let column = Column { order: Some(Order::Signed), length: Some(4) };
    // One value in a tenth of the rows, all others about alike.
    let values = numbers((0..3000).map(|n| if n % 10 == 0 { -1 } else { n % 997 }));
    let found = describe(&whole(&values), 0, &column, 100, 1_000_000).unwrap();
    assert_eq!(found.common.len(), 1);
    assert_eq!(found.common[0].1, 0.1);
    assert_eq!(found.histogram.len(), 101);
    // The same rows as a whole table: as many as there is room for.
    assert_eq!(describe(&whole(&values), 0, &column, 100, 3000).unwrap().common.len(), 100);
}

#[test]
fn a_value_that_is_too_wide_is_counted_and_not_looked_at() {
    let wide = some([vec![b'w'; 1021], vec![b'w'; 1021], vec![b'v'; 1020]]);
    let found = of(bytewise(), &wide, 100);
    assert_eq!((found.width, found.distinct, found.common.len(), found.correlation), (1024, -1.0, 0, None));
    let allowed = some([vec![b'v'; 1020], vec![b'v'; 1020], vec![b'w'; 1020]]);
    assert_eq!(of(bytewise(), &allowed, 100).common.len(), 1);
}

#[test]
fn a_type_without_an_order_has_a_width_only() {
    let column = Column { order: None, length: None };
    let found = describe(&whole(&some(["[1]", "[1]", "[22]"])), 0, &column, 100, 3).unwrap();
    let nothing = Statistics {
        null_fraction: 0.0,
        width: 7,
        distinct: 0.0,
        common: Vec::new(),
        histogram: Vec::new(),
        correlation: None,
    };
    assert_eq!(found, nothing);
}

#[test]
fn correlation_is_with_the_order_of_the_rows() {
    assert_eq!(of(Order::Signed, &numbers(-500..500), 10).correlation, Some(1.0));
    assert_eq!(of(Order::Signed, &numbers((-500..500).rev()), 10).correlation, Some(-1.0));
}

#[test]
fn floats_sort_as_the_servers_do() {
    let order = [f64::NEG_INFINITY, -1.5, -5e-324, 0.0, 5e-324, 1.5, f64::INFINITY, f64::NAN];
    let shuffled = some([3, 7, 0, 5, 1, 6, 2, 4].map(|n: usize| order[n].to_le_bytes()));
    assert_eq!(sorted(Order::Float, &shuffled), order.map(|f| f.to_le_bytes().to_vec()));
    let small = some([1.5_f32, f32::NAN, -1.5].map(f32::to_le_bytes));
    assert_eq!(sorted(Order::Float, &small), [-1.5_f32, 1.5, f32::NAN].map(|f| f.to_le_bytes().to_vec()));
    let equal = some([0.0_f64, -0.0, f64::NAN, -f64::NAN].map(f64::to_le_bytes));
    let common = of(Order::Float, &equal, 10).common;
    // The first of equal ones stands for them.
    assert_eq!(
        common.iter().map(|c| c.0.clone()).collect::<Vec<_>>(),
        [0.0, f64::NAN].map(|f| f.to_le_bytes().to_vec())
    );
}

#[test]
fn blanks_at_the_end_mean_nothing_to_characters() {
    let values = some(["b  ", "a ", "a", "b"]);
    let found = of(Order::Text { trimmed: true, collation: None }, &values, 10);
    assert_eq!(found.common, [(b"a ".to_vec(), 0.5), (b"b  ".to_vec(), 0.5)]);
}

#[test]
fn labels_sort_by_their_rank() {
    let ranks = [b"late".to_vec(), b"early".to_vec()].into_iter().zip(0..).collect();
    assert_eq!(sorted(Order::Labels(ranks), &some(["early", "late"])), [b"late", b"early".as_slice()]);
}

/// By length, then the other way round.
#[derive(Debug)]
struct Odd;

impl Collate for Odd {
    fn compare(&self, a: &CStr, b: &CStr) -> Ordering {
        a.count_bytes().cmp(&b.count_bytes()).then_with(|| b.to_bytes().first().cmp(&a.to_bytes().first()))
    }
}

#[test]
fn a_collation_decides_and_bytes_break_its_ties() {
    let order = Order::Text { trimmed: false, collation: Some(Arc::new(Odd)) };
    let found = sorted(order, &some(["bb", "a", "cb", "ca", "b"]));
    assert_eq!(found, [b"b".as_slice(), b"a", b"ca", b"cb", b"bb"]);
}

/// Digits and a scale as a decimal text.
fn decimal(digits: i64, scale: u32) -> String {
    let (power, sign) = (10_u64.pow(scale), if digits < 0 { "-" } else { "" });
    let digits = digits.unsigned_abs();
    match scale {
        0 => format!("{sign}{digits}"),
        _ => format!("{sign}{}.{:0width$}", digits / power, digits % power, width = scale as usize),
    }
}

proptest! {
    #[test]
    fn numerics_sort_by_value(numbers in proptest::collection::vec((any::<i64>(), 0_u32..60, 0_u32..15), 2..40)) {
        let numbers: Vec<(i64, u32)> = numbers.into_iter().map(|(n, less, scale)| (n >> less, scale)).collect();
        let kind = Kind::of_type("numeric").unwrap();
        let stored: Vec<(i128, Vec<u8>)> = numbers.iter().map(|(digits, scale)| {
            let mut out = Vec::new();
            kind.encode(decimal(*digits, *scale).as_bytes(), &mut out).unwrap();
            (i128::from(*digits) * 10_i128.pow(15 - scale), out)
        }).collect();
        let mut expected = stored.clone();
        expected.sort_by_key(|(value, _)| *value);
        expected.dedup_by_key(|(value, _)| *value);
        let mut different: Vec<(i128, Vec<u8>)> = stored;
        let mut seen = std::collections::BTreeSet::new();
        different.retain(|(value, _)| seen.insert(*value));
        let found = if different.len() < 2 { return Ok(()) } else { sorted(Order::Numeric, &some(different.iter().map(|d| &d.1))) };
        let value = |stored: &Vec<u8>| different.iter().find(|d| d.1 == *stored).map(|d| d.0);
        prop_assert_eq!(found.iter().filter_map(value).collect::<Vec<_>>(), expected.iter().map(|e| e.0).collect::<Vec<_>>());
    }

    #[test]
    fn texts_sort_byte_by_byte(mut texts in proptest::collection::btree_set(proptest::collection::vec(any::<u8>(), 0..20), 2..60)) {
        let expected: Vec<Vec<u8>> = texts.iter().cloned().collect();
        let last = texts.pop_last().unwrap();
        let shuffled: Vec<Vec<u8>> = std::iter::once(last).chain(texts.into_iter().rev()).collect();
        prop_assert_eq!(sorted(Order::Bytes, &some(shuffled)), expected);
    }

    /// Each bound has as many of the values that are not common before it as it should.
    #[test]
    fn bounds_are_spread_evenly(values in proptest::collection::vec(0_i32..60, 1..400), target in 1_usize..20) {
        let found = of(Order::Signed, &numbers(values.iter().copied()), target);
        let int = |stored: &Vec<u8>| i32::from_le_bytes(stored[..].try_into().unwrap());
        let common: Vec<i32> = found.common.iter().map(|c| int(&c.0)).collect();
        let mut others: Vec<i32> = values.iter().copied().filter(|v| !common.contains(v)).collect();
        others.sort_unstable();
        let different = others.iter().collect::<std::collections::BTreeSet<_>>().len();
        let bounds = different.min(target + 1);
        let expected: Vec<i32> = if bounds < 2 { Vec::new() } else { (0..bounds).map(|n| others[n * (others.len() - 1) / (bounds - 1)]).collect() };
        prop_assert_eq!(found.histogram.iter().map(int).collect::<Vec<_>>(), expected);
    }
}
