//! Known workloads: the keys that specialists choose, and our design against the best of all one- and two-column ones.
#![allow(clippy::unwrap_used, clippy::type_complexity)]

use crate::joint_search::brute_force;
use crate::plan_tpcc;
use crate::planner_world::*;
use foreshard_core::model::{Table, WorkloadProfile};
use foreshard_core::plan::{Breadth, Objective, objective};
use proptest::prelude::*;

/// The design chosen from the planner's candidates costs what the best of all designs costs, proven on both sides.
fn no_better_design(world: &World, target: &str) {
    let input = world.input(target);
    let best = |breadth| {
        let Objective { costs, tables } = objective(&input, &|_, _, _| None, breadth).unwrap();
        let found = costs.minimize(&[], 5_000_000);
        assert!(found.exact(), "{target}: {found:?}");
        let design: Vec<String> =
            tables.iter().zip(&found.design).map(|((t, names), at)| format!("{t}: {}", names[*at])).collect();
        (found.cost, design)
    };
    let (ours, all) = (best(Breadth::Candidates), best(Breadth::All));
    assert!((ours.0 - all.0).abs() < 1e-6, "{target}: {ours:?}\nall: {all:?}");
}

fn expect(world: &World, target: &str, expected: &[&str]) {
    let plan = world.plan(target);
    assert!(
        expected.contains(&choice(&plan).as_str()),
        "{target}: {expected:?}\n{}\n{:#?}",
        table_of(&plan),
        plan.joint
    );
    no_better_design(world, target);
}

#[test]
fn tpcc_goes_by_warehouse_with_one_layout() {
    for linked in [true, false] {
        for profiled in [true, false] {
            for (table, key) in plan_tpcc::OWNED.into_iter().chain([("history", "h_w_id")]) {
                let mut world = plan_tpcc::world(linked);
                if profiled {
                    world = world.profiled(plan_tpcc::rows_of(table));
                }
                let method = if profiled { "range" } else { "hash" };
                expect(&world, table, &[&format!("{method}({key})")]);
            }
            expect(&plan_tpcc::world(linked), "item", &["reference()"]);
        }
    }
}

#[test]
fn every_table_of_a_family_gets_the_same_bounds_whichever_is_planned_first() {
    let bounds = |table: &str| {
        let plan = plan_tpcc::world(true).profiled(plan_tpcc::rows_of(table)).plan(table);
        plan.layout.shards.into_iter().map(|s| (s.bound, s.node)).collect::<Vec<_>>()
    };
    let first = bounds("order_line");
    assert_eq!(first.len(), 10);
    for (table, _) in plan_tpcc::OWNED {
        assert_eq!(bounds(table), first, "{table}");
    }
}

