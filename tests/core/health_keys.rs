//! What sampled statements tell of a shard key, against streams of which everything is known.
#![allow(clippy::expect_used, reason = "a test's helpers")]

use foreshard_core::health::{Direction, KeyLoad, LONGEST, NewKey, Sample, Sketch};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn lookup(value: &str, shard: u32) -> Sample<'_> {
    Sample { value: Some(value), shard, only: true, weight: 1.0, new: None }
}

fn hottest(load: &KeyLoad, shard: u32) -> Option<(String, f64)> {
    load.hottest().remove(&shard)
}

proptest! {
    /// The two promises of Space-Saving, for any stream.
    #[test]
    fn a_sketch_has_all_that_is_heavy_and_never_tells_too_little(
        stream in prop::collection::vec((0_u32..60, 1_u32..20), 1..600)
    ) {
        const N: usize = 12;
        let mut sketch = Sketch::<u32, N>::new(0);
        let mut exact: BTreeMap<u32, f64> = BTreeMap::new();
        for (key, weight) in &stream {
            sketch.take(*key, 0, f64::from(*weight));
            *exact.entry(*key).or_default() += f64::from(*weight);
        }
        let total: f64 = exact.values().sum();
        let told: f64 = sketch.entries().iter().map(|e| e.weight).sum();
        prop_assert!((told - total).abs() < 1e-6, "no weight is lost");
        for (key, weight) in &exact {
            let entry = sketch.entries().iter().find(|e| e.key == *key);
            prop_assert!(entry.is_some() || *weight <= total / N as f64 + 1e-9, "{key} with {weight} of {total} is not there");
            if let Some(entry) = entry {
                prop_assert!(entry.weight >= weight - 1e-9 && entry.sure() <= weight + 1e-9);
            }
        }
    }
}

#[test]
fn a_sketch_forgets() {
    let mut sketch = Sketch::<u32, 4>::new(0);
    sketch.take(1, 7, 8.0);
    sketch.take(2, 7, 0.04);
    sketch.keep(0.125);
    let left: Vec<(u32, f64)> = sketch.entries().iter().map(|e| (e.key, e.weight)).collect();
    assert_eq!(left, vec![(1, 1.0)]);
    sketch.keep(0.001);
    assert!(sketch.entries().is_empty());
}

#[test]
fn the_value_that_carries_a_shard_is_found_among_thousands() {
    let mut load = KeyLoad::EMPTY;
    // Shard 3 has half of the load, three fifths of it are of one value; the rest of the load is of 5,000 values on ten shards.
    for n in 0_u32..20_000 {
        let cold = format!("v{}", n.wrapping_mul(2_654_435_761) % 5_000);
        match n % 10 {
            0..=2 => load.take(&lookup("hot", 3)),
            3 | 4 => load.take(&lookup(&cold, 3)),
            _ => load.take(&lookup(&cold, n % 11 + 10)),
        }
    }
    let (value, share) = hottest(&load, 3).expect("a value");
    assert_eq!(value, "hot");
    assert!((share - 0.6).abs() < 0.02, "{share}");
    let first = load.hot_values().into_iter().next().expect("a value");
    assert_eq!((first.value.as_str(), first.shard), ("hot", Some(3)));
    assert!((first.share - 0.3).abs() < 0.02, "{}", first.share);
    assert!(hottest(&load, 12).is_none_or(|(_, share)| share < 0.1), "nothing is hot there");
    assert_eq!(hottest(&load, 99), None);
    assert!((load.known_share() - 1.0).abs() < 1e-9);
}

#[test]
fn what_a_statement_takes_counts_and_not_how_often_it_runs() {
    let mut load = KeyLoad::EMPTY;
    for n in 0..1_000 {
        let value = (n % 50).to_string();
        load.take(&lookup(&value, 1));
        if n % 50 == 0 {
            load.take(&Sample { value: Some("report"), weight: 100.0, ..lookup("", 1) });
        }
    }
    let (value, share) = hottest(&load, 1).expect("a value");
    assert_eq!(value, "report");
    assert!((share - 2.0 / 3.0).abs() < 0.01, "{share}");
}

