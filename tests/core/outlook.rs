//! What a load history does to a plan: growth of sizes, copies of counters, demand at the horizon, the next split.
#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use crate::forecast_world::Noise;
use crate::planner_world::{Log, Uses, World, profile, t, table};
use foreshard_core::forecast::{Copies, Counts, Growth, Series, by_littles_law, outlook, rates};
use foreshard_core::model::outlook::{Due, NextSplit};
use foreshard_core::model::words::{date, figure, moment};
use foreshard_core::model::{Interrupts, LoadHistory, Measured, Metric, Outlook, Plan, Span};
use foreshard_core::plan::{PlanInput, explain, plan};
use proptest::prelude::*;
use serde_json::json;

const HOUR: i64 = 3_600;
const WEEK: Span = Span(7 * 86_400);
/// 2026-03-02 00:00, a Monday.
const MONDAY: i64 = 1_772_409_600;

fn series(values: Vec<f64>) -> Series {
    Series::new(MONDAY, HOUR, values).unwrap()
}

fn hourly(metric: Metric, days: usize, value: impl Fn(usize) -> f64) -> Measured {
    let samples = (0..days * 24).map(|slot| (MONDAY + slot as i64 * HOUR, value(slot))).collect();
    Measured { metric, name: metric.name().to_owned(), samples }
}

fn history(measured: Vec<Measured>) -> LoadHistory {
    LoadHistory { source: "ops.load".to_owned(), measured, notes: Vec::new() }
}

fn look(measured: Vec<Measured>) -> Outlook {
    outlook(&history(measured), WEEK, Interrupts::default()).unwrap()
}

fn office(slot: usize) -> f64 {
    if (slot / 24) % 7 < 5 && (8..18).contains(&(slot % 24)) { 9_000.0 } else { 1_000.0 }
}

fn world(config: serde_json::Value) -> World {
    let orders = table("orders", &["id!", "customer_id", "note:text"], &["id"]);
    let log = Log::default().select(9_000.0, vec![t("orders").pin(&["customer_id"])]).insert(500.0, "orders");
    // (1e9 + 1e7 x 28 bytes) x 1.5 = 1.92e9 bytes on disk.
    World::new(vec![orders], log.oltp())
        .profiled(profile(10_000_000, 100, &[("id", 10_000_000), ("customer_id", 500_000), ("note", 1_000_000)]))
        .config(config)
}

fn planned(measured: Vec<Measured>, config: serde_json::Value) -> Plan {
    let (world, outlook) = (world(config), look(measured));
    plan(&PlanInput { outlook: Some(&outlook), ..world.input("orders") }).unwrap()
}

fn next(plan: &Plan) -> &NextSplit {
    plan.next_split.as_ref().unwrap()
}

fn bound(plan: &Plan, name: &str) -> f64 {
    plan.count.bounds.iter().find(|b| b.name == name).unwrap().value
}

/// What a plan takes one shard, or its server, to bear.
fn borne(name: &str) -> f64 {
    1e6 / bound(&planned(Vec::new(), json!({"throughput": 1e6, "concurrency": 1e6})), name)
}

#[test]
fn what_grows_steadily_goes_on_and_what_stays_stays() {
    let line = Growth::of(&series((0..20 * 24).map(|slot| 1e9 + slot as f64 * 1e6).collect()), 168);
    assert!((line.per_day().unwrap() - 24e6).abs() < 1.0 && line.steady_per_day() == line.per_day());
    let week = line.step(168, 0.9);
    assert!((week.median - (1e9 + (20.0 * 24.0 - 1.0 + 168.0) * 1e6)).abs() < 1.0 && week.upper - week.lower < 1.0);
    let constant = Growth::of(&series(vec![5e9; 20 * 24]), 168);
    assert_eq!((constant.per_day(), constant.steady_per_day()), (Some(0.0), Some(0.0)));
    assert_eq!((constant.step(168, 0.9).lower, constant.step(168, 0.9).upper), (5e9, 5e9));
}

