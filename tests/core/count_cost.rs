//! The cheapest number of shards between the bounds, and that one plain table can be cheaper than any.

use crate::planner_world::*;
use foreshard_core::capacity::per_node;
use foreshard_core::count::{Costing, Demand, KeyLimits, decide, demand_bounds, key_bounds};
use foreshard_core::model::Method;
use foreshard_core::model::node::NodeCapacity;
use foreshard_core::model::plan::{CountDecision, Direction};
use foreshard_core::model::workload::Work;
use foreshard_core::plan::explain;
use proptest::prelude::*;
use serde_json::json;

const GB: u64 = 1 << 30;

fn demand(gigabytes: f64, nodes: usize) -> Demand {
    Demand {
        rows: Some(0),
        // Half as much again with indexes.
        text_bytes: Some((gigabytes * GB as f64 / 1.5) as u64),
        growth: 1.0,
        target_shard_bytes: 10 * GB,
        throughput: None,
        concurrency: None,
        nodes,
        servers: nodes,
        per_node: per_node([(1.0, None)], 0.0),
        spreads: nodes > 1,
        indexes: 1,
    }
}

fn by(method: Method) -> KeyLimits {
    KeyLimits { method, distinct: Some(1 << 30), hottest: None, pieces: Some(4096), retired: false }
}

fn decided(demand: &Demand, key: &KeyLimits, work: impl Fn(u32) -> Work) -> CountDecision {
    let bounds = demand_bounds(demand).into_iter().chain(key_bounds(key)).collect();
    decide(bounds, key.method, None, &Costing { demand, work_at: &work, skew_at: &|_| Some(1.0), each: 1 })
}

/// Statements of so many milliseconds, of which a share asks all shards.
fn asking_all(ms: f64, share: f64) -> impl Fn(u32) -> Work {
    move |n| Work { ms, further: share * f64::from(n - 1), ..Work::default() }
}

#[test]
fn a_shard_that_is_full_at_once_is_not_planned_where_more_shards_cost_little() {
    let found = decided(&demand(39.0, 1), &by(Method::Hash), asking_all(0.1, 0.0));
    assert_eq!((found.count, found.decided_by.as_str()), (8, "cost"));
    assert!(found.because.contains("\"volume\" asks") && found.because.contains("4 would cost"), "{}", found.because);
    assert!(found.because.contains("mostly for the next split"), "{}", found.because);
    assert_eq!(found.lasts_until.map(|x| (x * 10.0).round()), Some(21.0));
    // Where every statement asks all shards they are split when the time has come.
    let found = decided(&demand(39.0, 1), &by(Method::Hash), asking_all(0.1, 1.0));
    assert_eq!((found.count, found.decided_by.as_str()), (4, "volume"));
    assert!(found.because.contains("8 would cost") && found.because.contains("mostly for the time of statements"));
}

#[test]
fn what_a_statement_feels_of_the_shards_is_a_matter_of_its_own_time() {
    let slower = |work: Work| decided(&demand(1.0, 2), &by(Method::Hash), |_| work).slower.unwrap();
    let (look_up, report) = (Work { ms: 0.02, ..Work::default() }, Work { ms: 50.0, ..Work::default() });
    assert!(slower(look_up) > 0.15 && slower(report) < 0.001);
    assert!(slower(Work { changes: 1.0, ..look_up }) > slower(look_up), "an UPDATE pays more");
    assert!(slower(Work { leaves: 7.0, ..look_up }) > slower(look_up), "so does an INSERT of many rows");
    assert!(slower(Work { spared_ms: 40.0, ..report }) > 0.0, "nothing is spared where a shard more is elsewhere");
    let alone =
        decided(&demand(1.0, 1), &by(Method::Hash), |n| Work { spared_ms: 50.0 - 50.0 / f64::from(n), ..report });
    assert!(alone.slower.unwrap() < -0.9 && alone.count > 16, "{alone:?}");
}

#[test]
fn a_table_that_is_cut_has_two_shards_where_nothing_asks_for_more() {
    let found = decided(&demand(1.0, 1), &by(Method::Hash), asking_all(0.1, 0.0));
    assert_eq!((found.count, found.decided_by.as_str()), (2, "minimum"));
}