/// TPC-H at scale factor 1, each query once, with the joins and conditions of its 22 queries.
pub(crate) fn tpch() -> World {
    let tables: Vec<Table> = vec![
        table(
            "lineitem",
            &["l_orderkey:bigint", "l_partkey", "l_suppkey", "l_linenumber", "l_shipdate:date", "l_quantity:numeric"],
            &["l_orderkey", "l_linenumber"],
        ),
        table("orders", &["o_orderkey:bigint", "o_custkey", "o_orderdate:date", "o_orderstatus:text"], &["o_orderkey"]),
        table("customer", &["c_custkey", "c_nationkey", "c_mktsegment:text"], &["c_custkey"]),
        table("part", &["p_partkey", "p_brand:text", "p_size"], &["p_partkey"]),
        table("partsupp", &["ps_partkey", "ps_suppkey", "ps_availqty"], &["ps_partkey", "ps_suppkey"]),
        table("supplier", &["s_suppkey", "s_nationkey", "s_name:text"], &["s_suppkey"]),
        table("nation", &["n_nationkey", "n_regionkey", "n_name:text"], &["n_nationkey"]),
        table("region", &["r_regionkey", "r_name:text"], &["r_regionkey"]),
    ];
    // Per query: pairs of joined columns, with its restricted columns by equality and by range.
    let lo = "l_orderkey=o_orderkey";
    let lp = "l_partkey=p_partkey";
    let ls = "l_suppkey=s_suppkey";
    let oc = "o_custkey=c_custkey";
    let sn = "s_nationkey=n_nationkey";
    let nr = "n_regionkey=r_regionkey";
    let cn = "c_nationkey=n_nationkey";
    let psp = "ps_partkey=p_partkey";
    let pss = "ps_suppkey=s_suppkey";
    let queries: [(&[&str], &str, &[&str], &[&str]); 22] = [
        (&["lineitem"], "", &[], &["l_shipdate"]),
        (&[], "part partsupp supplier nation region", &[psp, pss, sn, nr], &[]),
        (&[], "customer orders lineitem", &[oc, lo], &["o_orderdate", "l_shipdate"]),
        (&[], "orders lineitem", &[lo], &["o_orderdate"]),
        (
            &[],
            "customer orders lineitem supplier nation region",
            &[oc, lo, ls, "c_nationkey=s_nationkey", sn, nr],
            &["o_orderdate"],
        ),
        (&["lineitem"], "", &[], &["l_shipdate", "l_quantity"]),
        (&[], "supplier lineitem orders customer nation", &[ls, lo, oc, sn, cn], &["l_shipdate"]),
        (&[], "part lineitem supplier orders customer nation region", &[lp, ls, lo, oc, cn, nr, sn], &["o_orderdate"]),
        (
            &[],
            "part lineitem supplier partsupp orders nation",
            &[ls, "ps_suppkey=l_suppkey", "ps_partkey=l_partkey", lp, lo, sn],
            &[],
        ),
        (&[], "customer orders lineitem nation", &[oc, lo, cn], &["o_orderdate"]),
        (&[], "partsupp supplier nation", &[pss, sn], &[]),
        (&[], "orders lineitem", &[lo], &["l_shipdate"]),
        (&[], "customer orders", &[oc], &[]),
        (&[], "lineitem part", &[lp], &["l_shipdate"]),
        (&[], "lineitem supplier", &[ls], &["l_shipdate"]),
        (&[], "partsupp part", &[psp], &[]),
        (&[], "lineitem part", &[lp], &["l_quantity"]),
        (&[], "customer orders lineitem", &[oc, lo], &[]),
        (&[], "lineitem part", &[lp], &["l_quantity"]),
        (
            &[],
            "supplier nation partsupp part lineitem",
            &[sn, pss, psp, "ps_partkey=l_partkey", "ps_suppkey=l_suppkey"],
            &["l_shipdate"],
        ),
        (&[], "supplier lineitem orders nation", &[ls, lo, sn], &[]),
        (&[], "customer orders", &[oc], &[]),
    ];
    let owner = |column: &str| match column.split('_').next().unwrap() {
        "l" => "lineitem",
        "o" => "orders",
        "c" => "customer",
        "p" => "part",
        "ps" => "partsupp",
        "s" => "supplier",
        "n" => "nation",
        _ => "region",
    };
    let mut log = Log::default();
    for (alone, several, joins, ranges) in queries {
        let names = alone.iter().copied().chain(several.split_whitespace());
        let uses = names
            .map(|n| {
                let mine: Vec<&str> = ranges.iter().copied().filter(|c| owner(c) == n).collect();
                joins.iter().fold(t(n).range(&mine), |u, join| {
                    let (a, b) = join.split_once('=').unwrap();
                    match (owner(a) == n, owner(b) == n) {
                        (true, _) => u.join(a, owner(b), b),
                        (_, true) => u.join(b, owner(a), a),
                        _ => u,
                    }
                })
            })
            .collect();
        log = log.report(1.0, 1000.0, uses);
    }
    World::new(tables, log.build(WorkloadProfile::Olap)).sized(&[
        ("lineitem", 6_001_215, 760_000_000),
        ("orders", 1_500_000, 172_000_000),
        ("customer", 150_000, 24_300_000),
        ("part", 200_000, 24_100_000),
        ("partsupp", 800_000, 119_000_000),
        ("supplier", 10_000, 1_410_000),
        ("nation", 25, 2_200),
        ("region", 5, 400),
    ])
}

#[test]
fn tpch_keeps_its_two_large_joins_on_one_node_each() {
    for factor in [1, 10] {
        let mut world = tpch();
        world.sizes.values_mut().for_each(|s| s.bytes = s.bytes.map(|b| b * factor));
        expect(&world, "lineitem", &["hash(l_orderkey)"]);
        expect(&world, "orders", &["hash(o_orderkey)"]);
        expect(&world, "part", &["hash(p_partkey)"]);
        expect(&world, "partsupp", &["hash(ps_partkey)"]);
        for small in ["nation", "region"] {
            expect(&world, small, &["reference()", "none()"]);
        }
    }
    expect(&tpch(), "supplier", &["reference()"]);
}

