//! Two levels: when they are chosen and when not, what they are asked for with, where rows and shards go.
#![allow(clippy::unwrap_used)]

use crate::planner_world::*;
use foreshard_core::model::plan::{Layout, Plan};
use foreshard_core::model::{Bound, Candidate, Column, Method, Table, TableProfile, UniqueKey};
use foreshard_core::plan::{PlacedTable, explain, hash};
use foreshard_core::route::Router;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn readings() -> Vec<Table> {
    vec![table("readings", &["ts:timestamp without time zone", "device_id:bigint", "value:double precision"], &[])]
}

fn rows(rows: u64) -> TableProfile {
    let mut rows = profile(rows, 40, &[("ts", rows / 2), ("device_id", 5_000), ("value", rows / 50)]);
    rows.columns[0].monotonicity = 1.0;
    rows.columns[0].quantiles =
        (0..=100).map(|i| format!("2026-{:02}-{:02} 00:00:00", 1 + i / 28, 1 + i % 28)).collect();
    rows
}

fn world(log: Log) -> World {
    let mut world = World::new(readings(), log.oltp()).profiled(rows(50_000_000));
    world.nodes = nodes(&["a", "b", "c", "d"]);
    world
}

/// Many devices, looked up with the recent past; periods are read now and then, and old ones thrown away.
fn monitoring() -> Log {
    Log::default()
        .select(8000.0, vec![t("readings").pin(&["device_id"]).above(&["ts"])])
        .select(300.0, vec![t("readings").pin(&["device_id"])])
        .select(300.0, vec![t("readings").range(&["ts"])])
        .retention(10.0, 100_000.0, "readings", "ts")
        .insert(1_000_000.0, "readings")
}

#[test]
fn devices_that_are_looked_up_by_time_and_thrown_away_by_time_get_both() {
    let world = world(monitoring());
    let plan = world.plan("readings");
    let within = chosen(&plan).within.clone().unwrap_or_else(|| panic!("{}", table_of(&plan)));
    let levels = [(chosen(&plan).method, chosen(&plan).key.join(",")), (within.method, within.key.join(","))];
    assert!(levels.contains(&(Method::Hash, "device_id".to_owned())), "{levels:?}");
    assert!(levels.contains(&(Method::Range, "ts".to_owned())), "{levels:?}");
    assert_eq!(chosen(&plan).shard_count, plan.layout.shards.len() as u32);
    assert_eq!(plan.count.count, plan.layout.shards.len() as u32);
    let because = &chosen(&plan).because;
    assert!(because.contains("by ts, now deleted one by one, go by dropping a range"), "{because}");
    let told = explain(&plan);
    assert!(told.contains("each part by"), "{told}");
    assert!(told.contains("the last range of ts has no upper end"), "{told}");
    let total: f64 = plan.layout.shards.iter().map(|s| s.share).sum();
    assert!((total - 1.0).abs() < 0.01, "{total}");
}

#[test]
fn look_ups_alone_get_a_hash_and_periods_alone_get_ranges() {
    let lookups = Log::default().select(8000.0, vec![t("readings").pin(&["device_id"])]).insert(20_000.0, "readings");
    let plan = world(lookups).plan("readings");
    assert_eq!(choice(&plan), "hash(device_id)", "{}", table_of(&plan));
    assert!(plan.candidates.iter().all(|c| c.within.is_none()), "{}", table_of(&plan));
    let periods = Log::default()
        .select(6000.0, vec![t("readings").above(&["ts"])])
        .select(2000.0, vec![t("readings").range(&["ts"])])
        .retention(10.0, 20_000.0, "readings", "ts")
        .insert(20_000.0, "readings");
    let plan = world(periods).plan("readings");
    assert_eq!(choice(&plan), "range(ts)", "{}", table_of(&plan));
    assert!(plan.candidates.iter().all(|c| c.within.is_none()), "{}", table_of(&plan));
}

#[test]
fn a_tiny_table_is_not_cut_twice_however_much_passes_through_it() {
    for rows_each in [20.0, 100_000.0] {
        let log = monitoring().retention(10.0, rows_each, "readings", "ts");
        let plan = world(log).profiled(rows(2_000)).plan("readings");
        assert_eq!(choice(&plan), "hash(device_id)", "{rows_each}: {}", table_of(&plan));
        let periods = Log::default()
            .select(8000.0, vec![t("readings").above(&["ts"])])
            .retention(10.0, rows_each, "readings", "ts")
            .insert(1_000.0, "readings");
        let plan = world(periods).profiled(rows(2_000)).plan("readings");
        assert_eq!(choice(&plan), "none()", "{rows_each}: {}", table_of(&plan));
    }
}