#[test]
fn a_bulk_load_is_no_growth_and_a_nightly_one_is() {
    let once = Growth::of(&series((0..30 * 24).map(|slot| if slot < 400 { 1e9 } else { 3e9 }).collect()), 168);
    assert_eq!(once.step(168, 0.9).median, 3e9);
    assert!(once.step(168, 0.9).upper > 4e9, "it may happen again");
    let nightly = Growth::of(&series((0..30 * 24).map(|slot| 1e9 + (slot / 24) as f64 * 1e8).collect()), 168);
    assert!((nightly.step(168, 0.9).median - 4.6e9).abs() < 1e7, "{:?}", nightly.step(168, 0.9));
}

#[test]
fn what_is_deleted_every_week_is_not_taken_for_growth() {
    let saw = Growth::of(&series((0..42 * 24).map(|slot| 1e9 + (slot % 168) as f64 * 1e7).collect()), 168);
    assert_eq!(saw.steady_per_day(), Some(0.0));
    assert!((saw.step(168, 0.9).median - (1e9 + 167.0 * 1e7)).abs() < 1.0);
}

#[test]
fn a_history_of_less_than_a_day_tells_no_growth_and_a_short_one_is_wide() {
    for length in [1, 2, 24] {
        let young = Growth::of(&series((0..length).map(|slot| 1e9 + slot as f64 * 1e8).collect()), 168);
        assert_eq!((young.per_day(), young.tried_steps()), (None, 0));
        let step = young.step(168, 0.9);
        assert!(step.upper > 1.3 * step.median && step.lower < 0.7 * step.median, "{step:?}");
    }
}

#[test]
fn intervals_of_growth_hold() {
    type Kind = fn(&mut Noise, usize, f64) -> f64;
    let kinds: [(&str, i32, Kind); 4] = [
        ("by chance", 51, |n, _, size| size + 1e6 + 4e6 * n.normal()),
        ("bulk loads", 51, |n, _, size| size + 2e5 + if n.uniform() < 0.01 { 1e8 * n.uniform() } else { 0.0 }),
        ("working days", 51, |n, slot, size| {
            size + if office(slot) > 1_000.0 { 4e6 * (0.5 + n.uniform()) } else { 1e5 }
        }),
        // What doubles in three months is underestimated within its interval less often.
        ("compound", 45, |n, _, size| size * (1.0 + 0.0003 * (0.5 + n.uniform()))),
    ];
    for (name, least, kind) in kinds {
        let mut held = [0; 2];
        for seed in 0..60 {
            let (mut noise, mut size, known) = (Noise::new(seed), 1e9, 28 * 24);
            let values: Vec<f64> = (0..known + 14 * 24)
                .map(|slot| {
                    size = kind(&mut noise, slot + seed as usize * 37, size);
                    size
                })
                .collect();
            let past = series(values[..known].to_vec());
            for (held, ahead) in held.iter_mut().zip([168, 14 * 24]) {
                let step = Growth::of(&past, ahead).step(ahead, 0.9);
                *held += i32::from((step.lower..=step.upper).contains(&values[known - 1 + ahead]));
            }
        }
        assert!(held.iter().all(|held| *held >= least), "{name}: {held:?} of 60");
    }
}

proptest! {
    #[test]
    fn growth_is_finite_and_ordered_for_any_series(
        values in prop::collection::vec(prop::sample::select(vec![0.0, 1.0, 7e3, 1e18]), 1..80),
        interval in prop::sample::select(vec![60i64, 3_600, 86_400]),
        steps in 1usize..500,
    ) {
        let growth = Growth::of(&Series::new(0, interval, values).unwrap(), steps);
        for step in [1, steps].map(|step| growth.step(step, 0.9)) {
            prop_assert!(step.lower >= 0.0 && step.lower <= step.median && step.median <= step.upper && step.upper.is_finite());
        }
    }
}

fn counts(calls: f64, total_milliseconds: f64) -> Counts {
    Counts { calls, total_milliseconds, ..Counts::default() }
}

