//! The day: what happens on it, and how it is lived. Also what the test of it uses, with a generated trace.

use foreshard_core::health::{
    Circumstances, NodeAhead, NodeLook, Policy, ShardAhead, ShardLook, TableLook, TableState, World, expected,
    obstacles, proposals,
};
use foreshard_core::model::Move;

const SHARDS: usize = 100;
const NODES: usize = 10;
/// Seconds between two looks, and between the second one of a suspicion.
const TICK: i64 = 10;
const CLOSER: i64 = 1;
const CLOSER_LOOKS: u32 = 6;
const DECIDE: i64 = 60;
const HOUR: i64 = 3_600;
pub const SECONDS: i64 = 86_400;
/// Days of history before the day.
const HISTORY: i64 = 10;
const BYTES: f64 = 5e9;
const COPIED: f64 = 50e6;
const COPY_USE: f64 = 0.3;
/// Mean use of the servers at the highest load of the trace.
const PEAK_USE: f64 = 0.6;
/// A hot shard that nobody foresaw: shard, beginning, length, times its load.
const SURPRISES: [(usize, i64, i64, f64); 4] = [
    (37, 7 * HOUR + 123, 2_400, 10.0),
    (71, 11 * HOUR + 1_999, 1_800, 10.0),
    (5, 15 * HOUR + 17, 3_000, 10.0),
    (88, 20 * HOUR + 3_001, 1_800, 10.0),
];
/// Bursts that are none.
const BURSTS: [(usize, i64, i64, f64); 3] =
    [(12, 5 * HOUR + 3, 2, 40.0), (55, 13 * HOUR + 1_004, 2, 40.0), (63, 18 * HOUR + 77, 2, 40.0)];

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    Nothing,
    React,
    Forecast,
}

impl How {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::React => "react",
            Self::Forecast => "forecast",
        }
    }
}

#[derive(Debug, Default)]
pub struct Lived {
    pub overload: f64,
    /// Of the overload, that of servers with a shard that became hot without warning.
    pub unforeseen: f64,
    pub beyond_capacity: f64,
    pub moves: usize,
    pub bytes: f64,
    pub inverse: usize,
    /// Seconds from the beginning of a surprise to its verdict; None where one was never told.
    pub slowest: Option<i64>,
    pub bursts_told: usize,
}

/// Loads at even times: seconds between them, values.
pub struct Trace {
    pub interval: i64,
    pub values: Vec<f64>,
}

pub fn read(path: &str) -> Option<Trace> {
    let text = std::fs::read_to_string(path).ok()?;
    let values: Vec<f64> = text.lines().skip(1).filter_map(|l| l.split_once(',')?.1.trim().parse().ok()).collect();
    let interval = if path.contains("30min") { 1_800 } else { 300 };
    (values.len() as i64 * interval > (HISTORY + 1) * SECONDS).then_some(Trace { interval, values })
}

pub struct Day {
    pub policy: Policy,
    interval: i64,
    /// The trace up to the end of the day, scaled to work.
    work: Vec<f64>,
}

impl Day {
    /// The busiest day of the trace that has enough days before it.
    pub fn of(trace: &Trace) -> Self {
        let day = (SECONDS / trace.interval) as usize;
        let days: Vec<f64> = trace.values.chunks_exact(day).map(|d| d.iter().sum()).collect();
        let first = HISTORY as usize;
        let busiest = (first..days.len()).max_by(|a, b| days[*a].total_cmp(&days[*b])).unwrap();
        let work = &trace.values[(busiest - first) * day..(busiest + 1) * day];
        // A single slot is no peak to plan for.
        let mut sorted = work[first * day..].to_vec();
        sorted.sort_by(f64::total_cmp);
        let peak = sorted[sorted.len() * 98 / 100].max(1e-9);
        Self {
            policy: Policy::default(),
            interval: trace.interval,
            work: work.iter().map(|v| v / peak * PEAK_USE * NODES as f64).collect(),
        }
    }

    /// Work of a shard in a second; the day itself begins at 0.
    fn shard_work(&self, shard: usize, second: i64) -> f64 {
        let at = (second + HISTORY * SECONDS) as f64 / self.interval as f64;
        let (i, part) = (at as usize, at.fract());
        let value = |i: usize| self.work[i.min(self.work.len() - 1)];
        let total = value(i) * (1.0 - part) + value(i + 1) * part;
        total * share(shard, second.rem_euclid(SECONDS)) * extra(shard, second)
    }