#[test]
fn one_level_wins_where_its_statements_need_no_second() {
    // Every look-up would visit every period.
    let log = Log::default()
        .select(8000.0, vec![t("readings").pin(&["device_id"])])
        .select(1500.0, vec![t("readings").range(&["ts"])])
        .retention(10.0, 100.0, "readings", "ts")
        .insert(1_000.0, "readings");
    let plan = world(log).plan("readings");
    assert_eq!(choice(&plan), "hash(device_id)", "{}", table_of(&plan));
    assert!(plan.candidates.iter().any(|c| c.within.is_some()), "{}", table_of(&plan));
}

#[test]
fn what_deleting_costs_is_a_part_of_every_layout_that_does_not_drop() {
    let plan = world(monitoring()).plan("readings");
    let part = |key: &str| {
        let one = |c: &&Candidate| c.key.join(",") == key && c.within.is_none();
        let candidate = plan.candidates.iter().find(one).unwrap();
        candidate.evidence.cost_parts.iter().find(|p| p.0 == "old rows deleted one by one").map_or(0.0, |p| p.1)
    };
    // 2 s of the 3.7 s of all statements that find rows, and as long again for VACUUM.
    assert!((part("device_id") - 1.0206).abs() < 0.001, "{}", table_of(&plan));
    assert!((part("") - 1.0206).abs() < 0.001, "{}", table_of(&plan));
    assert!(part("ts") < 0.01, "{}", table_of(&plan));
}

/// Nodes by bound.
type NodesOf<'a> = BTreeMap<String, BTreeSet<&'a str>>;

#[test]
fn the_newest_period_is_on_every_node_and_a_device_on_one() {
    for (method, key, second) in [("hash", "device_id", "ts"), ("range", "ts", "device_id")] {
        let config = json!({"method": method, "shard_key": [key], "within": {"shard_key": [second]}});
        let plan = world(monitoring()).config(config).plan("readings");
        let (mut periods, mut devices) = (NodesOf::new(), NodesOf::new());
        for shard in &plan.layout.shards {
            for bound in [&shard.bound, shard.within.as_ref().unwrap()] {
                let by = if matches!(bound, Bound::Hash { .. }) { &mut devices } else { &mut periods };
                by.entry(format!("{bound:?}")).or_default().insert(&shard.node);
            }
        }
        assert_eq!((periods.len(), devices.len()), (4, 16), "{method}");
        assert!(periods.values().all(|nodes| nodes.len() == 4), "{periods:?}");
        assert!(devices.values().all(|nodes| nodes.len() == 1), "{devices:?}");
        let ordinals: Vec<u32> = plan.layout.shards.iter().map(|s| s.ordinal).collect();
        assert_eq!(ordinals, (0..64).collect::<Vec<_>>());
    }
}