#[test]
fn counters_of_many_statements_are_one() {
    let mut copies = Copies::default();
    let at = |hour: i64| MONDAY + hour * HOUR;
    // "b" is evicted for a copy and has gone on; "c" is new; at hour 3 everything is reset; "d" has no counts.
    for (hour, statement, calls) in [
        (0, "a", 1e6),
        (0, "b", 500.0),
        (1, "a", 1e6 + 3_600.0),
        (2, "a", 1e6 + 7_200.0),
        (2, "b", 700.0),
        (2, "c", 100.0),
        (2, "d", f64::NAN),
        (3, "a", 1_800.0),
        (3, "b", 0.0),
    ] {
        copies.add(at(hour), statement, counts(calls, calls * 2.0));
    }
    assert_eq!((copies.resets, copies.damaged), (2, 1));
    let found = rates(&copies.totals()).unwrap();
    let calls: Vec<(i64, f64)> = found.calls_per_second.iter().map(|(t, r)| (*t, (r * 3_600.0).round())).collect();
    assert_eq!(calls, [(at(0), 3_600.0), (at(1), 3_600.0 + 200.0 + 100.0), (at(2), 1_800.0)]);
    assert!(found.mean_milliseconds.iter().all(|(_, ms)| (ms - 2.0).abs() < 1e-9));
}

#[test]
fn rows_of_one_copy_may_be_stamped_one_by_one() {
    let mut copies = Copies::default();
    for copy in 0..3 {
        for (row, statement) in ["a", "b", "c"].iter().enumerate() {
            copies.add(MONDAY + copy * 300 + row as i64, *statement, counts(600.0 * copy as f64, 0.0));
        }
    }
    let found = rates(&copies.totals()).unwrap();
    assert_eq!(found.calls_per_second, [(MONDAY, 6.0), (MONDAY + 300, 6.0)]);
}

#[test]
fn rows_are_those_of_now_less_what_was_added_since() {
    let mut copies = Copies::default();
    let rows = |inserted: f64, deleted: f64| Counts { calls: 1.0, inserted, deleted, ..Counts::default() };
    for (hour, insert, delete) in [(0, 900.0, 50.0), (1, 1_000.0, 50.0), (2, 1_200.0, 80.0), (3, 40.0, 0.0)] {
        copies.add(MONDAY + hour * HOUR, "insert", rows(insert, 0.0));
        copies.add(MONDAY + hour * HOUR, "delete", rows(0.0, delete));
    }
    let found: Vec<f64> = copies.rows(5_000.0).iter().map(|r| r.1).collect();
    // The last copy was made after a reset: 40 rows were added since, and none taken away.
    assert_eq!(found, [4_690.0, 4_790.0, 4_960.0, 5_000.0]);
    let mut reading = Copies::default();
    (0..3).for_each(|hour| reading.add(MONDAY + hour * HOUR, "select", counts(hour as f64, 0.0)));
    assert!(reading.rows(5_000.0).is_empty());
}

proptest! {
    #[test]
    fn counters_never_give_a_negative_load(
        rows in prop::collection::vec((0i64..4_000, 0u8..4, prop::sample::select(vec![0.0, 1.0, 50.0, 1e15, -3.0, f64::NAN])), 0..60),
    ) {
        let mut rows = rows;
        rows.sort_by_key(|row| row.0);
        let mut copies = Copies::default();
        for (time, statement, count) in rows {
            copies.add(time, statement, counts(count, count));
        }
        if let Ok(rates) = rates(&copies.totals()) {
            prop_assert!(rates.resets == 0 && rates.calls_per_second.iter().all(|(_, r)| *r >= 0.0 && r.is_finite()));
        }
    }
}

#[test]
fn concurrency_is_arrivals_times_stay_unless_it_was_measured() {
    let (rate, mean) = (hourly(Metric::Rate, 2, |_| 500.0), hourly(Metric::MeanMs, 2, |_| 4.0));
    let found = by_littles_law(&[rate.clone(), mean.clone()]).unwrap();
    assert!(found.metric == Metric::Sessions && found.samples.iter().all(|(_, n)| (n - 2.0).abs() < 1e-12));
    assert_eq!(by_littles_law(&[rate, mean, hourly(Metric::Sessions, 2, |_| 9.0)]), None);
}

