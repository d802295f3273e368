//! Where the shards of a plan go: balance, applications, pins, room, copies.
#![allow(clippy::unwrap_used)]

use crate::planner_world::*;
use foreshard_core::model::node::{Location, Node, NodeCapacity};
use foreshard_core::model::plan::{NodeShare, PlacementDecision};
use foreshard_core::model::profile::HeavyHitter;
use foreshard_core::model::{Bound, Plan, Shard, TableProfile};
use foreshard_core::plan::{Disk, PlacedTable, explain, without_room};
use serde_json::{Value, json};

const COUNTRIES: [&str; 6] = ["at", "de", "es", "fr", "it", "us"];

/// Sixty million sales in six countries, looked up by id, by country, by customer.
fn sales() -> World {
    let columns = ["id:bigint", "country:text", "customer:bigint", "day:date"];
    let log = Log::default()
        .select(5000.0, vec![t("sales").pin(&["customer"])])
        .select(3000.0, vec![t("sales").pin(&["country"])])
        .insert(2000.0, "sales");
    World::new(vec![table("sales", &columns, &[])], log.oltp()).profiled(rows())
}

fn rows() -> TableProfile {
    let mut rows = profile(60_000_000, 100, &[("id", 60_000_000), ("country", 6), ("customer", 1000), ("day", 1000)]);
    for (heavy, name) in rows.columns[1].heavy.iter_mut().zip(COUNTRIES) {
        *heavy = HeavyHitter { value: name.to_owned(), count: 10_000_000 };
    }
    rows.columns[3].monotonicity = 1.0;
    rows.columns[3].distinct = 30_000_000;
    rows.columns[3].distinct_exact = false;
    rows.columns[3].heavy.clear();
    rows.columns[3].quantiles = (0..=100).map(|i| format!("2026-{:02}-{:02}", 1 + i / 28, 1 + i % 28)).collect();
    rows
}

fn by_country(mut config: Value) -> World {
    let given = json!({"shard_key": ["country"], "method": "list", "shard_count": 7});
    config.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    sales().config(config)
}

fn by_customer(mut config: Value) -> World {
    let given = json!({"shard_key": ["customer"], "method": "hash", "shard_count": 8});
    config.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    sales().config(config)
}

/// The explanation, in one line.
fn told(plan: &Plan) -> String {
    explain(plan).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn placement(plan: &Plan) -> &PlacementDecision {
    plan.placement.as_ref().unwrap()
}

fn on<'p>(plan: &'p Plan, node: &str) -> &'p NodeShare {
    placement(plan).nodes.iter().find(|n| n.node == node).unwrap()
}

fn with(plan: &Plan, value: &str) -> Shard {
    let has = |s: &&Shard| matches!(&s.bound, Bound::List { values } if values.contains(&Some(value.to_owned())));
    plan.layout.shards.iter().find(has).unwrap().clone()
}

fn refused(world: &World) -> Vec<(String, String)> {
    let problems = world.try_plan("sales").unwrap_err();
    problems.into_iter().map(|p| (p.sqlstate, format!("{}|{}", p.message, p.detail.unwrap_or_default()))).collect()
}

#[test]
fn the_plan_says_what_each_node_takes_and_how_even_that_is() {
    let plan = by_customer(json!({})).plan("sales");
    let found = placement(&plan);
    assert_eq!((found.evenness, found.lower_bound, found.near), (1.0, 1.0, None));
    for node in ["a", "b"] {
        assert_eq!((on(&plan, node).shards, on(&plan, node).share, on(&plan, node).load), (4, 0.5, 0.5));
    }
    // (60e6 rows x 100 bytes + 60e6 x 28) x 1.5
    assert_eq!(found.bytes, Some(11_520_000_000));
    assert_eq!(on(&plan, "a").bytes, Some(5_760_000_000));
    let told = told(&plan);
    assert!(told.ends_with("Balance: evenness 1.00, no placement of these shards comes below 1.00."), "{told}");
}

#[test]
fn growth_does_not_take_room_today() {
    let now = by_customer(json!({})).plan("sales");
    let grown = by_customer(json!({"growth": 10})).plan("sales");
    assert_eq!(placement(&now).bytes, placement(&grown).bytes);
}

