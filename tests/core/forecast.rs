//! Forecasts: exact small cases, what must hold for any series, and what is said when little is known.
#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use foreshard_core::forecast::{Forecast, Forecaster, History, Member, Series, regularise};
use proptest::prelude::*;

const HOUR: i64 = 3_600;

fn series(values: Vec<f64>) -> Series {
    Series::new(0, HOUR, values).unwrap()
}

fn forecast_of(series: &Series, steps: usize) -> Forecast {
    let history = History::of(series);
    Forecaster::fit(&history, series.len() - 1, steps).forecast(&history, 0.9)
}

/// A working day's shape with a quieter weekend, hourly.
fn office(days: usize) -> Vec<f64> {
    (0..days * 24)
        .map(|slot| {
            let (day, hour) = (slot / 24, slot % 24);
            let busy = if day % 7 < 5 { 100.0 } else { 20.0 };
            10.0 + if (8..18).contains(&hour) { busy } else { 0.0 }
        })
        .collect()
}

#[test]
fn what_repeats_is_forecast_exactly() {
    let values = office(35);
    let forecast = forecast_of(&series(values.clone()), 168);
    assert_eq!(forecast.start, 35 * 24 * HOUR);
    for (step, expected) in forecast.steps.iter().zip(&values) {
        assert!((step.median - expected).abs() < 0.02 * expected, "{step:?} for {expected}: {}", forecast.because);
        assert!(step.upper - step.lower < 0.2 * expected, "{step:?} for {expected}");
    }
}

#[test]
fn a_constant_stays_constant_and_nothing_stays_nothing() {
    for constant in [7.0, 0.0, 1e-6, 1e15] {
        for length in [3, 30, 400, 900] {
            let forecast = forecast_of(&series(vec![constant; length]), 24);
            for step in &forecast.steps {
                assert!((step.median - constant).abs() <= 1e-6 * constant, "{constant} x {length}: {step:?}");
            }
        }
    }
}

#[test]
fn little_history_is_said_and_the_interval_is_wide() {
    for length in 1..8 {
        let forecast = forecast_of(&series(vec![50.0; length]), 24);
        assert_eq!(forecast.tested_steps, 0);
        assert!(forecast.because.starts_with("too little history"), "{}", forecast.because);
        let last = forecast.steps.last().unwrap();
        assert!(last.lower < 20.0 && last.upper > 140.0, "{last:?}");
    }
}

#[test]
fn beyond_what_could_be_tried_the_interval_widens_and_the_because_says_so() {
    let values = office(9).into_iter().enumerate().map(|(i, v)| v * (1.0 + 0.1 * ((i * 7_919) % 11) as f64 / 11.0));
    let forecast = forecast_of(&series(values.collect()), 24 * 14);
    assert!(forecast.tested_steps >= 21 && forecast.tested_steps < 24 * 14, "{}", forecast.tested_steps);
    assert!(forecast.because.contains("too little history to try more than"), "{}", forecast.because);
    let width = |step: usize| (forecast.steps[step - 1].upper / forecast.steps[step - 1].lower).ln();
    assert!(width(24 * 14) > 1.3 * width(24), "{} and {}", width(24), width(24 * 14));
}

/// Up to a tenth to either side, never the same in the same slot of a week.
fn wiggle(slot: usize) -> f64 {
    0.9 + 0.2 * ((slot * 7_919) % 101) as f64 / 101.0
}

#[test]
fn a_level_that_moved_is_followed() {
    let tenants = |slot: usize| if slot < 37 * 24 { 1.0 } else { 3.0 };
    let values = office(42).into_iter().enumerate().map(|(i, v)| tenants(i) * v * wiggle(i)).collect();
    let forecast = forecast_of(&series(values), 24);
    let day: f64 = forecast.steps.iter().map(|s| s.median).sum();
    let old: f64 = office(1).iter().sum();
    assert!(day > 2.5 * old && day < 3.5 * old, "{day} after {old} times three: {}", forecast.because);
}