#[test]
fn a_plan_is_made_for_the_peak_and_the_size_of_the_horizon() {
    let busy = |scale: f64| hourly(Metric::Rate, 28, move |slot| scale * office(slot));
    let growing = hourly(Metric::Bytes, 28, |slot| 1e9 + slot as f64 * 1e6);
    let plan = planned(vec![busy(10.0), growing, hourly(Metric::Sessions, 28, |_| 100.0)], json!({}));
    let asked = |name: &str| bound(&plan, name) * borne(name);
    assert!((85_000.0..100_000.0).contains(&asked("throughput")), "{}", asked("throughput"));
    let size = plan.forecast.as_ref().unwrap().size().unwrap().clone();
    assert!((size.upper / size.now - 1.0 - 168e6 / size.now).abs() < 0.01, "{size:?}");
    let volume = plan.count.bounds.iter().find(|b| b.name == "volume").unwrap();
    assert!(volume.because.contains("after growing 1.1"), "{}", volume.because);
    assert!((99.0..105.0).contains(&asked("concurrency")), "{}", asked("concurrency"));
}

#[test]
fn the_config_overrules_the_forecast() {
    let measured = vec![hourly(Metric::Rate, 28, office), hourly(Metric::Sessions, 28, |_| 500.0)];
    let plan = planned(measured, json!({"throughput": 37.0, "concurrency": 1.6, "growth": 3.0}));
    for (name, said) in [("throughput", 37.0), ("concurrency", 1.6)] {
        assert!((bound(&plan, name) * borne(name) / said - 1.0).abs() < 0.02, "{name}: {}", bound(&plan, name));
    }
}

#[test]
fn a_plan_without_a_history_says_nothing_of_it() {
    let plan = world(json!({})).plan("orders");
    assert_eq!((&plan.forecast, &plan.next_split), (&None, &None));
    assert!(!explain(&plan).contains("Forecast"), "{}", explain(&plan));
}