    /// From one second to another; what happens before second 0 is not counted.
    pub fn live(&self, how: How, from: i64, to: i64) -> Lived {
        let mut lived = Lived { slowest: Some(0), ..Lived::default() };
        let mut nodes: Vec<usize> = (0..SHARDS).map(|s| s / (SHARDS / NODES)).collect();
        let mut history: Vec<Vec<(i64, f64)>> = (0..SHARDS)
            .map(|s| {
                (-HISTORY * 24..from.div_euclid(HOUR))
                    .map(|h| (h * HOUR, (0..12).map(|k| self.shard_work(s, h * HOUR + k * 300)).fold(0.0, f64::max)))
                    .collect()
            })
            .collect();
        let mut forecasts: Vec<Vec<f64>> = vec![Vec::new(); SHARDS];
        let mut state = TableState::default();
        let mut rests = vec![i64::MIN; SHARDS];
        let mut done: Vec<(i64, Move)> = Vec::new();
        let mut job: Option<(i64, usize, usize)> = None;
        let (mut next_look, mut looked, mut decided, mut closer) = (from, from, from, 0);
        let mut sums = vec![0.0; SHARDS];
        let mut minute_sums = vec![0.0; SHARDS];
        let mut hour_peaks = vec![0.0f64; SHARDS];
        let mut told: Vec<Option<i64>> = vec![None; SURPRISES.len()];
        let policy = &self.policy;
        for second in from..to {
            let works: Vec<f64> = (0..SHARDS).map(|s| self.shard_work(s, second)).collect();
            let mut machines = [0.0; NODES];
            for (shard, work) in works.iter().enumerate() {
                machines[nodes[shard]] += work;
                sums[shard] += work;
                minute_sums[shard] += work;
            }
            if let Some((end, shard, to)) = job {
                machines[nodes[shard]] += COPY_USE;
                machines[to] += COPY_USE;
                if second >= end {
                    nodes[shard] = to;
                    rests[shard] = second + policy.cool_down.0;
                    job = None;
                }
            }
            for (at, machine) in machines.into_iter().enumerate() {
                if second < 0 {
                    continue;
                }
                let struck = |(s, begin, length, _): &(usize, i64, i64, f64)| {
                    nodes[*s] == at && (*begin..begin + length).contains(&second)
                };
                if SURPRISES.iter().any(struck) {
                    lived.unforeseen += (machine - 0.7f64).max(0.0);
                }
                lived.overload += (machine - 0.7f64).max(0.0);
                lived.beyond_capacity += (machine - 1.0f64).max(0.0);
            }
            if second.rem_euclid(60) == 59 {
                for shard in 0..SHARDS {
                    hour_peaks[shard] = hour_peaks[shard].max(minute_sums[shard] / 60.0);
                    minute_sums[shard] = 0.0;
                }
            }
            if second.rem_euclid(HOUR) == HOUR - 1 {
                for shard in 0..SHARDS {
                    history[shard].push((second + 1 - HOUR, hour_peaks[shard]));
                    hour_peaks[shard] = 0.0;
                    forecasts[shard].clear();
                }
            }
            if second < next_look || second == looked {
                continue;
            }
            let seconds = (second - looked) as f64;
            let looks = |s: usize| ShardLook {
                id: s as u32,
                name: format!("s{s}"),
                node: format!("n{}", nodes[s]),
                work: sums[s] / seconds,
                events: sums[s] * 5_000.0,
                bytes: Some(BYTES),
                newest: false,
                hottest_value: None,
                single_value: false,
            };
            let look = TableLook {
                time: second,
                seconds,
                shards: (0..SHARDS).map(looks).collect(),
                nodes: node_looks(&machines),
                expected_use: None,
            };
            let found = state.look(&look);
            for (i, (shard, begin, length, _)) in SURPRISES.iter().enumerate() {
                let hot = found.hot.iter().any(|(id, _)| *id == *shard as u32);
                if hot && (*begin..begin + length).contains(&second) && told[i].is_none() {
                    told[i] = Some(second - begin);
                }
            }
            for (shard, begin, _, _) in BURSTS {
                lived.bursts_told += usize::from(
                    found
                        .hot
                        .iter()
                        .any(|(id, since)| *id == shard as u32 && (begin - TICK..begin + 2 * TICK).contains(since))
                        && second < begin + 2 * TICK,
                );
            }
            closer = if found.suspicion { closer + 1 } else { 0 };
            (looked, next_look) =
                (second, second + if found.suspicion && closer <= CLOSER_LOOKS { CLOSER } else { TICK });
            sums.iter_mut().for_each(|s| *s = 0.0);
            if how == How::Nothing || job.is_some() || second - decided < DECIDE {
                continue;
            }
            decided = second;
            let world = self.world(how, &nodes, &state, &history, &mut forecasts, &rests, second);
            let recent: Vec<Move> =
                done.iter().filter(|(at, _)| second - at < policy.horizon.0).map(|(_, m)| m.clone()).collect();
            let today = done.iter().filter(|(at, _)| second - at < SECONDS).count();
            let possible = proposals(&world, None, &recent).into_iter().find(|proposal| {
                let circumstances = Circumstances {
                    moves_today: today as u32,
                    bytes_today: today as f64 * BYTES,
                    quietest: Some(quietest(&world, proposal.ahead)),
                    used_now: machines.iter().sum::<f64>() / NODES as f64,
                    ..Circumstances::default()
                };
                obstacles(policy, proposal, &circumstances, world.slot_seconds).is_empty()
            });
            if let Some((proposal, Move::Move { shard, to, .. })) = possible.as_ref().map(|p| (p, &p.action)) {
                let to: usize = to[1..].parse().unwrap();
                job = Some((second + (BYTES / COPIED) as i64, *shard as usize, to));
                let undone =
                    |(at, before): &(i64, Move)| second - at < policy.horizon.0 && proposal.action.undoes(before);
                lived.inverse += usize::from(done.iter().any(undone));
                lived.moves += usize::from(second >= 0);
                lived.bytes += if second >= 0 { BYTES } else { 0.0 };
                done.push((second, proposal.action.clone()));
            }
        }
        let met = told
            .iter()
            .zip(SURPRISES)
            .filter(|(_, (_, begin, length, _))| (from..to).contains(begin) && begin + length < to);
        lived.slowest = met.map(|(told, _)| *told).collect::<Option<Vec<i64>>>().and_then(|t| t.into_iter().max());
        lived
    }