#[test]
fn smallbank_goes_by_customer() {
    let account = |name: &str| table(name, &["custid:bigint", "bal:numeric"], &["custid"]);
    let tables =
        vec![table("accounts", &["custid:bigint", "name:text"], &["custid"]), account("savings"), account("checking")];
    let log = Log::default()
        .select(60.0, vec![t("accounts").pin(&["name"])])
        .select(80.0, vec![t("accounts").pin(&["custid"])])
        .select(45.0, vec![t("savings").pin(&["custid"])])
        .select(70.0, vec![t("checking").pin(&["custid"])])
        .update(40.0, t("savings").pin(&["custid"]).set(&["bal"]))
        .update(85.0, t("checking").pin(&["custid"]).set(&["bal"]))
        .oltp();
    for target in ["accounts", "savings", "checking"] {
        expect(&World::new(tables.clone(), log.clone()), target, &["hash(custid)"]);
    }
}

#[test]
fn a_graph_of_followers_goes_by_the_user() {
    let tables = vec![
        table("users", &["uid", "name:text", "email:text"], &["uid"]),
        link(
            table("tweets", &["id!:bigint", "uid", "text:text", "createdate:timestamp without time zone"], &["id"]),
            &["uid"],
            "users",
            &["uid"],
        ),
        link(
            link(table("follows", &["f1", "f2"], &["f1", "f2"]), &["f1"], "users", &["uid"]),
            &["f2"],
            "users",
            &["uid"],
        ),
        link(
            link(table("followers", &["f1", "f2"], &["f1", "f2"]), &["f1"], "users", &["uid"]),
            &["f2"],
            "users",
            &["uid"],
        ),
    ];
    let mut some = t("tweets");
    some.listed = strings(&["uid"]);
    let mut names = t("users");
    names.listed = strings(&["uid"]);
    let log = Log::default()
        .select(1.0, vec![t("tweets").pin(&["id"])])
        .select(1.0, vec![t("follows").pin(&["f1"])])
        .select(1.0, vec![some])
        .select(8.0, vec![t("followers").pin(&["f1"])])
        .select(8.0, vec![names])
        .select(89.0, vec![t("tweets").pin(&["uid"])])
        .insert(1.0, "tweets")
        .oltp();
    for (target, key) in [("users", "uid"), ("tweets", "uid"), ("follows", "f1"), ("followers", "f1")] {
        expect(&World::new(tables.clone(), log.clone()), target, &[&format!("hash({key})")]);
    }
}

#[test]
fn tenants_stay_together_although_every_row_has_a_uuid() {
    let owned = |name: &str| {
        link(table(name, &["id!:uuid", "tenant_id:uuid", "title:text"], &["id"]), &["tenant_id"], "tenants", &["id"])
    };
    let tables = vec![
        table("tenants", &["id!:uuid", "name:text"], &["id"]),
        owned("projects"),
        owned("tasks"),
        owned("comments"),
    ];
    let mut log = Log::default().select(30.0, vec![t("tenants").pin(&["id"])]);
    for name in ["projects", "tasks", "comments"] {
        log = log
            .select(200.0, vec![t(name).pin(&["tenant_id"])])
            .select(100.0, vec![t(name).pin(&["id", "tenant_id"])])
            .select(40.0, vec![t(name).pin(&["id"])])
            .update(50.0, t(name).pin(&["id", "tenant_id"]).set(&["title"]))
            .insert(50.0, name);
    }
    let world = World::new(tables, log.oltp());
    for target in ["projects", "tasks", "comments"] {
        expect(&world, target, &["hash(tenant_id)"]);
    }
    expect(&world, "tenants", &["hash(id)"]);
}

