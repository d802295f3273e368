//! How far off forecasts are, beside the usual single models, and what scaling by them saves:
//! `cargo run --release -p foreshard-core --example forecast [FOLDER…]`.
//!
//! Every FOLDER/*.csv is a trace (`timestamp,value`, evenly spaced); made-up loads are measured as well. From every slot of
//! the test part 60 minutes and 24 hours ahead are forecast; models that are fitted are refitted every day. `--once` shows the
//! traces with baselines fitted to the training part only as well; `--tuning` leaves out the loads that only judge.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/core/forecast_baselines.rs"]
mod baselines;
#[path = "forecast/provisioning.rs"]
mod provisioning;
#[path = "../tests/core/forecast_world.rs"]
mod world;

use baselines::{Baselines, NAMES};
use foreshard_core::forecast::{DAY_SECONDS, Forecaster, History, Series};
use std::time::Instant;

const LEVEL: f64 = 0.9;
const MINUTES: [i64; 2] = [60, 1_440];

/// Seconds that this thread ran: other work on the machine does not count.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

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

/// The first part is for training: 60 days or 28 if twice as many are left to test, or two thirds.
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

/// One number of minutes ahead while a trace is walked.
struct Walk<'a> {
    minutes: i64,
    step: usize,
    baselines: Baselines<'a>,
    /// The last one is ours.
    scores: Vec<Score>,
    inside: usize,
}

struct Outcome {
    /// WAPE, MASE, MRE.
    scores: Vec<[f64; 3]>,
    coverage: f64,
}