#[test]
fn few_samples_and_values_of_many_shards_say_nothing_of_a_shard() {
    let mut load = KeyLoad::EMPTY;
    (0..9).for_each(|_| load.take(&lookup("rare", 1)));
    assert_eq!(hottest(&load, 1), None, "nine are too few");
    // Parts of two levels: each run meets another shard.
    (0..1_000_u32).for_each(|n| load.take(&lookup("spread", 10 + n % 8)));
    assert!(load.hot_values().iter().all(|v| v.value != "spread" || v.shard.is_none()));
    // Which of several it was met in is not known.
    (0..100).for_each(|_| load.take(&Sample { only: false, ..lookup("listed", 5) }));
    assert_eq!(hottest(&load, 5), None);
}

#[test]
fn a_value_whose_shard_was_replaced_is_told_of_the_new_one() {
    let mut load = KeyLoad::EMPTY;
    (0..300).for_each(|_| load.take(&lookup("hot", 1)));
    load.forget(60.0);
    (0..300).for_each(|_| load.take(&lookup("hot", 2)));
    load.forget(60.0);
    (0..300).for_each(|_| load.take(&lookup("hot", 2)));
    assert_eq!(hottest(&load, 2).map(|(value, _)| value).as_deref(), Some("hot"));
    assert_eq!(hottest(&load, 1), None);
}

#[test]
fn shards_that_are_gone_are_left_at_once() {
    let mut load = KeyLoad::EMPTY;
    (0..3_000).for_each(|_| load.take(&lookup("hot", 1)));
    load.have_shards(&[2, 3]);
    assert_eq!(hottest(&load, 1), None);
    (0..20).for_each(|_| load.take(&lookup("hot", 2)));
    assert_eq!(hottest(&load, 2).map(|(value, _)| value).as_deref(), Some("hot"));
}

#[test]
fn what_was_hot_is_forgotten() {
    let mut load = KeyLoad::EMPTY;
    (0..1_000).for_each(|_| load.take(&lookup("old", 1)));
    for _ in 0..30 {
        load.forget(10.0);
        (0..20).for_each(|n| load.take(&lookup(&(n % 10).to_string(), 1)));
    }
    let old = load.hot_values().into_iter().find(|v| v.value == "old").map_or(0.0, |v| v.share);
    assert!(old < 0.1, "{old}");
    load.forget(3_600.0);
    assert!(load.hot_values().is_empty() && load.samples() < 1e-9);
}

#[test]
fn what_is_too_long_is_load_of_no_value() {
    let mut load = KeyLoad::EMPTY;
    let (longest, longer) = ("x".repeat(LONGEST), "y".repeat(LONGEST + 1));
    for _ in 0..20 {
        load.take(&lookup(&longest, 1));
        load.take(&lookup(&longer, 1));
    }
    assert_eq!(hottest(&load, 1), Some((longest, 0.5)));
    assert!((load.known_share() - 0.5).abs() < 1e-9);
}

#[test]
fn the_direction_of_a_key() {
    let directed = |keys: &mut dyn Iterator<Item = NewKey>| {
        let mut load = KeyLoad::EMPTY;
        keys.for_each(|new| load.take(&Sample { value: None, new: Some(new), ..lookup("", 1) }));
        load.direction()
    };
    let numbers = |of: fn(i64) -> i64| directed(&mut (0..200).map(|n| NewKey::of(&of(n).to_string())));
    assert_eq!(numbers(|n| n - 100), Some(Direction::Increasing), "through zero, 9 before 10");
    assert_eq!(numbers(|n| 100 - n), Some(Direction::Decreasing));
    assert_eq!(numbers(|n| n * 7_919 % 199), Some(Direction::Mixed));
    assert_eq!(numbers(|_| 5), None, "always the same one");
    assert_eq!(directed(&mut (0..9).map(|_| NewKey::Next)), None, "too few");
    assert_eq!(directed(&mut (0..20).map(|_| NewKey::Next)), Some(Direction::Increasing));
    let days = |n: u32| NewKey::of(&format!("2026-{:02}-{:02}", 1 + n / 28, 1 + n % 28));
    assert_eq!(directed(&mut (0..200).map(days)), Some(Direction::Increasing));
    assert!(NewKey::of(&i64::MIN.to_string()) != NewKey::of(&i64::MAX.to_string()));
}
