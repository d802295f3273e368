//! Pictures of a table whose figures are known.
#![allow(clippy::expect_used, clippy::panic, reason = "a test's helpers")]

use foreshard_core::report::heat::{HeatMap, Row};

fn map() -> HeatMap {
    let row = |shard: &str, loads: [Option<f64>; 3]| Row { shard: shard.into(), loads: loads.into() };
    HeatMap {
        hours: vec!["22".into(), "23".into(), "00".into()],
        shards: vec![row("t_s0", [Some(0.0), Some(0.5), Some(9.0)]), row("t_s10", [None, Some(4.5), Some(f64::NAN)])],
    }
}

#[test]
fn heat_is_a_character_for_each_hour() {
    let expected =
        "hour   220\n       230\nt_s0  | .@|\nt_s10 |?+ |\nscale: 0 [ .:-=+*#%@] 9.000 of a node's time; ? not watched";
    assert_eq!(map().text(), expected);
}

#[test]
fn a_name_cannot_begin_a_line() {
    let mut map = map();
    map.shards.truncate(1);
    map.shards[0].shard = "a\nb".into();
    assert_eq!(map.text().lines().count(), 4);
}

#[test]
fn nothing_measured_says_so() {
    assert!(HeatMap::default().text().starts_with("No load was measured yet"));
}