#[test]
fn values_of_a_list_are_near_the_application_that_uses_them() {
    let mut world = by_country(json!({"affinity": [{"application": "shop-eu", "values": ["de", "fr"]}]}));
    for serving in ["a", "b"] {
        world.nodes.iter_mut().for_each(|n| n.serves.clear());
        world.nodes.iter_mut().filter(|n| n.name == serving).for_each(|n| n.serves = strings(&["shop-eu"]));
        let plan = world.plan("sales");
        assert_eq!((with(&plan, "de").node, with(&plan, "fr").node), (serving.to_owned(), serving.to_owned()));
        assert_eq!((placement(&plan).near, placement(&plan).evenness), (Some(1.0), 1.0));
        assert_eq!(on(&plan, serving).serves, ["shop-eu"]);
        assert!(told(&plan).contains("100 % of what applications use is near them."), "{}", told(&plan));
    }
}

#[test]
fn values_of_a_hash_are_found_as_rows_are_routed() {
    // hashint8(42) % 8: PostgreSQL 15 puts it into remainder 2 of 8 (tests/core/route_golden.tsv has such rows).
    for (value, serving) in [(json!(42), "a"), (json!("42"), "b"), (json!(7), "a"), (json!(7), "b")] {
        let mut world = by_customer(json!({"affinity": [{"application": "shop", "values": [value]}]}));
        world.nodes.iter_mut().filter(|n| n.name == serving).for_each(|n| n.serves = strings(&["shop"]));
        let plan = world.plan("sales");
        let types = ["bigint"];
        let router = foreshard_core::route::Router::new(&plan.layout, &types).unwrap();
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let at = router.shard_of(&[Some(text.as_bytes())]).unwrap();
        assert_eq!(plan.layout.shards[at as usize].node, serving, "{value}");
        // One of a thousand customers: its shard is near, and the load that wished to be is.
        assert_eq!(placement(&plan).near, Some(1.0));
    }
}

#[test]
fn values_of_a_range_are_found_by_its_bounds() {
    let mut world = sales().config(json!({
        "shard_key": ["day"], "method": "range", "shard_count": 4,
        "affinity": [{"application": "archive", "values": ["2026-01-05"]}]
    }));
    world.nodes[1].serves = strings(&["archive"]);
    let plan = world.plan("sales");
    assert_eq!(plan.layout.shards[0].node, "b", "{:?}", plan.layout.shards);
}

#[test]
fn an_application_that_uses_everything_gets_what_balance_allows() {
    let mut world = by_customer(json!({"affinity": [{"application": "shop", "share": 0.6}]}));
    world.nodes[1].serves = strings(&["shop"]);
    let plan = world.plan("sales");
    assert_eq!((on(&plan, "b").shards, placement(&plan).near), (4, Some(0.5)));
}

#[test]
fn what_cannot_be_near_is_said() {
    let wish = json!([{"application": "shop", "values": ["not a number"]}]);
    let mut world = by_customer(json!({"affinity": wish.clone()}));
    assert_eq!(refused(&world)[0].0, "22023");
    assert!(refused(&world)[0].1.starts_with("no node serves the application \"shop\"|"));
    world.nodes[0].serves = strings(&["shop"]);
    let plan = world.plan("sales");
    let note = plan.notes.iter().find(|n| n.kind == "affinity").unwrap();
    assert_eq!(note.what, "is not followed for 'not a number'");
    // The shard depends on both columns.
    let both = json!({"shard_key": ["customer", "id"], "method": "hash", "shard_count": 8});
    let mut world = sales().config(both.clone());
    world.config.affinity = by_customer(json!({"affinity": [{"application": "shop", "values": [42]}]})).config.affinity;
    world.nodes[0].serves = strings(&["shop"]);
    let plan = world.plan("sales");
    let note = plan.notes.iter().find(|n| n.kind == "affinity").unwrap();
    assert_eq!(note.because, "the shard depends on all of customer and id");
    assert_eq!(placement(&plan).near, Some(1.0));
}