#[test]
fn explain_tells_the_forecast_and_the_next_split() {
    let measured = vec![hourly(Metric::Rate, 28, office), hourly(Metric::MeanMs, 28, |_| 2.5)];
    let told = explain(&planned(measured, json!({})));
    assert!(told.contains("Forecast: up to 7 days after 2026-03-29 23:00, by ops.load"), "{told}");
    assert!(told.contains("2.5 ms each"), "{told}");
    assert!(told.contains("Next split: Not within 7 days"), "{told}");
    assert!(told.contains("Nodes: ") && told.lines().count() <= 45, "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
    let young = explain(&planned(vec![hourly(Metric::Rate, 1, |_| 40.0)], json!({})));
    assert!(young.contains("too little history"), "{young}");
}

#[test]
fn a_forecast_that_could_not_be_tried_asks_for_no_shards() {
    let one = planned(vec![hourly(Metric::Rate, 1, |slot| 100.0 * slot as f64)], json!({"shard_count": 2}));
    let (rate, asked) = (
        one.forecast.as_ref().unwrap().of(Metric::Rate).unwrap().clone(),
        bound(&one, "throughput") * borne("throughput"),
    );
    assert!(rate.tried.is_none() && rate.peak > 2.0 * rate.highest, "{rate:?}");
    assert!((2_280.0..2_320.0).contains(&asked), "{asked}");
    assert_eq!(next(&one).due, Due::Unknown, "{:?}", next(&one));
}

#[test]
fn the_next_split_is_dated_by_the_growth_of_the_size() {
    // 1.92 GB on disk in 4 shards of at most 1 GB: 2.08 times what is there. From 2 GB, by 24 MB a day.
    let growing = || hourly(Metric::Bytes, 28, |slot| 2e9 - (671.0 - slot as f64) * 1e6);
    let plan = planned(vec![growing()], json!({"target_shard_size": "1GB", "shard_count": 4, "nodes": ["a"]}));
    let when = next(&plan);
    assert_eq!((when.due, when.bound.as_deref()), (Due::Later, Some("volume")));
    // 2e9 x (4 x 2^30 / 1.92e9 - 1) / 24e6 = 103.6 days after 2026-03-29 23:00.
    assert!((Some("2026-07-10")..Some("2026-07-12")).contains(&when.at.as_deref()), "{}", when.because);
    let tight = planned(vec![growing()], json!({"target_shard_size": "480MB", "shard_count": 4}));
    assert_eq!(next(&tight).due, Due::WithinHorizon, "{:?}", next(&tight));
    assert!((Some("2026-04-02")..Some("2026-04-04")).contains(&next(&tight).at.as_deref()), "{:?}", next(&tight));
    let late = planned(vec![growing()], json!({"target_shard_size": "100MB", "shard_count": 4}));
    assert_eq!(next(&late).due, Due::Now, "{:?}", next(&late));
    let empty = planned(vec![hourly(Metric::Bytes, 28, |_| 0.0)], json!({}));
    assert_eq!(next(&empty).due, Due::Unknown, "{:?}", next(&empty));
    let still = planned(vec![hourly(Metric::Bytes, 28, |_| 2e9)], json!({}));
    assert_eq!(next(&still).due, Due::NotForeseen, "{:?}", next(&still));
}

#[test]
fn the_next_split_is_dated_by_the_growth_of_the_load() {
    // Busy hours grow by 0.6 % of what the table's place bears each day, from 60 %: all of it after 67 days.
    let whole = borne("throughput");
    let ramp = |times: f64| {
        let busy = move |slot: usize| {
            0.6 + 0.006 * (slot / 24) as f64 - if (8..18).contains(&(slot % 24)) { 0.0 } else { 0.5 }
        };
        vec![hourly(Metric::Rate, 28, move |slot| times * whole * busy(slot))]
    };
    let plan = planned(ramp(1.0), json!({"method": "none"}));
    let when = next(&plan);
    assert_eq!((when.due, when.bound.as_deref()), (Due::Later, Some("throughput")), "{}", when.because);
    assert!((Some("2026-04-28")..Some("2026-05-10")).contains(&when.at.as_deref()), "{}", when.because);
    assert!(when.because.contains("no sizes"), "{}", when.because);
    let one = planned(ramp(1.5), json!({"method": "none"}));
    assert_eq!(next(&one).due, Due::Now, "{}", next(&one).because);
    let young = planned(vec![hourly(Metric::Rate, 3, |_| 10.0)], json!({"shard_count": 2}));
    assert_eq!(next(&young).due, Due::Unknown, "{}", next(&young).because);
}

#[test]
fn a_history_without_a_load_is_an_answer_and_one_of_rubbish_an_error() {
    let plan = planned(Vec::new(), json!({}));
    assert_eq!(next(&plan).due, Due::Unknown);
    let rubbish = history(vec![hourly(Metric::Rate, 2, |_| f64::NAN), hourly(Metric::Bytes, 2, |_| -1.0)]);
    let problems = outlook(&rubbish, WEEK, Interrupts::default()).unwrap_err();
    assert_eq!(problems.len(), 2);
    assert!(problems.iter().all(|p| p.sqlstate == "22023" && p.hint.is_some()), "{problems:?}");
    assert!(problems[0].detail.as_deref().unwrap().contains("\"rate\""), "{problems:?}");
}

#[test]
fn a_long_horizon_is_looked_at_in_longer_slots() {
    let minutes = (0..10 * 1_440).map(|m| (MONDAY + m * 60, 100.0 + (m % 7) as f64)).collect();
    let measured = Measured { metric: Metric::Rate, name: "rate".to_owned(), samples: minutes };
    let far = outlook(&history(vec![measured.clone()]), Span(60 * 86_400), Interrupts::default()).unwrap();
    assert_eq!((far.series[0].interval.as_str(), far.series[0].days.len()), ("10 minutes", 60));
    let near = outlook(&history(vec![measured]), Span(86_400), Interrupts::default()).unwrap();
    assert_eq!((near.series[0].interval.as_str(), near.series[0].days.len()), ("1 minute", 1));
}

#[test]
fn an_outlook_does_not_depend_on_the_order_of_samples() {
    let mut measured = hourly(Metric::Rate, 21, |slot| office(slot) + (slot * 7_919 % 101) as f64);
    let ordered = look(vec![measured.clone()]);
    measured.samples.sort_by_key(|(time, _)| time.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64));
    let mut shuffled = look(vec![measured]);
    shuffled.series[0].repairs.clear();
    assert_eq!(shuffled, ordered);
}

