//! How far off forecasts are, beside the usual single models, and what scaling by them saves:
//! `cargo run --release -p foreshard-core --example forecast [FOLDER…]`.
//!
//! Every FOLDER/*.csv is a trace (`timestamp,value`, evenly spaced); made-up loads are measured as well. From every slot of
//! the test part 60 minutes and 24 hours ahead are forecast; models that are fitted are refitted every day.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/core/forecast_baselines.rs"]
mod baselines;
#[path = "../tests/core/forecast_world.rs"]
mod world;

use baselines::{Baselines, NAMES};
use foreshard_core::forecast::{DAY_SECONDS, Forecaster, History, Series};
use std::time::Instant;

const LEVEL: f64 = 0.9;

#[derive(Default, Clone)]
struct Score {
    wrong: f64,
    relative: f64,
    nonzero: usize,
    cases: usize,
}

impl Score {
    fn add(&mut self, forecast: f64, came: f64) {
        let error = (forecast - came).abs();
        self.wrong += error;
        self.cases += 1;
        if came > 0.0 {
            self.relative += error / came;
            self.nonzero += 1;
        }
    }
}

struct Trace {
    name: String,
    series: Series,
    test_from: usize,
    real: bool,
    tuned_on: bool,
}

fn days_from_civil(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (m + if m > 2 { -3 } else { 9 }) + 2) / 5 + d - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn seconds(stamp: &str) -> i64 {
    let parts: Vec<i64> = stamp.split(['-', ' ', ':', 'T']).map(|p| p.parse().unwrap()).collect();
    days_from_civil(parts[0], parts[1], parts[2]) * DAY_SECONDS + parts[3] * 3_600 + parts[4] * 60 + parts[5]
}

/// The first part is for training: 60 days, 28 or two thirds, whichever is the most that leaves half of it to test.
fn test_from(series: &Series) -> usize {
    let day = usize::try_from(DAY_SECONDS / series.interval_seconds()).unwrap();
    [60, 28].map(|days| days * day).into_iter().find(|n| 3 * n <= series.len()).unwrap_or(series.len() * 2 / 3)
}

fn read(path: &std::path::Path) -> Trace {
    let text = std::fs::read_to_string(path).unwrap();
    let samples: Vec<(i64, f64)> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(time, value)| (seconds(time), value.parse().unwrap()))
        .collect();
    let mut gaps: Vec<i64> = samples.windows(2).map(|w| w[1].0 - w[0].0).collect();
    gaps.sort_unstable();
    let interval = gaps[gaps.len() / 2];
    let slots = (samples.last().unwrap().0 - samples[0].0) / interval + 1;
    let mut values = vec![f64::NAN; slots as usize];
    for (time, value) in &samples {
        values[((time - samples[0].0) / interval) as usize] = *value;
    }
    let mut last = 0.0;
    for value in &mut values {
        if value.is_nan() {
            *value = last;
        }
        last = *value;
    }
    let series = Series::new(samples[0].0, interval, values).unwrap();
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    Trace { name, test_from: test_from(&series), series, real: true, tuned_on: true }
}

struct Outcome {
    wape: Vec<f64>,
    mase: Vec<f64>,
    mre: Vec<f64>,
    coverage: f64,
}