#[test]
fn pinned_values_are_on_their_nodes_whatever_balance_says() {
    let config = json!({"pin": [{"values": ["at", "de", "es", "fr"], "nodes": ["b"]}]});
    let plan = by_country(config).plan("sales");
    for value in ["at", "de", "es", "fr"] {
        assert_eq!(with(&plan, value).node, "b");
    }
    let found = placement(&plan);
    assert!((found.evenness - 4.0 / 3.0).abs() < 1e-3 && found.lower_bound > 1.33, "{found:?}");
    let plan = by_customer(json!({"pin": [{"values": [1, 2, 3, 4, 5], "nodes": ["a"]}]})).plan("sales");
    let router = foreshard_core::route::Router::new(&plan.layout, &["bigint"]).unwrap();
    for value in ["1", "2", "3", "4", "5"] {
        let at = router.shard_of(&[Some(value.as_bytes())]).unwrap();
        assert_eq!(plan.layout.shards[at as usize].node, "a");
    }
}

#[test]
fn with_two_levels_all_shards_of_a_pinned_value_are_on_its_node() {
    let levels = json!({"shard_key": ["day"], "method": "range", "within": {"shard_key": ["customer"], "method": "hash", "shard_count": 4}});
    let mut config =
        json!({"shard_count": 16, "pin": [{"values": [1], "nodes": ["b"]}, {"values": [2], "nodes": ["a"]}]});
    config.as_object_mut().unwrap().extend(levels.as_object().unwrap().clone());
    let plan = sales().config(config).plan("sales");
    let router = foreshard_core::route::Router::new(&plan.layout, &["date", "bigint"]).unwrap();
    for day in ["2026-01-01", "2026-02-10", "2026-04-12"] {
        for (value, node) in [("1", "b"), ("2", "a")] {
            let at = router.shard_of(&[Some(day.as_bytes()), Some(value.as_bytes())]).unwrap();
            assert_eq!(plan.layout.shards[at as usize].node, node, "{day} {value}");
        }
    }
    assert_eq!((on(&plan, "a").shards, on(&plan, "b").shards), (8, 8));
}

#[test]
fn a_pin_that_cannot_be_kept_is_refused() {
    let both = json!([{"values": ["de"], "nodes": ["a"]}, {"values": ["de"], "nodes": ["b"]}]);
    assert!(refused(&by_country(json!({"pin": both})))[0].1.contains("pinned to different nodes"));
    let found = refused(&by_country(json!({"pin": [{"values": ["de"], "nodes": ["a", "c"]}]})));
    assert_eq!(
        found,
        [(
            "22023".to_owned(),
            "values are pinned to c, which takes no shards of this table|The nodes of this plan are a and b."
                .to_owned()
        )]
    );
    let found = refused(&by_customer(json!({"pin": [{"values": ["x", null], "nodes": ["a"]}]})));
    assert!(found[0].1.starts_with("the value 'x' cannot be pinned to a node|"), "{found:?}");
    let none = sales().config(json!({"method": "none", "pin": [{"values": ["de"], "nodes": ["a"]}]}));
    assert!(refused(&none)[0].1.contains("one plain table"));
}

#[test]
fn a_full_node_gets_what_fits_and_two_full_ones_are_refused() {
    let mut world = by_customer(json!({}));
    world.nodes[0].free_bytes = Some(3_000_000_000);
    world.nodes[1].free_bytes = Some(100_000_000_000);
    let plan = world.plan("sales");
    assert_eq!((on(&plan, "a").shards, on(&plan, "b").shards), (2, 6));
    assert_eq!(placement(&plan).evenness, 1.5);
    world.nodes[1].free_bytes = Some(7_000_000_000);
    let found = refused(&world);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "53100");
    let detail = "The shards need about 11 GB, and 9.3 GB are free: 1.4 GB are missing.";
    assert!(found[0].1.ends_with(detail), "{found:?}");
    // Without a size nothing can be held against free bytes.
    world.profile = None;
    assert_eq!(placement(&world.plan("sales")).bytes, None);
}

