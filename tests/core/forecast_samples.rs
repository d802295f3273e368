//! Raw samples and counters to series: every repair counted, and an error that says what to change for what cannot be repaired.
#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use foreshard_core::forecast::{CounterCopy, Repairs, concurrency, rates, regularise};
use proptest::prelude::*;

const MINUTE: i64 = 60;

fn minutes(values: &[f64]) -> Vec<(i64, f64)> {
    values.iter().enumerate().map(|(i, v)| (i as i64 * MINUTE, *v)).collect()
}

#[test]
fn clean_samples_pass_unchanged() {
    let regular = regularise(&minutes(&[1.0, 2.0, 3.0, 4.0]), None).unwrap();
    assert_eq!(regular.series.values(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(regular.series.interval_seconds(), MINUTE);
    assert_eq!(regular.repairs, Repairs { received: 4, ..Repairs::default() });
    assert!(regular.repairs.notes().is_empty());
}

#[test]
fn each_repair_is_counted_and_told() {
    let samples = [
        (0, 10.0),
        (120, 30.0),
        (60, 20.0),
        (60, 22.0),
        (180, f64::NAN),
        (240, -5.0),
        (300, 60.0),
        (310, 70.0),
        (360, f64::INFINITY),
        (420, 80.0),
        (480, 90.0),
        (540, 90.0),
    ];
    let regular = regularise(&samples, Some(MINUTE)).unwrap();
    assert_eq!(
        regular.series.values(),
        [10.0, 22.0, 30.0, 30.0 + 35.0 / 3.0, 30.0 + 70.0 / 3.0, 65.0, 72.5, 80.0, 90.0, 90.0]
    );
    let expected = [true, true, true, false, false, true, false, true, true, true];
    assert_eq!(regular.series.measured(), expected);
    let repairs = Repairs {
        received: 12,
        not_numbers: 2,
        negative: 1,
        out_of_order: 2,
        repeated: 1,
        far_away: 0,
        averaged: 1,
        filled: 3,
    };
    assert_eq!(regular.repairs, repairs);
    assert_eq!(repairs.notes().len(), 6);
}

#[test]
fn a_long_gap_takes_the_shape_of_the_day_before() {
    let hourly: Vec<(i64, f64)> =
        (0..72).filter(|h| !(30..40).contains(h)).map(|h| (h * 3_600, (h % 24) as f64)).collect();
    let regular = regularise(&hourly, Some(3_600)).unwrap();
    let expected: Vec<f64> = (0..72).map(|h| (h % 24) as f64).collect();
    assert_eq!(regular.series.values(), expected);
    assert_eq!(regular.repairs.filled, 10);
}

#[test]
fn a_clock_that_jumped_leaves_the_rest_usable() {
    let mut samples = minutes(&[5.0; 100]);
    samples.insert(50, (4_000_000_000, 9.0));
    samples.insert(70, (i64::MIN, 9.0));
    samples.push((i64::MAX, 9.0));
    let regular = regularise(&samples, None).unwrap();
    assert_eq!(regular.series.len(), 100);
    assert_eq!(regular.repairs.far_away, 3);
    assert!(regular.repairs.notes().iter().any(|n| n.contains("a clock that jumped")));
}

#[test]
fn after_a_pause_of_weeks_the_later_part_counts() {
    let pause = 60 * 86_400;
    let samples: Vec<(i64, f64)> =
        (0..200).map(|i| (i * 300 + if i < 120 { 0 } else { pause }, if i < 120 { 1.0 } else { 2.0 })).collect();
    let regular = regularise(&samples, None).unwrap();
    assert_eq!(regular.series.values(), vec![2.0; 80]);
}

#[test]
fn mixed_intervals_meet_on_the_one_that_most_keep_to() {
    let mut samples: Vec<(i64, f64)> = (0..50).map(|h| (h * 3_600, 4.0)).collect();
    samples.extend((0..60).map(|i| (50 * 3_600 + i * 300, 4.0)));
    let regular = regularise(&samples, None).unwrap();
    assert_eq!(regular.series.interval_seconds(), 3_600);
    assert_eq!(regular.series.values(), vec![4.0; 55]);
    let late: Vec<(i64, f64)> = (0..500).map(|i| (i * 61, 1.0)).collect();
    assert_eq!(regularise(&late, None).unwrap().series.interval_seconds(), MINUTE);
}

#[test]
fn what_cannot_be_used_says_what_to_change() {
    type Case = (Vec<(i64, f64)>, Option<i64>, &'static str);
    let cases: [Case; 6] = [
        (vec![], None, "the load history is empty"),
        (minutes(&[f64::NAN; 5]), None, "the load history is mostly not loads"),
        (minutes(&[-1.0, -2.0, 3.0]), None, "the load history is mostly not loads"),
        (minutes(&[1.0, 2.0]), Some(7 * MINUTE), "420 seconds is no interval of a load series"),
        (minutes(&[1.0, 2.0]), Some(0), "0 seconds is no interval of a load series"),
        ((0..30).map(|d| (d * 86_400, 1.0)).collect(), Some(1), "the load history has too many slots"),
    ];
    for (samples, interval, message) in cases {
        let problem = regularise(&samples, interval).unwrap_err();
        assert_eq!(problem.message, message);
        assert_eq!(problem.sqlstate.len(), 5);
        assert!(problem.detail.unwrap().ends_with('.') && problem.hint.unwrap().ends_with('.'));
    }
}

fn copy(time: i64, calls: f64, total_milliseconds: f64) -> CounterCopy {
    CounterCopy { time, calls, total_milliseconds }
}

#[test]
fn copies_of_counters_become_rates_and_a_reset_counts_from_zero() {
    let copies = [copy(0, 100.0, 1_000.0), copy(10, 200.0, 3_000.0), copy(20, 50.0, 100.0), copy(30, 50.0, 100.0)];
    let rates = rates(&copies).unwrap();
    assert_eq!(rates.calls_per_second, [(0, 10.0), (10, 5.0), (20, 0.0)]);
    assert_eq!(rates.mean_milliseconds, [(0, 20.0), (10, 2.0)]);
    assert_eq!(rates.concurrency, [(0, 0.2), (10, 0.01), (20, 0.0)]);
    assert_eq!((rates.resets, rates.skipped), (1, 0));
}

#[test]
fn copies_that_say_nothing_are_skipped_and_one_is_too_few() {
    let copies = [
        copy(0, 1.0, 1.0),
        copy(0, 2.0, 2.0),
        copy(-50, 3.0, 3.0),
        copy(10, f64::NAN, 4.0),
        copy(20, 5.0, 5.0),
        copy(200_000, 6.0, 6.0),
        copy(200_010, 16.0, 6.0),
    ];
    let found = rates(&copies).unwrap();
    assert_eq!(found.skipped, 5);
    assert_eq!(found.calls_per_second, [(200_000, 1.0)]);
    let problem = rates(&copies[..1]).unwrap_err();
    assert_eq!((problem.sqlstate.as_str(), problem.hint.is_some()), ("22023", true));
}

#[test]
fn littles_law() {
    assert_eq!(concurrency(400.0, 25.0), 10.0);
    assert_eq!(concurrency(0.0, 25.0), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_samples_become_a_series_or_a_problem(
        samples in proptest::collection::vec((prop_oneof![any::<i64>(), 0..100_000i64], any::<f64>()), 0..200),
        interval in proptest::option::of(prop_oneof![Just(60i64), Just(3_600), any::<i64>()]),
    ) {
        match regularise(&samples, interval) {
            Ok(regular) => {
                prop_assert!(regular.series.values().iter().all(|v| v.is_finite() && *v >= 0.0));
                prop_assert_eq!(regular.series.measured().len(), regular.series.len());
                let repairs = regular.repairs;
                let kept = regular.series.measured().iter().filter(|m| **m).count();
                let left_out = repairs.not_numbers + repairs.negative + repairs.repeated + repairs.far_away + repairs.averaged;
                prop_assert_eq!(kept + left_out, samples.len());
            }
            Err(problem) => prop_assert!(problem.detail.is_some() && problem.hint.is_some()),
        }
    }

    #[test]
    fn the_order_of_samples_does_not_matter(values in proptest::collection::vec(0.0..1e6, 1..100), turn in 0..100usize) {
        let sorted = minutes(&values);
        let mut turned = sorted.clone();
        turned.rotate_left(turn % values.len());
        prop_assert_eq!(regularise(&sorted, None).unwrap().series, regularise(&turned, None).unwrap().series);
    }
}