#[test]
fn the_config_fixes_levels_and_counts() {
    let counts = |config: serde_json::Value| {
        let plan = world(Log::default()).config(config).plan("readings");
        let within = plan.layout.within.clone().unwrap();
        (choice(&plan), plan.layout.shards.len(), plan.layout.parts().len(), within.count)
    };
    let device = |more: serde_json::Value| {
        let mut config = json!({"shard_key": ["device_id"], "within": {"shard_key": ["ts"]}});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    assert_eq!(counts(device(json!({}))), ("hash(device_id) range(ts)".to_owned(), 64, 16, 4));
    assert_eq!(counts(device(json!({"shard_count": 6}))), ("hash(device_id) range(ts)".to_owned(), 6, 2, 3));
    let within = json!({"within": {"shard_key": ["ts"], "shard_count": 12}, "shard_count": 24});
    assert_eq!(counts(device(within)), ("hash(device_id) range(ts)".to_owned(), 24, 2, 12));
    let reversed = json!({"method": "range", "shard_key": ["ts"], "shard_count": 10, "within": {"shard_key": ["device_id"], "shard_count": 5}});
    assert_eq!(counts(reversed), ("range(ts) hash(device_id)".to_owned(), 10, 2, 5));
    // The second level alone: the planner finds the first.
    let plan = world(monitoring()).config(json!({"within": {"shard_key": ["ts"]}})).plan("readings");
    assert_eq!(choice(&plan), "hash(device_id) range(ts)", "{}", table_of(&plan));
    // A key or a method that is named without a second level is meant alone.
    let plan = world(monitoring()).config(json!({"shard_key": ["device_id"]})).plan("readings");
    assert_eq!(choice(&plan), "hash(device_id)");
}

fn two_levels(config: serde_json::Value) -> Plan {
    world(monitoring()).config(config).plan("readings")
}

#[test]
fn rows_are_routed_through_both_levels() {
    let config =
        json!({"shard_key": ["device_id"], "shard_count": 8, "within": {"shard_key": ["ts"], "shard_count": 4}});
    let layout = two_levels(config).layout;
    assert_eq!(layout.columns().collect::<Vec<_>>(), ["device_id", "ts"]);
    let router = Router::new(&layout, &["bigint", "timestamp without time zone"]).unwrap();
    let one_level = Router::new(&layout.spread(), &["bigint"]).unwrap();
    for device in 1..50 {
        let device = device.to_string();
        let at = |ts: &str| router.shard_of(&[Some(device.as_bytes()), Some(ts.as_bytes())]).unwrap();
        let part = one_level.shard_of(&[Some(device.as_bytes())]).unwrap();
        assert_eq!((at("1999-01-01 00:00:00"), at("2099-01-01 00:00:00")), (4 * part, 4 * part + 3));
        let Some(Bound::Range { from: Some(from), .. }) = &layout.shards[4 * part as usize + 2].within else {
            panic!()
        };
        assert_eq!(at(&from[0]), 4 * part + 2);
    }
    assert_eq!(router.shard_of(&[Some(b"1"), None]), None, "no range takes NULL");
    assert!(Router::new(&layout, &["bigint"]).is_none());
    assert!(Router::new(&layout, &["bigint", "text"]).is_none());
}

#[test]
fn a_document_of_one_level_is_what_it_was_and_one_of_two_comes_back_whole() {
    let one = world(monitoring()).config(json!({"shard_key": ["device_id"]})).plan("readings");
    let text = serde_json::to_string(&one.layout).unwrap();
    assert!(!text.contains("within"), "{text}");
    assert!(text.starts_with(r#"{"method":"hash","key":["device_id"],"shards":[{"ordinal":0,"bound":{"hash":{"modulus":16,"remainder":0}},"node":"#));
    assert_eq!(serde_json::from_str::<Layout>(&text).unwrap(), one.layout);
    let two = two_levels(json!({"shard_key": ["device_id"], "within": {"shard_key": ["ts"]}}));
    let back: Plan = serde_json::from_str(&serde_json::to_string(&two).unwrap()).unwrap();
    assert_eq!(back, two);
    assert_eq!(hash(&back).unwrap(), two.hash);
}

/// With a table of the devices themselves, which is written too much to be copied everywhere.
fn with_devices() -> World {
    let devices = table("devices", &["device_id:bigint", "name:text"], &["device_id"]);
    let log = monitoring()
        .select(9000.0, vec![t("devices").pin(&["device_id"])])
        .update(3000.0, t("devices").pin(&["device_id"]).set(&["name"]));
    let mut world = World::new([readings(), vec![devices]].concat(), log.oltp());
    world.nodes = nodes(&["a", "b", "c", "d"]);
    world
}

#[test]
fn tables_follow_the_level_that_spreads() {
    let config = json!({"method": "range", "shard_key": ["ts"], "within": {"shard_key": ["device_id"]}});
    let placed = with_devices().profiled(rows(50_000_000)).config(config).plan("readings").layout;
    let mut world = with_devices().profiled(profile(4_000_000, 60, &[("device_id", 4_000_000), ("name", 900_000)]));
    world.placed = vec![PlacedTable::new(name("readings"), &placed)];
    let plan = world.plan("devices");
    assert_eq!(choice(&plan), "hash(device_id)", "{}", table_of(&plan));
    let nodes = |layout: &Layout| -> Vec<(Bound, String)> {
        layout.shards.iter().map(|s| (s.bound.clone(), s.node.clone())).collect()
    };
    assert_eq!(nodes(&plan.layout), nodes(&placed.spread()));
    assert!(plan.joint.unwrap().tables.iter().any(|t| t.table == name("readings") && t.together && t.placed));
}

#[test]
fn unique_constraints_contain_both_keys() {
    let mut schema = readings();
    let id = Column { name: "id".to_owned(), unique_by_default: true, ..schema[0].columns[1].clone() };
    schema[0].columns.push(id);
    schema[0].unique_keys.push(UniqueKey {
        name: "readings_pkey".to_owned(),
        columns: strings(&["id", "device_id"]),
        primary: true,
    });
    let plan = |policy: &str| {
        World::new(schema.clone(), monitoring().oltp())
            .profiled(rows(50_000_000))
            .config(json!({"shard_key": ["device_id"], "unique": policy, "within": {"shard_key": ["ts"]}}))
            .try_plan("readings")
    };
    let widened = plan("widen").unwrap();
    assert_eq!(chosen(&widened).evidence.constraints_lost, ["readings_pkey"]);
    assert!(
        widened.notes.iter().any(|n| n.what == "(id, device_id) becomes (id, device_id, ts)"),
        "{:?}",
        widened.notes
    );
    assert_eq!(plan("refuse").unwrap_err()[0].sqlstate, "0A000");
}
