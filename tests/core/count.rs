//! The number of shards and the bound that decided.

use foreshard_core::capacity::per_node;
use foreshard_core::count::{Costing, Demand, KeyLimits, decide, demand_bounds, key_bounds, needed};
use foreshard_core::model::Method;
use foreshard_core::model::plan::CountDecision;
use foreshard_core::model::workload::Work;

const GB: u64 = 1 << 30;

fn demand() -> Demand {
    Demand {
        rows: Some(1_000_000),
        text_bytes: Some(100_000_000),
        growth: 1.0,
        target_shard_bytes: 10 * GB,
        throughput: None,
        concurrency: None,
        nodes: 1,
        servers: 1,
        per_node: per_node([(1.0, None)], 0.0),
        spreads: true,
        indexes: 1,
    }
}

/// Look-ups by the key, all of them on one shard.
const POINT: Work = Work { ms: 0.02, spared_ms: 0.0, changes: 0.0, further: 0.0, leaves: 0.0 };

fn limits(method: Method, distinct: u64) -> KeyLimits {
    KeyLimits {
        method,
        distinct: Some(distinct),
        hottest: Some(1.0 / distinct as f64),
        pieces: Some(distinct as u32),
        retired: false,
    }
}

fn decided(demand: &Demand, key: &KeyLimits, forced: Option<u32>) -> CountDecision {
    let bounds = demand_bounds(demand).into_iter().chain(key_bounds(key)).collect();
    decide(bounds, key.method, forced, &Costing { demand, work_at: &|_| POINT, skew_at: &|_| Some(1.0), each: 1 })
}

#[test]
fn four_shards_a_node_when_nothing_asks_for_more() {
    let found = decided(&Demand { nodes: 2, ..demand() }, &limits(Method::Hash, 100_000), None);
    assert_eq!((found.count, found.decided_by.as_str()), (8, "balance"));
}

#[test]
fn hash_rounds_up_to_a_power_of_two_and_range_does_not() {
    let five = Demand { nodes: 5, ..demand() };
    // 32 would be 7 shards on two nodes and 6 on the others; 64 are 13 and 12.
    let found = decided(&five, &limits(Method::Hash, 100_000), None);
    assert_eq!((found.count, found.decided_by.as_str()), (64, "cost"));
    assert!(found.because.contains("32 would cost"), "{}", found.because);
    assert_eq!(decided(&five, &limits(Method::Range, 100_000), None).count, 20);
}

#[test]
fn volume_with_growth_decides_for_a_large_table() {
    // (200 GB + 1e9 x 28 bytes) x 1.5 x 2 = 678 GB = 67.9 shards of 10 GB -> 128 by hash.
    let large = Demand { rows: Some(1_000_000_000), text_bytes: Some(200 * GB), growth: 2.0, ..demand() };
    let found = decided(&large, &limits(Method::Hash, 500_000_000), None);
    assert_eq!((found.count, found.decided_by.as_str()), (128, "volume"));
    assert_eq!(needed(&found.bounds), 68);
}

#[test]
fn throughput_and_concurrency_ask_for_nodes_and_for_a_shard_on_each() {
    // Look-ups only: 20,000 a second on an ordinary node.
    let busy = Demand { throughput: Some(190_000.0), ..demand() };
    let found = decided(&busy, &limits(Method::Hash, 1_000_000), None);
    assert_eq!((found.count, found.decided_by.as_str()), (16, "throughput"));
    assert_eq!(busy.nodes_needed(), Some(10));
    let crowded = Demand { concurrency: Some(650.0), ..demand() };
    let found = decided(&crowded, &limits(Method::Hash, 1_000_000), None);
    assert_eq!((found.count, found.decided_by.as_str()), (8, "concurrency"));
    // What one node bears asks for nothing.
    let calm = Demand { throughput: Some(3_000.0), concurrency: Some(20.0), spreads: false, ..demand() };
    assert_eq!(needed(&demand_bounds(&calm)), 1);
    assert_eq!(calm.nodes_needed(), Some(1));
}

#[test]
fn few_values_cap_the_count_and_the_reason_names_both_sides() {
    let found = decided(&Demand { nodes: 4, ..demand() }, &limits(Method::Hash, 30), None);
    assert_eq!((found.count, found.decided_by.as_str()), (4, "cardinality"));
    assert!(
        found.because.contains("30 distinct values") && found.because.contains("\"balance\" would ask for 16"),
        "{}",
        found.because
    );
}

#[test]
fn a_hot_value_caps_the_count() {
    let key =
        KeyLimits { method: Method::Hash, distinct: Some(1_000_000), hottest: Some(0.3), pieces: None, retired: false };
    let found = decided(&Demand { nodes: 4, ..demand() }, &key, None);
    assert_eq!((found.count, found.decided_by.as_str()), (4, "hottest value"));
}

#[test]
fn range_takes_the_evenest_count_up_to_twice_the_bound() {
    let two = Demand { nodes: 2, ..demand() };
    let bounds: Vec<_> = demand_bounds(&two).into_iter().chain(key_bounds(&limits(Method::Range, 10))).collect();
    let skew_at = |n: u32| Some((10.0 / f64::from(n)).ceil() / (10.0 / f64::from(n)));
    let costing = Costing { demand: &two, work_at: &|_| POINT, skew_at: &skew_at, each: 1 };
    let found = decide(bounds, Method::Range, None, &costing);
    assert_eq!(found.count, 10);
}

#[test]
fn the_config_decides_and_is_told_what_the_bounds_advise() {
    let found = decided(&demand(), &limits(Method::Hash, 20), Some(64));
    assert_eq!((found.count, found.decided_by.as_str()), (64, "config"));
    assert!(found.because.contains("\"cardinality\" advises at most 5"));
}

#[test]
fn never_more_than_planning_bears() {
    let huge = Demand { text_bytes: Some(100_000 * GB), ..demand() };
    let found = decided(&huge, &limits(Method::Hash, 1_000_000_000), None);
    assert_eq!((found.count, found.decided_by.as_str()), (128, "planning"));
}