#[test]
fn nodes_on_one_disk_have_its_room_once() {
    let plan = by_customer(json!({})).plan("sales");
    let disk = |nodes: &[&str], free_bytes: u64| Disk { nodes: strings(nodes), free_bytes };
    assert_eq!(without_room(&plan, &[disk(&["a"], 6_000_000_000), disk(&["b"], 6_000_000_000)]), []);
    assert_eq!(without_room(&plan, &[disk(&["a", "b"], 12_000_000_000), disk(&[], 0)]), []);
    let found = without_room(&plan, &[disk(&["a", "b"], 6_000_000_000)]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].sqlstate.as_str(), found[0].message.as_str()),
        ("53100", "nodes a and b have no room for their shards")
    );
    let detail = "About 11 GB are needed, and 5.6 GB are free on the disk that the 2 nodes share: 5.1 GB are missing.";
    assert_eq!(found[0].detail.as_deref(), Some(detail));
    let plain = sales().config(json!({"method": "none"})).plan("sales");
    assert_eq!(without_room(&plain, &[disk(&["a", "b"], 0), disk(&[], 12_000_000_000)]), []);
    assert_eq!(
        without_room(&plain, &[disk(&[], 1_000_000_000)])[0].message,
        "the database's tablespace has no room for the table"
    );
}

#[test]
fn replicas_need_zones_and_servers() {
    let found = refused(&by_customer(json!({"replicas": 2})));
    assert_eq!((found[0].0.as_str(), found.len()), ("22023", 1));
    assert!(found[0].1.starts_with("a shard and its replicas need 3 zones|The nodes are in 2 zones."));
    let mut one_zone = by_customer(json!({"replicas": 1}));
    assert_eq!(refused(&one_zone)[0].0, "0A000");
    one_zone.nodes.iter_mut().for_each(|n| n.zone = "north".to_owned());
    assert_eq!(refused(&one_zone)[0].0, "22023");
    assert!(by_customer(json!({"replicas": 0})).try_plan("sales").is_ok());
}

#[test]
fn copies_are_in_other_zones_and_as_even_as_the_shards() {
    let servers = |mut world: World, zones: &[&str]| {
        world.nodes = (zones.iter().zip(["a", "b", "c", "d"]))
            .map(|(zone, name)| Node {
                name: name.to_owned(),
                location: Location::Server(name.to_owned()),
                zone: (*zone).to_owned(),
                ..world.nodes[0].clone()
            })
            .collect();
        world
    };
    let plan = servers(by_customer(json!({"replicas": 1})), &["", "", ""]).plan("sales");
    for shard in &plan.layout.shards {
        assert!(shard.copies.len() == 1 && !shard.copies.contains(&shard.node), "{shard:?}");
    }
    let decision = plan.placement.as_ref().unwrap();
    // What a node keeps, its shards and its copies: two thirds of the table, more or less.
    let kept = |n: &NodeShare| n.bytes.unwrap() as f64 * 1.5 / decision.bytes.unwrap() as f64;
    assert!(decision.nodes.iter().all(|n| n.copies >= 2 && (0.75..1.25).contains(&kept(n))), "{:?}", placement(&plan));
    assert!(told(&plan).contains("a copy of each shard on a node of another zone"), "{}", told(&plan));
    // Two nodes of one zone: the copy is never beside its shard.
    let plan = servers(by_customer(json!({"replicas": 1})), &["east", "east", "west", "west"]).plan("sales");
    let east = |node: &str| matches!(node, "a" | "b");
    assert!(plan.layout.shards.iter().all(|s| east(&s.node) != east(&s.copies[0])));
    // Pinned values are nowhere else, copies included.
    let pin = json!({"replicas": 1, "pin": [{"values": ["de"], "nodes": ["a", "c"]}]});
    let plan = servers(by_country(pin), &["", "", ""]).plan("sales");
    let shard = with(&plan, "de");
    let mut both = vec![shard.node.clone(), shard.copies[0].clone()];
    both.sort();
    assert_eq!(both, ["a", "c"]);
    let pin = json!({"replicas": 1, "pin": [{"values": ["de"], "nodes": ["a"]}]});
    assert_eq!(refused(&servers(by_country(pin), &["", "", ""]))[0].0, "22023");
}

#[test]
fn the_last_range_of_a_growing_key_bears_what_is_new() {
    let log = Log::default().select(1000.0, vec![t("sales").range(&["day"])]).insert(9000.0, "sales");
    let mut world = World::new(sales().schema.tables, log.oltp()).profiled(rows());
    world = world.config(json!({"shard_key": ["day"], "method": "range", "shard_count": 8}));
    let plan = world.plan("sales");
    let last = plan.layout.shards.last().unwrap();
    let busy = on(&plan, &last.node);
    assert!(busy.load > 0.85 && busy.shards < 4, "{:?}", placement(&plan));
}

