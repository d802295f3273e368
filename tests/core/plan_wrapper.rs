//! What a plan tells postgres_fdw of the shards that are on other servers.
#![allow(clippy::unwrap_used)]

use crate::planner_world::*;
use foreshard_core::model::Plan;
use foreshard_core::model::node::Location;
use foreshard_core::plan::{PlacedTable, explain};
use serde_json::json;

/// Customers and their orders, looked up by customer; some reports join both by the customer.
fn shop(lookups: f64, reports: f64, bytes: u64) -> Plan {
    let mut log = Log::default()
        .family(&[("orders", "customer"), ("customers", "customer")])
        .select(lookups, vec![t("orders").pin(&["customer", "id"])]);
    if reports > 0.0 {
        log = log.report(
            reports,
            reports * 10.0,
            vec![
                t("orders").join("customer", "customers", "customer"),
                t("customers").join("customer", "orders", "customer"),
            ],
        );
    }
    let tables = vec![
        table("customers", &["customer:bigint", "name:text"], &["customer"]),
        table("orders", &["customer:bigint", "id:bigint", "note:text"], &["customer", "id"]),
    ];
    let rows = profile(1_000_000, bytes, &[("customer", 50_000), ("id", 1_000_000), ("note", 1000)]);
    let mut world = World::new(tables, log.oltp()).profiled(rows);
    for node in &mut world.nodes {
        node.location = Location::Server(node.name.clone());
    }
    let mut world = world.config(json!({"shard_key": ["customer"], "method": "hash", "shard_count": 8}));
    let customers = world.plan("customers").layout;
    world.placed.push(PlacedTable::new(name("customers"), &customers));
    world.plan("orders")
}

fn option<'p>(plan: &'p Plan, name: &str) -> (&'p str, &'p str) {
    let option = plan.wrapper.iter().find(|o| o.name == name).unwrap();
    (&option.value, &option.because)
}

#[test]
fn nodes_are_asked_for_estimates_where_joins_are_worth_it() {
    assert_eq!(option(&shop(5000.0, 0.0, 100), "use_remote_estimate").0, "false");
    let plan = shop(500_000.0, 5000.0, 100);
    let value = option(&plan, "use_remote_estimate");
    assert!(value.0 == "false" && value.1.contains("asking the nodes for estimates would take"), "{value:?}");
    let plan = shop(5000.0, 5000.0, 100);
    let value = option(&plan, "use_remote_estimate");
    assert!(value.0 == "true" && value.1.contains("joins by the key are left to the nodes"), "{value:?}");
    assert!(explain(&plan).contains("Foreign tables: "), "{}", explain(&plan));
}

#[test]
fn a_scan_of_long_rows_holds_fewer_of_them() {
    assert_eq!(option(&shop(5000.0, 0.0, 50), "fetch_size").0, "10000");
    assert_eq!(option(&shop(5000.0, 0.0, 1000), "fetch_size").0, "1048");
    assert_eq!(option(&shop(5000.0, 0.0, 1_000_000), "fetch_size").0, "100");
}

#[test]
fn nothing_is_told_where_all_shards_are_here() {
    let tables = vec![table("orders", &["id:bigint"], &[])];
    let log = Log::default().select(10.0, vec![t("orders").pin(&["id"])]).oltp();
    let world = World::new(tables, log).profiled(profile(1_000_000, 100, &[("id", 1_000_000)]));
    let plan = world.plan("orders");
    assert!(plan.wrapper.is_empty());
    assert!(!explain(&plan).contains("Foreign tables"));
}