#[test]
fn ranges_by_which_old_rows_go_are_at_least_four() {
    let found = decided(&demand(1.0, 1), &KeyLimits { retired: true, ..by(Method::Range) }, asking_all(1.0, 0.0));
    assert_eq!((found.count, found.decided_by.as_str()), (4, "retention"));
}

#[test]
fn a_node_bears_what_was_measured_on_it() {
    let measured = NodeCapacity {
        reads_per_second: Some(40_000.0),
        writes_per_second: Some(10_000.0),
        clients: Some(32.0),
        measured_at: None,
    };
    let bears = per_node([(1.0, Some(&measured))], 0.5);
    assert_eq!((bears.statements, bears.clients, bears.measured), (16_000.0, 32.0, true));
    // What makes no sense was not measured; a node that was not measured bears its part of an ordinary one.
    let odd = NodeCapacity { reads_per_second: Some(0.0), writes_per_second: Some(f64::NAN), ..measured };
    assert_eq!(per_node([(2.0, Some(&odd))], 0.0).statements, 40_000.0);
    assert!(!per_node([(2.0, Some(&odd))], 0.0).measured);
    assert_eq!(per_node([], 1.0), per_node([(1.0, None)], 1.0));
}

proptest! {
    #[test]
    fn the_count_is_between_its_bounds(
        size in 0.01..3000.0f64, nodes in 1usize..20, ms in 0.0..50.0f64, share in 0.0..1.0f64, values in 1u64..2000,
        method in prop_oneof![Just(Method::Hash), Just(Method::Range)],
    ) {
        let key = KeyLimits { distinct: Some(values), pieces: Some(values as u32), ..by(method) };
        let found = decided(&demand(size, nodes), &key, asking_all(ms, share));
        let of = |direction| found.bounds.iter().filter(move |b| b.direction == direction).map(|b| b.value);
        let least = of(Direction::AtLeast).fold(1.0, f64::max).ceil() as u32;
        let most = of(Direction::AtMost).fold(f64::INFINITY, f64::min).floor().max(1.0) as u32;
        prop_assert!(found.count <= most, "{found:?}");
        prop_assert!(found.count >= least.min(most) || method == Method::Hash && found.count * 2 > most, "{found:?}");
        prop_assert!(method != Method::Hash || found.count.is_power_of_two());
        prop_assert_eq!(&found, &decided(&demand(size, nodes), &key, asking_all(ms, share)));
    }

    #[test]
    fn more_data_never_means_fewer_shards_and_more_asking_never_more(
        size in 0.01..500.0f64, more in 1.0..4.0f64, nodes in 1usize..9, ms in 0.0..5.0f64, share in 0.0..0.5f64,
    ) {
        let key = by(Method::Hash);
        let count = |size: f64, share: f64| decided(&demand(size, nodes), &key, asking_all(ms, share)).count;
        prop_assert!(count(size * more, share) >= count(size, share));
        prop_assert!(count(size, share * 2.0) <= count(size, share));
    }
}

fn readings(log: Log) -> World {
    let table = table("readings", &["id:bigint", "at:bigint", "value:integer"], &[]);
    let mut rows = profile(1_000_000, 60, &[("id", 1_000_000), ("at", 900_000), ("value", 5_000)]);
    rows.columns[1].monotonicity = 1.0;
    let mut world = World::new(vec![table], log.oltp()).profiled(rows);
    world.nodes = nodes(&["only"]);
    world
}

fn by_id() -> Log {
    Log::default().select(1000.0, vec![t("readings").pin(&["id"])]).insert(500.0, "readings")
}

#[test]
fn on_one_node_a_table_stays_whole_and_the_plan_says_what_would_change_it() {
    let plan = readings(by_id()).plan("readings");
    assert_eq!((choice(&plan).as_str(), plan.count.count), ("none()", 1), "{}", table_of(&plan));
    assert!(plan.count.because.contains("With more nodes"), "{}", plan.count.because);
    let balance = plan.count.bounds.iter().find(|b| b.name == "balance").unwrap();
    assert_eq!(balance.value, 1.0);
}