#[test]
fn what_is_placed_is_followed_bounds_and_nodes_and_all() {
    use foreshard_core::model::Bound;
    let mut world = plan_tpcc::world(true).profiled(plan_tpcc::rows_of("orders"));
    let mut layout = plan_tpcc::world(true)
        .profiled(plan_tpcc::rows_of("stock"))
        .config(serde_json::json!({"method": "list", "shard_key": ["s_w_id"], "shard_count": 4}))
        .plan("stock")
        .layout;
    layout.shards.iter_mut().for_each(|s| s.node = if s.ordinal % 2 == 0 { "b" } else { "a" }.to_owned());
    world.placed.push(foreshard_core::plan::PlacedTable { table: name("stock"), layout: layout.clone() });
    let plan = world.plan("orders");
    assert_eq!(choice(&plan), "list(o_w_id)", "{}", table_of(&plan));
    let places = |shards: &[foreshard_core::model::Shard]| -> Vec<(Bound, String)> {
        shards.iter().map(|s| (s.bound.clone(), s.node.clone())).collect()
    };
    assert_eq!(places(&plan.layout.shards), places(&layout.shards));
    assert_eq!(plan.count.decided_by, "as public.stock");
    no_better_design(&world, "orders");
}

#[test]
fn tables_placed_with_the_same_bounds_are_one_layout_to_those_that_follow() {
    let mut world = plan_tpcc::world(true).profiled(plan_tpcc::rows_of("orders"));
    let list = serde_json::json!({"method": "list", "shard_key": ["s_w_id"], "shard_count": 4});
    let first = plan_tpcc::world(true).profiled(plan_tpcc::rows_of("stock")).config(list).plan("stock").layout;
    for (table, key) in [("stock", "s_w_id"), ("customer", "c_w_id")] {
        let layout = foreshard_core::model::Layout { key: [key.to_owned()].into_iter().collect(), ..first.clone() };
        world.placed.push(foreshard_core::plan::PlacedTable { table: name(table), layout });
    }
    let plan = world.plan("orders");
    assert_eq!(choice(&plan), "list(o_w_id)", "{}", table_of(&plan));
    let joint = plan.joint.unwrap();
    let beside: Vec<(&str, bool)> =
        joint.tables.iter().filter(|t| t.placed).map(|t| (t.table.name.as_str(), t.together)).collect();
    assert_eq!(beside, [("customer", true), ("stock", true)]);
}

#[test]
fn a_hash_that_was_split_in_one_place_is_no_plain_hash_of_as_many_shards() {
    use foreshard_core::model::Bound;
    let mut world = plan_tpcc::world(true).profiled(plan_tpcc::rows_of("orders"));
    let hash = serde_json::json!({"method": "hash", "shard_key": ["s_w_id"], "shard_count": 3});
    let mut layout = plan_tpcc::world(true).profiled(plan_tpcc::rows_of("stock")).config(hash).plan("stock").layout;
    let split = [(2, 0), (4, 1), (4, 3)];
    for (shard, (modulus, remainder)) in layout.shards.iter_mut().zip(split) {
        shard.bound = Bound::Hash { modulus, remainder };
    }
    world.placed.push(foreshard_core::plan::PlacedTable { table: name("stock"), layout: layout.clone() });
    let plan = world.plan("orders");
    assert_eq!(choice(&plan), "hash(o_w_id)", "{}", table_of(&plan));
    let bounds = |shards: &[foreshard_core::model::Shard]| shards.iter().map(|s| s.bound.clone()).collect::<Vec<_>>();
    assert_eq!(bounds(&plan.layout.shards), bounds(&layout.shards));
}

#[test]
fn tables_that_stay_together_have_the_count_that_the_largest_needs() {
    let small = plan_tpcc::world(true).sized(&[("order_line", 1_000_000_000, 60 << 30)]);
    let plan = small.plan("warehouse");
    assert_eq!(
        (choice(&plan).as_str(), plan.count.count, plan.count.decided_by.as_str()),
        ("hash(w_id)", 16, "family volume")
    );
    assert_eq!(small.plan("stock").count.count, 16);
}