#[test]
fn a_server_that_was_measured_to_bear_more_takes_more() {
    let mut world = by_customer(json!({}));
    for (node, rate) in world.nodes.iter_mut().zip([10_000.0, 30_000.0]) {
        node.location = Location::Server(node.name.clone());
        node.measured = Some(NodeCapacity {
            reads_per_second: Some(rate),
            writes_per_second: Some(rate / 10.0),
            clients: Some(6.0),
            measured_at: Some("2026-01-01 00:00:00+00".to_owned()),
        });
    }
    let plan = world.plan("sales");
    assert_eq!((on(&plan, "a").shards, on(&plan, "b").shards), (2, 6));
    assert_eq!((on(&plan, "a").capacity, on(&plan, "b").capacity), (0.5, 1.5));
    assert!(told(&plan).contains("by what was measured of their servers."), "{}", told(&plan));
    assert_eq!(on(&plan, "b").bears.measured_at.as_deref(), Some("2026-01-01 00:00:00+00"));
    assert_eq!(on(&by_customer(json!({})).plan("sales"), "a").bears.measured_at, None);
}

#[test]
fn shards_beside_those_of_another_table_stay_there_unless_they_are_pinned() {
    let placed = |nodes: &[&str]| {
        let mut layout = by_customer(json!({})).plan("sales").layout;
        for (shard, node) in layout.shards.iter_mut().zip(nodes.iter().cycle()) {
            (*node).clone_into(&mut shard.node);
        }
        PlacedTable::new(name("customers"), &layout)
    };
    let world = |placed: PlacedTable, config: Value| {
        let mut world = sales().config(config);
        world.workload.families =
            Log::default().family(&[("sales", "customer"), ("customers", "customer")]).oltp().families;
        world.schema.tables.insert(0, table("customers", &["customer:bigint", "name:text"], &["customer"]));
        world.placed = vec![placed];
        world
    };
    let config = json!({"shard_key": ["customer"], "method": "hash"});
    let beside = world(placed(&["a", "a", "a", "b"]), config.clone()).plan("sales");
    let at = |plan: &Plan| plan.layout.shards.iter().map(|s| s.node.clone()).collect::<Vec<_>>().concat();
    assert_eq!((at(&beside), placement(&beside).evenness), ("aaabaaab".to_owned(), 1.5));
    // Shards of a node that is gone are placed anew.
    let moved = world(placed(&["a", "gone"]), config).plan("sales");
    assert_eq!((at(&moved), placement(&moved).evenness), ("abababab".to_owned(), 1.0));
    let mut pinned = json!({"shard_key": ["customer"], "method": "hash"});
    pinned["pin"] =
        json!([{"values": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20], "nodes": ["b"]}]);
    assert!(at(&world(placed(&["a"]), pinned).plan("sales")).contains('b'));
}

#[test]
fn wrong_wishes_are_named_with_their_field() {
    let fields = |config: Value| -> Vec<String> {
        let problems = foreshard_core::model::Config::read(&config).unwrap_err();
        problems.into_iter().map(|p| format!("{} {}", p.sqlstate, p.message)).collect()
    };
    let range = |field: &str| vec![format!("22023 config field \"{field}\" is out of range")];
    assert_eq!(fields(json!({"replicas": 99})), range("replicas"));
    assert_eq!(fields(json!({"synchronous": true})), range("synchronous"));
    assert_eq!(fields(json!({"affinity": [{"application": ""}]})), range("affinity"));
    assert_eq!(fields(json!({"affinity": [{"application": "x", "values": []}]})), range("affinity"));
    for share in [json!(0), json!(-1), json!(1.5)] {
        assert_eq!(fields(json!({"affinity": [{"application": "x", "share": share}]})), range("affinity"));
    }
    assert_eq!(fields(json!({"pin": [{"values": [], "nodes": ["a"]}]})), range("pin"));
    assert_eq!(fields(json!({"pin": [{"values": ["x"]}]})), range("pin"));
    for wrong in
        [json!({"pin": "x"}), json!({"affinity": [{"app": "x"}]}), json!({"pin": [{"values": [[1]], "nodes": ["a"]}]})]
    {
        assert!(fields(wrong.clone())[0].contains("cannot be read"), "{wrong}");
    }
}