#[test]
fn spans_and_dates_are_written_as_people_write_them() {
    let read = |text: &str| serde_json::from_value::<Span>(json!(text)).map(|s| s.0).ok();
    assert_eq!(
        (read("7 days"), read("1 Week"), read("90 minutes"), read(" 12 hours ")),
        (Some(604_800), Some(604_800), Some(5_400), Some(43_200))
    );
    for wrong in ["", "7", "days", "7 moons", "-", "1.5 days", "99999999999999999 weeks", "7days"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
    let told: Vec<String> = [604_800, 86_400, 5_400, 61, 0].map(|s| Span(s).to_string()).into();
    assert_eq!(told, ["7 days", "1 day", "90 minutes", "61 seconds", "0 seconds"]);
    assert_eq!(
        (date(0), date(-1), moment(951_827_696)),
        ("1970-01-01".into(), "1969-12-31".into(), "2000-02-29 12:34".to_owned())
    );
    assert_eq!(
        (date(4_107_542_400), date(1_709_164_800), date(-62_135_596_800)),
        ("2100-03-01".into(), "2024-02-29".into(), "0001-01-01".to_owned())
    );
    assert_eq!([0.0, 0.0451, 1.04, 12.34, 99.97, 1_234.5, -0.5].map(figure).join(" "), "0 0.045 1 12.3 100 1,235 -0.5");
}
#[test]
fn steady_growth_goes_on_beyond_what_could_be_tried() {
    let ramp = |slot: usize| (slot / 24) as f64 * 45.0 + if (8..18).contains(&(slot % 24)) { 4_000.0 } else { 400.0 };
    for (history_days, ahead) in [(28, 28), (56, 60)] {
        let measured = history(vec![hourly(Metric::Rate, history_days, ramp)]);
        let far = outlook(&measured, Span(ahead * 86_400), Interrupts::default()).unwrap();
        let (comes, peak) = (ramp((history_days + ahead as usize - 1) * 24 + 12), far.series[0].peak);
        assert!(peak > 0.95 * comes && peak < 1.6 * comes, "{history_days} days, {ahead} ahead: {peak} for {comes}");
    }
}

/// Times of every kind: near each other, far apart, at the ends of the integer.
fn any_samples() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let time = prop_oneof![
        6 => MONDAY..MONDAY + 40 * 86_400,
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, 0, -1]),
        1 => any::<i64>(),
    ];
    let value = prop::sample::select(vec![0.0, 1.0, 1e3, 5e17, -2.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE]);
    prop::collection::vec((time, value), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_history_is_a_plan_or_an_error_that_says_what_to_change(
        rate in any_samples(),
        bytes in any_samples(),
        horizon in 60i64..40 * 86_400,
    ) {
        let measured = |metric: Metric, samples: Vec<(i64, f64)>| Measured { metric, name: metric.name().to_owned(), samples };
        let found = history(vec![measured(Metric::Rate, rate), measured(Metric::Bytes, bytes)]);
        match outlook(&found, Span(horizon), Interrupts::default()) {
            Err(problems) => prop_assert!(problems.iter().all(|p| p.hint.is_some() && p.detail.is_some())),
            Ok(outlook) => {
                for e in &outlook.series {
                    let figures = [e.now, e.highest, e.expected, e.lower, e.upper, e.peak, e.per_day.unwrap_or(0.0)];
                    prop_assert!(figures.iter().all(|f| f.is_finite()) && e.lower <= e.upper && e.lower >= 0.0, "{e:?}");
                }
                let world = world(json!({}));
                let plan = plan(&PlanInput { outlook: Some(&outlook), ..world.input("orders") }).unwrap();
                let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
                prop_assert!(explain(&read).lines().count() <= 45 && read == plan);
            }
        }
    }
}