/// Fits for a week ahead every day, with what was known an origin ago; the same fit answers all horizons.
fn measure(trace: &Trace, refit_baselines: bool) -> (Vec<(i64, Outcome)>, f64) {
    let series = &trace.series;
    let y = series.values();
    let day = usize::try_from(DAY_SECONDS / series.interval_seconds()).unwrap();
    let history = History::of(series);
    let mut walks: Vec<Walk> = MINUTES
        .into_iter()
        .map(|minutes| {
            let step = usize::try_from((minutes * 60 / series.interval_seconds()).max(1)).unwrap();
            let scores = vec![Score::default(); NAMES.len() + 1];
            Walk { minutes, step, baselines: Baselines::new(y, day, step), scores, inside: 0 }
        })
        .collect();
    let (mut fit_time, mut fits) = (0.0, 0usize);
    let longest = walks.iter().map(|w| w.step).max().unwrap();
    let mut forecaster = None;
    for origin in trace.test_from - longest..y.len() {
        if (origin - (trace.test_from - longest)).is_multiple_of(day) {
            let start = processor_time();
            forecaster = Some(Forecaster::fit(&history, origin, 7 * day));
            fit_time += processor_time() - start;
            fits += 1;
            if refit_baselines || fits == 1 {
                walks.iter_mut().for_each(|walk| walk.baselines.learn_until(origin));
            }
        }
        for walk in &mut walks {
            let target = origin + walk.step;
            let Some(came) = y.get(target).filter(|_| target >= trace.test_from) else { continue };
            let ours = forecaster.as_ref().unwrap().step(&history, origin, walk.step, LEVEL);
            walk.inside += usize::from((ours.lower..=ours.upper).contains(came));
            for (score, forecast) in
                walk.scores.iter_mut().zip(walk.baselines.forecast(origin).into_iter().chain([ours.median]))
            {
                score.add(forecast, *came);
            }
        }
    }
    // MASE: against the error of "the same time yesterday" in the training part.
    let naive = (day..trace.test_from).map(|t| (y[t] - y[t - day]).abs()).sum::<f64>() / (trace.test_from - day) as f64;
    let sum: f64 = y[trace.test_from..].iter().sum();
    let outcome = |walk: Walk| {
        let of = |s: &Score| [s.wrong / sum, s.wrong / s.cases as f64 / naive, s.relative / s.nonzero as f64];
        let coverage = walk.inside as f64 / walk.scores[0].cases as f64;
        (walk.minutes, Outcome { scores: walk.scores.iter().map(of).collect(), coverage })
    };
    (walks.into_iter().map(outcome).collect(), fit_time / fits as f64 * 1e3)
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

fn table(title: &str, traces: &[&Trace], refit: bool) {
    let measured: Vec<_> = traces.iter().map(|trace| (trace, measure(trace, refit))).collect();
    for (at, minutes) in MINUTES.into_iter().enumerate() {
        println!("\n{title}, {minutes} minutes ahead: WAPE MASE MRE");
        print!("{:20}", "trace");
        NAMES.iter().chain(&["foreshard"]).for_each(|name| print!(" | {name:>18}"));
        println!(" | to best | covered | fit ms");
        let mut totals = vec![[0.0; 3]; NAMES.len() + 1];
        for (trace, (outcomes, fit)) in &measured {
            let outcome = &outcomes[at].1;
            print!("{:20}", trace.name.chars().take(20).collect::<String>());
            for (total, three) in totals.iter_mut().zip(&outcome.scores) {
                total.iter_mut().zip(three).for_each(|(t, x)| *t += x / traces.len() as f64);
                print!(" | {:5.3} {:5.2} {:6.3}", three[0], three[1], three[2]);
            }
            let (ours, others) = outcome.scores.split_last().unwrap();
            let best = others.iter().map(|s| s[0]).fold(f64::INFINITY, f64::min);
            println!(" | {:+5.0} % | {:5.1} % | {fit:6.1}", (ours[0] / best - 1.0) * 100.0, outcome.coverage * 100.0);
        }
        print!("{:20}", "mean");
        totals.iter().for_each(|t| print!(" | {:5.3} {:5.2} {:6.3}", t[0], t[1], t[2]));
        println!();
    }
}

fn provisioning(traces: &[&Trace]) {
    use provisioning::{NODES_AT_PEAK, QUANTILE, SCALE_SECONDS, Simulation};
    println!(
        "\nnodes by forecast (peak at {QUANTILE}) and by reaction: {SCALE_SECONDS} s to scale, {NODES_AT_PEAK} nodes carry the training peak"
    );
    println!("{:20} | slots | nodes | overloaded | nodes reacting | overloaded | reserve | fewer", "trace");
    for trace in traces {
        let day = usize::try_from(DAY_SECONDS / trace.series.interval_seconds()).unwrap();
        let interval_seconds = trace.series.interval_seconds();
        let simulation = Simulation { y: trace.series.values(), from: trace.test_from, interval_seconds };
        let ours = simulation.forecast(&History::of(&trace.series), day, QUANTILE);
        let (other, reserve) = simulation.reactive_with(ours.mean_nodes);
        let fewer = 1.0 - ours.overloaded as f64 / other.overloaded.max(1) as f64;
        println!(
            "{:20} | {:5} | {:5.2} | {:10} | {:14.2} | {:10} | {reserve:7.2} | {:4.0} %",
            trace.name.chars().take(20).collect::<String>(),
            trace.series.len() - trace.test_from,
            ours.mean_nodes,
            ours.overloaded,
            other.mean_nodes,
            other.overloaded,
            fewer * 100.0
        );
    }
}

/// A thousand series of two thousand points, a week ahead, on two threads.
fn speed() {
    for interval in [3_600, 900] {
        let (start, began) = (Instant::now(), processor_time());
        let day = usize::try_from(DAY_SECONDS / interval).unwrap();
        let work = |first: usize| {
            let began = processor_time();
            let mut noise = world::Noise::new(first as u64);
            for _ in (first..1_000).step_by(2) {
                let values = (0..2_000).map(|i| {
                    let hour = (i % day) as f64 / day as f64 * std::f64::consts::TAU;
                    (300.0 + 200.0 * hour.sin()) * (0.1 * noise.normal()).exp()
                });
                let series = Series::new(world::START, interval, values.collect()).unwrap();
                let history = History::of(&series);
                let forecast = Forecaster::fit(&history, series.len() - 1, 7 * day).forecast(&history, LEVEL);
                assert_eq!(forecast.steps.len(), 7 * day);
            }
            processor_time() - began
        };
        let other = std::thread::scope(|s| {
            let other = s.spawn(|| work(1));
            work(0);
            other.join().unwrap()
        });
        let processor = processor_time() - began + other;
        println!(
            "\n1,000 series of 2,000 points every {interval} s, a week ahead, 2 threads: {:.1} s ({:.1} ms of processor each)",
            start.elapsed().as_secs_f64(),
            processor
        );
    }
}

fn main() {
    let traces = traces();
    let wanted = |word: &str| std::env::args().any(|a| a == word);
    let real: Vec<&Trace> = traces.iter().filter(|t| t.real).collect();
    let tuned: Vec<&Trace> = traces.iter().filter(|t| !t.real && t.tuned_on).collect();
    let held: Vec<&Trace> = traces.iter().filter(|t| !t.tuned_on).collect();
    if wanted("--once") && !real.is_empty() {
        table("traces, baselines fitted once", &real, false);
    }
    if !real.is_empty() {
        table("traces", &real, true);
    }
    table("made up, tuned on", &tuned, true);
    if !wanted("--tuning") {
        table("made up, held out", &held, true);
    }
    let shown: Vec<&Trace> = traces.iter().filter(|t| t.tuned_on || !wanted("--tuning")).collect();
    provisioning(&shown);
    speed();
}