#[test]
fn time_series_and_updated_columns_are_chosen_at_the_optimum_too() {
    let readings =
        vec![table("readings", &["ts:timestamp without time zone", "device_id:bigint", "value:numeric"], &[])];
    let mut rows = profile(50_000_000, 40, &[("ts", 30_000_000), ("device_id", 5_000), ("value", 900_000)]);
    rows.columns[0].monotonicity = 1.0;
    rows.columns[0].quantiles =
        (0..=100).map(|i| format!("2026-{:02}-{:02} 00:00:00", 1 + i / 28, 1 + i % 28)).collect();
    let log = Log::default()
        .select(300.0, vec![t("readings").range(&["ts"])])
        .select(100.0, vec![t("readings").pin(&["device_id"]).range(&["ts"])])
        .delete(10.0, t("readings").range(&["ts"]))
        .insert(5000.0, "readings");
    expect(&World::new(readings, log.oltp()).profiled(rows), "readings", &["range(ts)"]);

    let jobs = vec![table("jobs", &["id!:bigint", "state:integer", "queue:bigint"], &["id"])];
    let log = Log::default()
        .select(700.0, vec![t("jobs").pin(&["queue"])])
        .select(400.0, vec![t("jobs").pin(&["id"])])
        .update(300.0, t("jobs").pin(&["id"]).set(&["queue"]));
    expect(&World::new(jobs, log.oltp()), "jobs", &["hash(id)"]);
}

#[test]
fn ycsb_with_scans_is_chosen_at_the_optimum() {
    for scans in [50.0, 150.0] {
        let log = Log::default()
            .select(950.0 - scans, vec![t("usertable").pin(&["ycsb_key"])])
            .select(scans, vec![t("usertable").range(&["ycsb_key"])])
            .update(50.0, t("usertable").pin(&["ycsb_key"]).set(&["field0"]));
        let schema = vec![table("usertable", &["ycsb_key:text", "field0:text", "field1:text"], &["ycsb_key"])];
        expect(&World::new(schema, log.oltp()), "usertable", &["hash(ycsb_key)"]);
    }
}

/// Three tables of three columns, tied by foreign keys or not, with a few statements that pin or join them.
fn small_world() -> impl Strategy<Value = World> {
    let statement = (0_usize..3, 0_usize..3, 1_u32..100, 0_usize..5, 0_usize..3);
    (prop::collection::vec(statement, 1..8), prop::collection::vec(any::<bool>(), 3)).prop_map(
        |(statements, linked)| {
            let names = ["a", "b", "c"];
            let columns = ["id:bigint", "x_ref:bigint", "y_ref:bigint"];
            let bare = ["id", "x_ref", "y_ref"];
            let mut tables: Vec<Table> = names.iter().map(|n| table(n, &columns, &["id"])).collect();
            for (i, yes) in linked.into_iter().enumerate() {
                if yes {
                    tables[i] = link(tables[i].clone(), &["x_ref"], names[(i + 1) % 3], &["id"]);
                }
            }
            let mut log = Log::default();
            for (which, column, calls, kind, other) in statements {
                let (one, calls) = (names[which], f64::from(calls));
                log = match kind {
                    0 | 1 => log.select(calls, vec![t(one).pin(&[bare[column]])]),
                    2 => log.update(calls, t(one).pin(&[bare[column]]).set(&[bare[other]])),
                    3 => log.insert(calls, one),
                    _ if other == which => log.select(calls, vec![t(one).pin(&[bare[column], bare[(column + 1) % 3]])]),
                    _ => log.report(
                        calls,
                        calls * 50.0,
                        vec![
                            t(one).join(bare[column], names[other], "id"),
                            t(names[other]).join("id", one, bare[column]),
                        ],
                    ),
                };
            }
            World::new(tables, log.build(WorkloadProfile::Mixed))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_plan_of_a_small_world_is_the_best_of_all_designs(world in small_world()) {
        let plan = world.plan("a");
        let input = world.input("a");
        let Objective { costs, .. } = objective(&input, &|_, _, _| None, Breadth::Candidates).unwrap();
        let joint = plan.joint.unwrap();
        prop_assert!(joint.exact);
        prop_assert!((joint.cost - brute_force(&costs)).abs() < 1e-3, "{} {}", joint.cost, brute_force(&costs));
    }
}

#[test]
fn the_explanation_of_a_joint_choice_fits_a_screen() {
    let plan = plan_tpcc::world(true).profiled(plan_tpcc::rows_of("order_line")).plan("order_line");
    let text = foreshard_core::plan::explain(&plan);
    assert!(text.lines().count() <= 45 && text.lines().all(|l| l.chars().count() <= 100), "{text}");
    assert!(text.contains("Together: leaves room for customer by c_w_id"), "{text}");
}
