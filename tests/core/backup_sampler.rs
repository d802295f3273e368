//! Samples of known rows.

use foreshard_core::backup::sampler::{Sample, Sampler};
use std::collections::BTreeSet;

/// `rows` rows of `groups` groups in turn; the second field is the row's number.
fn sample(rows: u32, groups: u32, limit: usize, wanted: usize, seed: u64) -> Sample {
    let mut sampler = Sampler::new(limit, wanted, seed);
    for number in 0..rows {
        let (group, number) = ((number % groups).to_string(), number.to_string());
        let group = Some(group.as_bytes());
        sampler.row(&[group], &[group, Some(number.as_bytes())]);
    }
    sampler.finish()
}

fn groups(sample: Sample) -> BTreeSet<String> {
    sample.into_rows().into_iter().filter_map(|r| r.into_iter().next().flatten()).collect()
}

#[test]
fn a_small_table_is_kept_whole_and_in_order() {
    let found = sample(100, 10, 100, 4, 0);
    assert_eq!(found.seen, 100);
    let numbers: Vec<String> = found.into_rows().into_iter().filter_map(|r| r.into_iter().nth(1).flatten()).collect();
    assert_eq!(numbers, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn groups_are_kept_or_left_whole() {
    let found = sample(10_000, 100, 2_000, 4, 7).into_rows();
    assert!(found.len() <= 2_000 && found.len() >= 800, "{} rows", found.len());
    let groups: BTreeSet<&Option<String>> = found.iter().filter_map(|r| r.first()).collect();
    assert_eq!(found.len(), groups.len() * 100);
}

#[test]
fn no_fewer_groups_are_kept_than_were_asked_for() {
    let found = sample(10_000, 10, 500, 8, 7);
    let rows = found.clone().into_rows().len();
    assert!(rows <= 500 && rows > 100, "{rows} rows");
    assert!(groups(found).len() >= 8);
}

#[test]
fn two_tables_keep_the_same_groups() {
    let (mut large, mut small) = (sample(50_000, 200, 1_000, 4, 3), sample(400, 200, 1_000, 4, 3));
    Sample::agree(&mut [&mut large, &mut small]);
    let kept = groups(large);
    assert!(kept.len() < 200);
    assert_eq!(groups(small), kept);
}

#[test]
fn the_seed_and_nothing_else_changes_the_sample() {
    let of = |seed: u64| sample(10_000, 100, 500, 4, seed);
    assert_eq!(of(1), of(1));
    assert_ne!(groups(of(1)), groups(of(2)));
}

#[test]
fn rows_without_a_group_are_thinned_alone() {
    let mut sampler = Sampler::new(100, 4, 0);
    for number in 0..10_000_u32 {
        sampler.row(&[], &[Some(number.to_string().as_bytes()), None]);
    }
    let rows = sampler.finish().into_rows();
    assert!(rows.len() <= 100 && rows.len() >= 40, "{} rows", rows.len());
    assert!(rows.iter().all(|r| r.get(1) == Some(&None)));
}

#[test]
fn rows_held_out_are_in_one_place_only() {
    let mut found = sample(1_000, 10, 1_000, 4, 0);
    let out = found.hold_out(30, 20);
    assert_eq!(out.len(), 30);
    let kept = found.into_rows();
    assert_eq!(kept.len(), 970);
    assert!(out.iter().all(|row| !kept.contains(row)));
    assert_eq!(sample(50, 10, 1_000, 4, 0).hold_out(30, 20).len(), 2);
    assert!(sample(5, 5, 1_000, 4, 0).hold_out(30, 20).is_empty());
}

#[test]
fn large_values_bound_the_sample_too() {
    let (mut sampler, value) = (Sampler::new(1_000, 1, 0), vec![b'x'; 1 << 20]);
    for _ in 0..200 {
        sampler.row(&[], &[Some(&value)]);
    }
    assert!(sampler.finish().into_rows().len() <= 64);
}
