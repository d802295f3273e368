//! What the first rows tell of all of them, against what all of them tell.

use foreshard_core::backup::profile::beyond::{Mark, distinct};
use foreshard_core::backup::profile::{Profiler, Sampled, ValueOrder};
use foreshard_core::model::{ColumnProfile, TableProfile};
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

/// Profiles of one column of `rows` values: told from the first `share` of them, and of all.
fn both(rows: u64, share: f64, value: impl Fn(u64) -> Option<String>) -> (Sampled, TableProfile) {
    let pass = |rows: u64| {
        let mut profiler = Profiler::new(&[("c".to_owned(), ValueOrder::Integer)]);
        (0..rows).for_each(|i| profiler.row([value(i).as_deref().map(str::as_bytes)]));
        profiler
    };
    let first = (rows as f64 * share).round();
    (pass(first as u64).finish_sample(first / rows as f64), pass(rows).finish())
}

fn column(sampled: &Sampled) -> &ColumnProfile {
    &sampled.profile.columns[0]
}

/// A number below `below` that looks random and is not.
fn drawn(i: u64, below: u64) -> u64 {
    xxh3_64(&i.to_le_bytes()) % below
}

/// How many times too many, or too few.
fn off(told: u64, real: u64) -> f64 {
    let ratio = told as f64 / real as f64;
    ratio.max(1.0 / ratio)
}

#[test]
fn a_unique_column_stays_unique() {
    let (told, real) = both(200_000, 0.05, |i| Some((1_000_000 + i).to_string()));
    assert!(off(column(&told).distinct, real.rows) < 1.03, "{}", column(&told).distinct);
    assert_eq!((told.profile.rows, told.untold.len()), (200_000, 0));
    assert_eq!(told.profile.text_bytes, real.text_bytes);
    let (told, real) = both(200_000, 0.05, |i| Some(xxh3_64(&i.to_le_bytes()).to_string()));
    assert!(off(column(&told).distinct, real.rows) < 1.03, "{}", column(&told).distinct);
}

#[test]
fn few_values_that_come_back_are_all_there_are() {
    let (told, real) = both(200_000, 0.1, |i| Some((drawn(i, 20).min(9)).to_string()));
    let (told, real) = (column(&told), &real.columns[0]);
    assert_eq!((told.distinct, told.distinct_exact), (10, true));
    for (told, real) in told.heavy.iter().zip(&real.heavy).take(1) {
        assert_eq!(told.value, real.value);
        assert!(off(told.count, real.count) < 1.02, "{} {}", told.count, real.count);
    }
}

#[test]
fn values_drawn_from_many_are_told_in_number() {
    // From a fifth of them seen to nearly all.
    for population in [1_500, 10_000, 50_000] {
        let (told, real) = both(200_000, 0.0625, |i| Some(drawn(i, population).to_string()));
        let (told, real) = (column(&told).distinct, real.columns[0].distinct);
        // The law of Heaps alone is 1.6 and more off here where a third of the values was seen.
        assert!(off(told, real) < 1.25, "of {population}: {told} told, {real} real");
    }
}

#[test]
fn values_by_a_power_law_are_told_in_number() {
    // Value k with a probability as 1 / k^2: distinct values grow as the root of the rows.
    let value = |i| (1.0 / (1.0 - drawn(i, 1 << 40) as f64 / (1_u64 << 40) as f64)) as u64;
    let (told, real) = both(200_000, 0.1, |i| Some(value(i).to_string()));
    let (told, real) = (column(&told).distinct, real.columns[0].distinct);
    assert!(off(told, real) < 1.25, "{told} told, {real} real");
}

#[test]
fn values_in_runs_go_on_at_their_pace() {
    // Lines of an order beside each other; customers one after another, in no order of their numbers.
    let lines = both(200_000, 0.05, |i| Some((i / 4).to_string()));
    let customers = both(300_000, 0.05, |i| Some(xxh3_64(&(i / 100).to_le_bytes()).to_string()));
    for (told, real) in [lines, customers] {
        assert_eq!(told.untold, Vec::<String>::new());
        let (told, real) = (column(&told), &real.columns[0]);
        assert!(off(told.distinct, real.distinct) < 1.05, "{} told, {} real", told.distinct, real.distinct);
        assert!(!told.distinct_exact);
        // A run that has passed is over: its value has no more rows.
        assert!(told.heavy.iter().all(|h| h.count <= 100), "{:?}", told.heavy.first());
    }
}

#[test]
fn a_few_runs_tell_nothing_of_the_others() {
    for runs in [1, 2, 30] {
        let (told, _) = both(60_000, 0.5, |i| Some((i * runs / 30_000).to_string()));
        assert_eq!(told.untold, ["c"], "{runs} values in the first half");
    }
    let (told, _) = both(60_000, 0.5, |_| None);
    assert_eq!(told.untold, Vec::<String>::new());
}

#[test]
fn nothing_is_cut_by_values_beyond_the_sample() {
    let (told, _) = both(100_000, 0.1, |i| Some(i.to_string()));
    assert_eq!(column(&told).quantiles.len(), 129);
    assert_eq!(told.alone().columns[0].quantiles, Vec::<String>::new());
    let (told, _) = both(100_000, 0.1, |i| Some(drawn(i, 5).to_string()));
    assert_eq!(told.alone().columns[0].quantiles.len(), 129);
}

proptest! {
    #[test]
    fn a_sample_of_all_rows_is_the_profile(values in prop::collection::vec(prop::option::of(0_u64..300), 1..600)) {
        let (told, real) = both(values.len() as u64, 1.0, |i| values[i as usize].map(|v| v.to_string()));
        let (mut told, real) = (told.profile, real);
        // Only whether more values are expected differs.
        told.columns[0].distinct_exact = real.columns[0].distinct_exact;
        prop_assert_eq!(told, real);
    }

    #[test]
    fn distinct_values_are_those_seen_at_least_and_no_more_than_the_rows(
        (values, distinct_now) in (2_u64..1 << 40).prop_flat_map(|v| (Just(v), 1..=v)),
        part in 0.01_f64..0.75, grown in 0.0_f64..=1.0, times in 1.0_f64..1e4,
    ) {
        let before = Mark { values: (values as f64 * part) as u64, distinct: (distinct_now as f64 * grown) as u64 };
        let now = Mark { values, distinct: distinct_now };
        let told = distinct(before, now, times);
        prop_assert!(told >= distinct_now);
        prop_assert!(told as f64 <= values as f64 * times + 1.0);
        prop_assert!(told <= distinct(before, now, times * 2.0));
        // The more of the values came late, the more are to come.
        let sooner = Mark { distinct: before.distinct / 2, ..before };
        prop_assert!(distinct(sooner, now, times) as f64 >= told as f64 * (1.0 - 1e-6) - 1.0);
    }

    #[test]
    fn what_is_linear_is_linear(rows in 200_u64..800, nulls in 1_u64..20, times in 1_u64..20) {
        let value = |i: u64| (!i.is_multiple_of(nulls + 1)).then(|| drawn(i, 7).to_string());
        let (told, _) = both(rows * times, 1.0 / times as f64, value);
        let seen = (rows - 1) / (nulls + 1) + 1;
        prop_assert_eq!((told.profile.rows, column(&told).nulls), (rows * times, seen * times));
    }
}