#[test]
fn growth_goes_on() {
    let values: Vec<f64> = office(56).into_iter().enumerate().map(|(i, v)| v * 1.1f64.powf(i as f64 / 168.0)).collect();
    let forecast = forecast_of(&series(values.clone()), 168);
    let week: f64 = forecast.steps.iter().map(|s| s.median).sum();
    let last: f64 = values.iter().rev().take(168).sum();
    assert!(week > 1.06 * last && week < 1.15 * last, "{week} after {last}, growing by a tenth a week");
}

#[test]
fn one_wild_value_does_not_move_the_forecast() {
    let mut values: Vec<f64> = office(35).into_iter().enumerate().map(|(i, v)| v * wiggle(i)).collect();
    let calm = forecast_of(&series(values.clone()), 24);
    let at = values.len() - 60;
    values[at] = 20.0 * 110.0;
    let wild = forecast_of(&series(values), 24);
    for (a, b) in calm.steps.iter().zip(&wild.steps) {
        assert!((a.median - b.median).abs() < 0.3 * a.median, "{a:?} became {b:?}: {:?}", wild.evidence);
    }
}

#[test]
fn filled_slots_are_no_truth() {
    let values = office(35);
    let samples: Vec<(i64, f64)> = values.iter().enumerate().map(|(i, v)| (i as i64 * HOUR, *v)).collect();
    let holed: Vec<(i64, f64)> = samples.iter().copied().filter(|(t, _)| t / HOUR % 240 >= 40).collect();
    let regular = regularise(&holed, Some(HOUR)).unwrap();
    let forecast = forecast_of(&regular.series, 24);
    let cases = |f: &Forecast| f.evidence.iter().map(|e| e.cases).sum::<usize>();
    assert!(cases(&forecast) < cases(&forecast_of(&series(values.clone()), 24)), "gaps are not compared with");
    for (step, expected) in forecast.steps.iter().zip(&values) {
        assert!((step.median - expected).abs() < 0.1 * expected, "{step:?} for {expected}");
    }
}

#[test]
fn the_evidence_names_who_said_it() {
    let forecast = forecast_of(&series(office(35)), 24);
    for evidence in &forecast.evidence {
        let total: f64 = evidence.members.iter().map(|m| m.weight).sum();
        assert!((total - 1.0).abs() < 1e-9, "weights of step {} sum to {total}", evidence.step);
        assert!(evidence.members.is_sorted_by(|a, b| a.weight >= b.weight));
        assert!(evidence.members.iter().any(|m| m.member == Member::MedianOfWeeks));
    }
    assert!(forecast.because.contains("24 hours ahead"), "{}", forecast.because);
    let document = serde_json::to_string(&forecast).unwrap();
    assert_eq!(serde_json::from_str::<Forecast>(&document).unwrap().because, forecast.because);
}

#[test]
fn an_origin_knows_nothing_of_what_follows() {
    let values = office(35);
    let cut = values.len() - 100;
    let mut changed = values.clone();
    changed[cut..].iter_mut().for_each(|v| *v = *v * 9.0 + 1_000.0);
    let ask = |values: &[f64]| {
        let series = series(values.to_vec());
        let history = History::of(&series);
        let forecaster = Forecaster::fit(&history, cut - 1, 48);
        (1..=48).map(|step| forecaster.step(&history, cut - 1, step, 0.9)).collect::<Vec<_>>()
    };
    assert_eq!(ask(&values), ask(&changed));
    assert_eq!(ask(&values), ask(&values[..cut]));
}