/// The last column is ours.
fn measure(trace: &Trace, minutes: i64, refit: bool) -> (Outcome, f64, f64) {
    let series = &trace.series;
    let y = series.values();
    let day = usize::try_from(DAY_SECONDS / series.interval_seconds()).unwrap();
    let step = usize::try_from((minutes * 60 / series.interval_seconds()).max(1)).unwrap();
    let history = History::of(series);
    let mut baselines = Baselines::new(y, day, step);
    let mut scores = vec![Score::default(); NAMES.len() + 1];
    let (mut sum, mut inside, mut fit_time, mut fits, mut step_time) = (0.0, 0usize, 0.0, 0usize, 0.0);
    let mut forecaster = None;
    for target in trace.test_from..y.len() {
        let origin = target - step;
        if (target - trace.test_from) % day == 0 {
            if refit || target == trace.test_from {
                baselines.learn_until(origin);
            }
            let start = Instant::now();
            forecaster = Some(Forecaster::fit(&history, origin, step));
            fit_time += start.elapsed().as_secs_f64();
            fits += 1;
        }
        let start = Instant::now();
        let ours = forecaster.as_ref().unwrap().step(&history, origin, step, LEVEL);
        step_time += start.elapsed().as_secs_f64();
        sum += y[target];
        inside += usize::from((ours.lower..=ours.upper).contains(&y[target]));
        for (score, forecast) in scores.iter_mut().zip(baselines.forecast(origin).into_iter().chain([ours.median])) {
            score.add(forecast, y[target]);
        }
    }
    let naive: f64 =
        (day..trace.test_from).map(|t| (y[t] - y[t - day]).abs()).sum::<f64>() / (trace.test_from - day) as f64;
    let cases = scores[0].cases;
    let outcome = Outcome {
        wape: scores.iter().map(|s| s.wrong / sum).collect(),
        mase: scores.iter().map(|s| s.wrong / cases as f64 / naive).collect(),
        mre: scores.iter().map(|s| s.relative / s.nonzero as f64).collect(),
        coverage: inside as f64 / cases as f64,
    };
    (outcome, fit_time / fits as f64 * 1e3, step_time / cases as f64 * 1e6)
}

fn traces() -> Vec<Trace> {
    let mut paths: Vec<_> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()))
        .filter(|p| p.extension().is_some_and(|e| e == "csv"))
        .collect();
    paths.sort();
    let made = world::LOADS.iter().map(|load| {
        let series = load.series(1);
        Trace {
            name: load.name.to_owned(),
            test_from: series.len() * 2 / 3,
            series,
            real: false,
            tuned_on: load.tuned_on,
        }
    });
    paths.iter().map(|p| read(p)).chain(made).collect()
}

fn table(traces: &[&Trace], minutes: i64, refit: bool) {
    println!("\n{minutes} minutes ahead, WAPE / MASE / MRE{}", if refit { "" } else { " (baselines fitted once)" });
    print!("{:22}", "trace");
    NAMES.iter().chain(&["foreshard"]).for_each(|name| print!(" | {name:>18}"));
    println!(" | best | coverage | fit ms | step us");
    let mut totals = vec![[0.0; 3]; NAMES.len() + 1];
    for trace in traces {
        let (outcome, fit, step) = measure(trace, minutes, refit);
        print!("{:22}", trace.name.chars().take(22).collect::<String>());
        for (i, total) in totals.iter_mut().enumerate() {
            let three = [outcome.wape[i], outcome.mase[i], outcome.mre[i]];
            total.iter_mut().zip(three).for_each(|(t, x)| *t += x / traces.len() as f64);
            print!(" | {:5.3} {:5.3} {:6.3}", three[0], three[1], three[2]);
        }
        let best = outcome.wape[..NAMES.len()].iter().copied().fold(f64::INFINITY, f64::min);
        let ours = outcome.wape[NAMES.len()];
        println!(
            " | {:+4.0}% | {:5.1} % | {fit:6.1} | {step:5.1}",
            (ours / best - 1.0) * 100.0,
            outcome.coverage * 100.0
        );
    }
    print!("{:22}", "mean");
    totals.iter().for_each(|t| print!(" | {:5.3} {:5.3} {:6.3}", t[0], t[1], t[2]));
    println!();
}

fn main() {
    let traces = traces();
    let real: Vec<&Trace> = traces.iter().filter(|t| t.real).collect();
    let tuned: Vec<&Trace> = traces.iter().filter(|t| !t.real && t.tuned_on).collect();
    let held: Vec<&Trace> = traces.iter().filter(|t| !t.tuned_on).collect();
    for minutes in [60, 1_440] {
        if !real.is_empty() {
            table(&real, minutes, true);
        }
        if std::env::args().any(|a| a == "--once") {
            table(&real, minutes, false);
        }
        table(&tuned, minutes, true);
        if !std::env::args().any(|a| a == "--tuning") {
            table(&held, minutes, true);
        }
    }
}
