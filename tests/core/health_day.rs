//! A day of a hundred shards lived by the monitor's own code, as benches/day.rs does with real traces: here with a generated one.
#![allow(dead_code, clippy::unwrap_used, reason = "a bench, which uses more of it")]

#[path = "../../benches/day/world.rs"]
mod world;

use world::{Day, How, Trace};

/// Fourteen days that are alike, but for their level.
fn trace() -> Trace {
    let value = |slot: i64| {
        let (day, hour) = (slot / 48, (slot % 48) as f64 / 2.0);
        let level = 1.0 + 0.05 * ((day * 7 % 5) as f64 - 2.0);
        level * (1.0 + 0.6 * ((hour - 8.0) / 24.0 * std::f64::consts::TAU).sin())
    };
    Trace { interval: 1_800, values: (0..14 * 48).map(value).collect() }
}

const HOUR: i64 = 3_600;

#[test]
fn hot_shards_are_told_in_time_and_bursts_are_not() {
    let lived = Day::of(&trace()).live(How::Nothing, 5 * HOUR, 5 * HOUR + 3 * HOUR);
    let slowest = lived.slowest.expect("every hot shard is told");
    assert!(slowest > 0 && slowest <= 15, "after {slowest} s of the day's own time");
    assert_eq!(lived.bursts_told, 0);
}

#[test]
fn moves_avoid_overload_and_none_is_undone() {
    let day = Day::of(&trace());
    let (from, to) = (12 * HOUR, 14 * HOUR);
    let (left, moved) = (day.live(How::Nothing, from, to), day.live(How::React, from, to));
    assert!(moved.moves > 0 && moved.inverse == 0);
    assert!(moved.overload < left.overload, "{} beside {}", moved.overload, left.overload);
}