#[test]
fn the_peak_of_a_window_lies_above_what_is_expected_of_its_slots() {
    let noisy: Vec<f64> =
        office(42).into_iter().enumerate().map(|(i, v)| v * (0.7 + 0.6 * ((i * 7_919) % 101) as f64 / 101.0)).collect();
    let series = series(noisy);
    let history = History::of(&series);
    let forecaster = Forecaster::fit(&history, series.len() - 1, 24);
    let rule = forecaster.peak_rule(&history, series.len() - 1, 1, 24);
    let peak = |quantile| forecaster.peak(&history, series.len() - 1, &rule, quantile);
    let expected = forecaster.forecast(&history, 0.9).steps.iter().map(|s| s.median).fold(0.0, f64::max);
    assert!(peak(0.5) > expected, "{} is the middle of the peaks, {expected} of the slots", peak(0.5));
    assert!(peak(0.5) <= peak(0.9) && peak(0.9) <= peak(0.99));
    assert!(peak(0.99) < 2.0 * expected, "{} beside {expected}", peak(0.99));
}

fn any_load() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![Just(0.0), 0.0..1.0, 0.0..1e3, 0.0..1e12];
    let flat = (0.0..1e6, 1..200usize).prop_map(|(v, n)| vec![v; n]);
    let seasonal = (2..40usize, 1.0..1e5, 0.0..0.9).prop_map(|(days, size, noise)| {
        let wiggle = |i: usize| 1.0 + noise * ((i * 7_919 % 101) as f64 / 101.0 - 0.5);
        office(days).into_iter().enumerate().map(|(i, v)| v * size * wiggle(i)).collect()
    });
    prop_oneof![proptest::collection::vec(value, 1..300), flat, seasonal]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_forecast_is_a_load_with_an_interval_around_it(values in any_load(), steps in 1..200usize, level in 0.5..0.999) {
        let series = series(values);
        let history = History::of(&series);
        let forecaster = Forecaster::fit(&history, series.len() - 1, steps);
        let forecast = forecaster.forecast(&history, level);
        prop_assert_eq!(forecast.steps.len(), steps);
        for step in &forecast.steps {
            prop_assert!([step.lower, step.median, step.mean, step.upper].iter().all(|v| v.is_finite() && *v >= 0.0), "{:?}", step);
            prop_assert!(step.lower <= step.median && step.median <= step.upper, "{:?}", step);
        }
        let rule = forecaster.peak_rule(&history, series.len() - 1, 1, steps);
        let peaks = [0.5, 0.9, 0.99].map(|q| forecaster.peak(&history, series.len() - 1, &rule, q));
        prop_assert!(peaks.iter().all(|p| p.is_finite() && *p >= 0.0) && peaks.is_sorted(), "{:?}", peaks);
    }

    #[test]
    fn the_unit_does_not_matter(values in any_load(), power in -3..2i32) {
        // A power of two, so that not even rounding differs.
        let factor = 1024f64.powi(power);
        prop_assume!(values.iter().sum::<f64>() / values.len() as f64 > 1e-2);
        let plain = forecast_of(&series(values.clone()), 48);
        let scaled = forecast_of(&series(values.iter().map(|v| v * factor).collect()), 48);
        for (a, b) in plain.steps.iter().zip(&scaled.steps) {
            for (x, y) in [(a.lower, b.lower), (a.median, b.median), (a.mean, b.mean), (a.upper, b.upper)] {
                prop_assert!((x * factor - y).abs() <= 1e-9 * y.abs() + 1e-9 * factor, "{:?} times {} became {:?}", a, factor, b);
            }
        }
    }

    #[test]
    fn when_it_was_does_not_matter_and_the_same_is_said_twice(values in any_load(), weeks in 0..3_000i64) {
        let first = forecast_of(&series(values.clone()), 30);
        let later = Series::new(weeks * 7 * 86_400, HOUR, values).unwrap();
        let second = forecast_of(&later, 30);
        prop_assert_eq!(&first.steps, &second.steps);
        prop_assert_eq!(first.evidence, second.evidence);
        prop_assert_eq!(first.start + weeks * 7 * 86_400, second.start);
        prop_assert_eq!(forecast_of(&later, 30), forecast_of(&later, 30));
    }
}