#[test]
fn what_is_to_outgrow_the_node_is_cut() {
    for config in [json!({"growth": 3}), json!({"target_shard_size": "50MB"}), json!({"throughput": 40_000})] {
        let plan = readings(by_id()).config(config.clone()).plan("readings");
        assert_eq!(choice(&plan), "hash(id)", "{config} {}", table_of(&plan));
        assert!(plan.count.count >= 4, "{config} {}", plan.count.because);
    }
    let mut two = readings(by_id());
    two.nodes = nodes(&["a", "b"]);
    assert_eq!(two.plan("readings").count.count, 8);
}

#[test]
fn a_table_beside_one_that_outgrows_the_node_is_cut_with_it() {
    let mut world = readings(by_id());
    world.sizes.extend(readings(by_id()).sized(&[("archive", 1, 200 * GB)]).sizes);
    assert_eq!(choice(&world.plan("readings")), "hash(id)");
}

#[test]
fn more_load_than_the_nodes_bear_is_told() {
    let plan = readings(by_id()).config(json!({"throughput": 40_000})).plan("readings");
    let note = plan.notes.iter().find(|n| n.kind == "capacity").unwrap();
    assert!(note.what.starts_with("40,000 statements a second at the peak ask for"), "{}", note.what);
    let text = explain(&plan);
    assert!(
        text.contains("Too few nodes: 40,000 statements") && !text.contains("Not carried over: capacity"),
        "{text}"
    );
    let mut two = readings(by_id()).config(json!({"throughput": 20_000}));
    two.nodes = nodes(&["fast", "large"]);
    let note = two.plan("readings").notes.into_iter().find(|n| n.kind == "capacity").unwrap();
    assert!(note.what.contains("tablespaces of one share its processors"), "{}", note.what);
    // A node that was measured bears what was measured.
    let mut strong = readings(by_id()).config(json!({"throughput": 40_000}));
    let measured =
        NodeCapacity { reads_per_second: Some(90_000.0), writes_per_second: Some(60_000.0), ..NodeCapacity::default() };
    strong.nodes[0].measured = Some(measured);
    let plan = strong.plan("readings");
    assert_eq!(choice(&plan), "none()");
    let bound = plan.count.bounds.iter().find(|b| b.name == "throughput").unwrap();
    assert!(bound.because.contains("was measured to bear"), "{}", bound.because);
    let calm = readings(by_id()).config(json!({"throughput": 400})).plan("readings");
    assert!(calm.notes.iter().all(|n| n.kind != "capacity"));
    assert_eq!(choice(&calm), "none()", "one node bears it");
}

#[test]
fn old_rows_that_cost_much_to_delete_are_cut_by_their_age() {
    let log = Log::default().insert(500.0, "readings").retention(100.0, 20_000.0, "readings", "at");
    let plan = readings(log).plan("readings");
    assert_eq!((choice(&plan).as_str(), plan.count.count), ("range(at)", 4), "{}", table_of(&plan));
}

#[test]
fn periods_that_no_index_finds_are_cut_until_it_costs_more_than_it_spares() {
    let period = || t("readings").range(&["at"]);
    let mut log = Log::default().report(1000.0, 40_000.0, vec![period()]).oltp();
    log.statements[0].rows = 1000.0 * 2_000.0;
    let mut world = readings(Log::default());
    world.workload = log.clone();
    let plan = world.plan("readings");
    assert_eq!(choice(&plan), "range(at)", "{}", table_of(&plan));
    assert!(plan.count.count > 16 && plan.count.decided_by == "cost", "{}", plan.count.because);
    // The same by an index: little time for these rows.
    log.statements[0].total_ms = 400.0;
    world.workload = log;
    assert_eq!(choice(&world.plan("readings")), "none()");
}

#[test]
fn the_next_split_is_told_where_it_is_near() {
    let near = readings(by_id()).config(json!({"target_shard_size": "50MB", "growth": 2})).plan("readings");
    // (60 MB of text + 28 MB of headers) x 1.5 x 2 is 252 MB: 6 shards of 50 MB, and 8 are full at 1.6 times that.
    assert_eq!(near.count.count, 8, "{}", near.count.because);
    let text = explain(&near).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("The next split is due when it has grown 1.6-fold beyond what is planned for."), "{text}");
    let far = readings(by_id()).config(json!({"growth": 2})).plan("readings");
    assert!(!explain(&far).contains("next split is due"));
}
