//! Accuracy beside the usual single models on made-up loads of different character, an hour and a day ahead, from origins
//! spread over the last third, fitted eight times. Guards against getting worse; benches/forecast.rs measures from every slot.
#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use crate::forecast_baselines::{Baselines, NAMES};
use crate::forecast_world::LOADS;
use foreshard_core::forecast::{DAY_SECONDS, Forecaster, History};

/// How much worse than the best of the single models, known only afterwards, one load may be. Loose, because here a
/// fit is five days old in the end and meets a load that has tripled meanwhile; the mean over all loads is the tight guard.
const NEAR_THE_BEST: f64 = 1.40;

#[test]
fn no_single_model_is_better_over_all_loads_and_none_is_much_better_on_one() {
    for minutes in [60, 1_440] {
        let mut means = [0.0; NAMES.len() + 1];
        let (mut inside, mut asked) = (0.0, 0.0);
        for load in LOADS {
            let series = load.series(2);
            let y = series.values();
            let day = usize::try_from(DAY_SECONDS / load.interval_seconds).unwrap();
            let step = usize::try_from(minutes * 60 / load.interval_seconds).unwrap().max(1);
            let history = History::of(&series);
            let mut baselines = Baselines::new(y, day, step);
            let from = series.len() * 2 / 3;
            let fits = 8;
            let (mut wrong, mut sum) = ([0.0; NAMES.len() + 1], 0.0);
            for fit in 0..fits {
                let stretch = (series.len() - step - 1 - from) / fits;
                let end = from + fit * stretch;
                let forecaster = Forecaster::fit(&history, end, step);
                baselines.learn_until(end);
                for origin in (end..end + stretch).step_by(stretch / 24 + 1) {
                    let ours = forecaster.step(&history, origin, step, 0.9);
                    let came = y[origin + step];
                    for (wrong, said) in
                        wrong.iter_mut().zip(baselines.forecast(origin).into_iter().chain([ours.median]))
                    {
                        *wrong += (said - came).abs();
                    }
                    sum += came;
                    inside += f64::from(u8::from((ours.lower..=ours.upper).contains(&came)));
                    asked += 1.0;
                }
            }
            let (ours, others) = wrong.split_last().unwrap();
            let best = others.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(
                *ours <= NEAR_THE_BEST * best,
                "{}, {minutes} min: {:.3} beside {:.3}",
                load.name,
                ours / sum,
                best / sum
            );
            means.iter_mut().zip(wrong).for_each(|(mean, wrong)| *mean += wrong / sum / LOADS.len() as f64);
        }
        let (ours, others) = means.split_last().unwrap();
        for (other, name) in others.iter().zip(NAMES) {
            assert!(ours < other, "{minutes} min: {name} is off by {other:.3}, the ensemble by {ours:.3}");
        }
        let covered = inside / asked;
        assert!((0.85..=0.95).contains(&covered), "{minutes} min: intervals of 90 % held in {covered:.3}");
    }
}