    #[allow(clippy::too_many_arguments, reason = "a bench")]
    fn world(
        &self,
        how: How,
        nodes: &[usize],
        state: &TableState,
        history: &[Vec<(i64, f64)>],
        forecasts: &mut [Vec<f64>],
        rests: &[i64],
        second: i64,
    ) -> World {
        let slots = 24;
        let shard = |s: usize| {
            let now = state.recent_work(s as u32);
            let none: &[(i64, f64)] = &[];
            if forecasts[s].is_empty() {
                let known = if how == How::Forecast { history[s].as_slice() } else { none };
                // Without the surprise of the moment, which is added below.
                forecasts[s] = expected(known, f64::NAN, HOUR, slots).work;
            }
            let work = if how == How::Forecast {
                with_surprise(&forecasts[s], now)
            } else {
                expected(none, now, HOUR, slots).work
            };
            ShardAhead {
                id: s as u32,
                table: 1,
                name: format!("s{s}"),
                node: format!("n{}", nodes[s]),
                bytes: BYTES,
                work,
                splits: false,
                sibling: None,
                hot_value: None,
                hot: false,
                rests: second < rests[s],
            }
        };
        let node = |n: usize| NodeAhead {
            name: format!("n{n}"),
            machine: format!("m{n}"),
            capacity: 1.0,
            active: true,
            free_bytes: None,
        };
        World {
            shards: (0..SHARDS).map(shard).collect(),
            nodes: (0..NODES).map(node).collect(),
            slot_seconds: HOUR as f64,
            copied_per_second: COPIED,
            too_many: Vec::new(),
        }
    }
}

fn with_surprise(forecast: &[f64], now: f64) -> Vec<f64> {
    foreshard_core::health::surprised(forecast, now, HOUR)
}

/// The slot before the overload in which all servers together have least to do.
fn quietest(world: &World, ahead: usize) -> (usize, f64) {
    let total = |slot: usize| world.shards.iter().filter_map(|s| s.work.get(slot)).sum::<f64>() / NODES as f64;
    (0..ahead.max(1)).map(|slot| (slot, total(slot))).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

fn node_looks(machines: &[f64]) -> Vec<NodeLook> {
    let of = |(n, work): (usize, &f64)| NodeLook {
        name: format!("n{n}"),
        machine: format!("m{n}"),
        capacity: 1.0,
        calibrated: true,
        active: true,
        free_bytes: None,
        disk_bytes: None,
        lag_seconds: None,
        work: *work,
    };
    machines.iter().enumerate().map(of).collect()
}

/// Share of the table's load: a hot spot that wanders round all shards once a day.
fn share(shard: usize, second: i64) -> f64 {
    let at = |shard: usize| {
        let centre = second as f64 / SECONDS as f64 * SHARDS as f64;
        let away = (shard as f64 - centre).rem_euclid(SHARDS as f64);
        let away = away.min(SHARDS as f64 - away);
        1.0 + 4.0 * (-away * away / (2.0 * 36.0)).exp()
    };
    // The sum over all shards hardly changes with the hot spot's place.
    at(shard) / (SHARDS as f64 + 4.0 * 6.0 * (2.0 * std::f64::consts::PI).sqrt())
}

fn extra(shard: usize, second: i64) -> f64 {
    let of = |(s, begin, length, times): &(usize, i64, i64, f64)| {
        *s == shard && (*begin..begin + length).contains(&second) && *times > 1.0
    };
    let found = SURPRISES.iter().chain(&BURSTS).find(|e| of(e));
    found.map_or(1.0, |e| e.3)
}
