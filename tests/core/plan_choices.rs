//! What is chosen for the tables that a planner most often meets, and why.

use crate::planner_world::*;
use foreshard_core::model::plan::{Bound, Direction};
use foreshard_core::model::profile::HeavyHitter;
use foreshard_core::model::{Method, Schema, Table, TableProfile, WorkloadProfile};
use foreshard_core::plan::{explain, hash};
use serde_json::json;

fn shop() -> Vec<Table> {
    vec![
        table("customers", &["id!:bigint", "email:text"], &["id"]),
        link(
            table("orders", &["id!:bigint", "customer_id:bigint", "status:text", "total:numeric"], &["id"]),
            &["customer_id"],
            "customers",
            &["id"],
        ),
    ]
}

fn shop_log() -> Log {
    Log::default()
        .select(600.0, vec![t("orders").pin(&["customer_id"])])
        .select(150.0, vec![t("orders").pin(&["id"])])
        .update(100.0, t("orders").pin(&["customer_id", "id"]).set(&["status"]))
        .insert(100.0, "orders")
        .select(200.0, vec![t("customers").pin(&["id"])])
}

fn shop_rows() -> TableProfile {
    profile(2_000_000, 80, &[("id", 2_000_000), ("customer_id", 90_000), ("status", 5), ("total", 40_000)])
}

#[test]
fn orders_go_by_customer_although_they_are_looked_up_by_id_too() {
    for world in [World::new(shop(), shop_log().oltp()), World::new(shop(), shop_log().oltp()).profiled(shop_rows())] {
        let plan = world.plan("orders");
        assert_eq!(choice(&plan), "hash(customer_id)", "{}", table_of(&plan));
        assert_eq!(plan.layout.shards.len(), 8);
        let evidence = &chosen(&plan).evidence;
        assert_eq!((evidence.reads.single, evidence.reads.scatter, evidence.writes.single), (0.8, 0.2, 1.0));
        assert_eq!((evidence.calls, evidence.insert_calls), (850.0, 100.0));
        assert_eq!(evidence.constraints_lost, ["orders_pkey"]);
        assert!(
            chosen(&plan)
                .because
                .contains("primary key orders_pkey (id) does not contain it and is widened to (id, customer_id)")
        );
    }
}

#[test]
fn a_tenant_owns_its_rows_although_every_row_has_a_uuid() {
    let tenants = |name: &str, more: &[&str]| {
        let columns: Vec<&str> = ["id!:uuid", "tenant_id:uuid"].iter().chain(more).copied().collect();
        link(table(name, &columns, &["id"]), &["tenant_id"], "tenants", &["id"])
    };
    let schema = vec![
        table("tenants", &["id!:uuid", "name:text"], &["id"]),
        tenants("projects", &["title:text"]),
        link(tenants("tasks", &["project_id:uuid", "state:text"]), &["project_id"], "projects", &["id"]),
    ];
    let log = Log::default()
        .select(300.0, vec![t("tasks").pin(&["tenant_id", "project_id"])])
        .select(300.0, vec![t("tasks").pin(&["id", "tenant_id"])])
        .select(50.0, vec![t("tasks").pin(&["id"])])
        .update(100.0, t("tasks").pin(&["id", "tenant_id"]).set(&["state"]))
        .insert(50.0, "tasks")
        .select(200.0, vec![t("projects").pin(&["tenant_id"])])
        .update(20.0, t("projects").pin(&["id", "tenant_id"]).set(&["title"]))
        .select(30.0, vec![t("tenants").pin(&["id"])])
        .oltp();
    let rows =
        profile(5_000_000, 200, &[("id", 5_000_000), ("tenant_id", 4_000), ("project_id", 60_000), ("state", 4)]);
    let plan = World::new(schema, log).profiled(rows).plan("tasks");
    assert_eq!(choice(&plan), "hash(tenant_id)", "{}", table_of(&plan));
    assert!(chosen(&plan).because.contains("widened to (id, tenant_id)"));
    assert_eq!(chosen(&plan).evidence.family_tables, [name("projects"), name("tasks"), name("tenants")]);
    assert!(plan.notes.iter().any(|n| n.object == "tasks_pkey" && n.what == "(id) becomes (id, tenant_id)"));
}

#[test]
fn ycsb_goes_by_its_key() {
    for small in [false, true] {
        let log = Log::default()
            .select(950.0, vec![t("usertable").pin(&["ycsb_key"])])
            .update(50.0, t("usertable").pin(&["ycsb_key"]).set(&["field0"]))
            .oltp();
        let rows = if small { 2_000 } else { 1_000_000 };
        let schema = vec![table("usertable", &["ycsb_key:text", "field0:text", "field1:text"], &["ycsb_key"])];
        let plan = World::new(schema, log).profiled(profile(rows, 1000, &[("ycsb_key", rows)])).plan("usertable");
        assert_eq!(choice(&plan), "hash(ycsb_key)", "{}", table_of(&plan));
        assert_eq!(chosen(&plan).evidence.reads.single, 1.0);
    }
}

fn readings() -> (Vec<Table>, TableProfile) {
    let schema =
        vec![table("readings", &["ts:timestamp without time zone", "device_id:bigint", "value:double precision"], &[])];
    let mut rows = profile(50_000_000, 40, &[("ts", 30_000_000), ("device_id", 5_000), ("value", 900_000)]);
    rows.columns[0].monotonicity = 1.0;
    rows.columns[0].quantiles =
        (0..=100).map(|i| format!("2026-{:02}-{:02} 00:00:00", 1 + i / 28, 1 + i % 28)).collect();
    (schema, rows)
}

#[test]
fn a_time_series_goes_by_ranges_of_time() {
    let log = Log::default()
        .select(300.0, vec![t("readings").range(&["ts"])])
        .select(100.0, vec![t("readings").pin(&["device_id"]).range(&["ts"])])
        .delete(10.0, t("readings").range(&["ts"]))
        .insert(5000.0, "readings")
        .oltp();
    let (schema, rows) = readings();
    let plan = World::new(schema, log).profiled(rows).plan("readings");
    assert_eq!(choice(&plan), "range(ts)", "{}", table_of(&plan));
    let shards = &plan.layout.shards;
    assert_eq!(shards.len(), 8);
    assert!(matches!(&shards[0].bound, Bound::Range { from: None, to: Some(_) }));
    assert!(matches!(&shards[7].bound, Bound::Range { from: Some(_), to: None }));
    for pair in shards.windows(2) {
        let (Bound::Range { to, .. }, Bound::Range { from, .. }) = (&pair[0].bound, &pair[1].bound) else { panic!() };
        assert_eq!(to, from);
    }
    assert!((shards.iter().map(|s| s.share).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(chosen(&plan).because.contains("all go to the last range"));
}

#[test]
fn a_device_that_is_always_named_beats_time() {
    let log = Log::default()
        .select(500.0, vec![t("readings").pin(&["device_id"]).range(&["ts"])])
        .select(10.0, vec![t("readings").range(&["ts"])])
        .insert(500.0, "readings")
        .oltp();
    let (schema, rows) = readings();
    let plan = World::new(schema, log).profiled(rows).plan("readings");
    assert_eq!(choice(&plan), "hash(device_id)", "{}", table_of(&plan));
}

#[test]
fn a_column_that_is_often_updated_is_not_the_key() {
    let schema = vec![table("jobs", &["id!:bigint", "state:integer", "queue:bigint"], &["id"])];
    let log = Log::default()
        .select(700.0, vec![t("jobs").pin(&["queue"])])
        .update(300.0, t("jobs").pin(&["id"]).set(&["queue"]))
        .oltp();
    let rows = profile(3_000_000, 100, &[("id", 3_000_000), ("queue", 50_000), ("state", 6)]);
    let plan = World::new(schema, log).profiled(rows).plan("jobs");
    assert_ne!(choice(&plan), "hash(queue)", "{}", table_of(&plan));
    let queue = plan.candidates.iter().find(|c| c.key.as_slice() == ["queue"]).unwrap();
    assert_eq!(queue.evidence.key_updates, 0.3);
    assert_eq!(
        queue.rejected.as_deref(),
        Some("30 % of the calls change queue, and each would move a row to another shard.")
    );
}

#[test]
fn a_tiny_table_that_nobody_looks_up_is_not_cut() {
    let mut schema = shop();
    schema.push(table("countries", &["code:text", "title:text"], &["code"]));
    let log = shop_log().select(20.0, vec![t("countries")]).oltp();
    let plan = World::new(schema.clone(), log).profiled(profile(200, 15, &[("code", 200)])).plan("countries");
    assert!(matches!(chosen(&plan).method, Method::None | Method::Reference), "{}", table_of(&plan));
    // Not in the log at all: one plain table.
    let plan = World::new(schema, shop_log().oltp()).profiled(profile(200, 15, &[("code", 200)])).plan("countries");
    assert_eq!(choice(&plan), "none()", "{}", table_of(&plan));
    assert!(chosen(&plan).because.contains("It is small"));
    assert_eq!((plan.count.count, plan.layout.shards.len()), (1, 0));
}

fn star() -> (Vec<Table>, Log, TableProfile) {
    let fact = table(
        "sales",
        &["date_sk", "item_sk", "customer_sk", "store_sk", "ticket:bigint", "price:numeric"],
        &["item_sk", "ticket"],
    );
    let schema = vec![
        fact,
        table("date_dim", &["d_date_sk", "d_year"], &["d_date_sk"]),
        table("item", &["i_item_sk", "i_brand:text"], &["i_item_sk"]),
        table("customer", &["c_customer_sk", "c_state:text"], &["c_customer_sk"]),
        table("store", &["s_store_sk", "s_state:text"], &["s_store_sk"]),
    ];
    let date = |u| Uses::join(u, "date_sk", "date_dim", "d_date_sk");
    let by_customer = date(t("sales")).join("customer_sk", "customer", "c_customer_sk");
    let by_item = date(t("sales")).join("item_sk", "item", "i_item_sk");
    let by_store = date(t("sales")).join("store_sk", "store", "s_store_sk");
    let dim = |table: &str, key: &str, column: &str| t(table).join(key, "sales", column);
    let year = || dim("date_dim", "d_date_sk", "date_sk").pin(&["d_year"]);
    let log = Log::default()
        .report(40.0, 400_000.0, vec![by_customer, year(), dim("customer", "c_customer_sk", "customer_sk")])
        .report(60.0, 300_000.0, vec![by_item, year(), dim("item", "i_item_sk", "item_sk")])
        .report(90.0, 200_000.0, vec![by_store, year(), dim("store", "s_store_sk", "store_sk")]);
    let rows = profile(
        28_000_000,
        120,
        &[
            ("date_sk", 1_800),
            ("item_sk", 18_000),
            ("customer_sk", 1_000_000),
            ("store_sk", 12),
            ("ticket", 2_400_000),
            ("price", 20_000),
        ],
    );
    (schema, log, rows)
}

#[test]
fn a_fact_goes_by_its_biggest_join_and_not_by_its_most_frequent_one() {
    let (schema, log, rows) = star();
    let plan = World::new(schema, log.build(WorkloadProfile::Olap)).profiled(rows).plan("sales");
    assert_eq!(choice(&plan), "hash(customer_sk)", "{}", table_of(&plan));
}

#[test]
fn a_dimension_is_copied() {
    let (schema, log, _) = star();
    let plan = World::new(schema, log.build(WorkloadProfile::Olap))
        .profiled(profile(18_000, 200, &[("i_item_sk", 18_000), ("i_brand", 700)]))
        .plan("item");
    assert_eq!(choice(&plan), "reference()", "{}", table_of(&plan));
}

#[test]
fn without_a_log_the_primary_key_is_a_guess_and_says_so() {
    let plan = World::new(shop(), Log::default().oltp()).profiled(shop_rows()).plan("orders");
    assert_eq!(choice(&plan), "hash(id)", "{}", table_of(&plan));
    assert!(chosen(&plan).because.contains("low confidence"));
    // Without a primary key either: a foreign key.
    let mut bare = shop();
    bare[1].unique_keys.clear();
    let plan = World::new(bare, Log::default().oltp()).profiled(shop_rows()).plan("orders");
    assert_eq!(choice(&plan), "hash(customer_id)", "{}", table_of(&plan));
}

#[test]
fn a_small_table_without_a_log_stays_whole_unless_the_config_insists() {
    let small = profile(1_000, 80, &[("id", 1_000), ("customer_id", 300)]);
    let world = || World::new(shop(), Log::default().oltp()).profiled(small.clone());
    assert_eq!(choice(&world().plan("orders")), "none()");
    for config in [json!({"shard_key": ["id"]}), json!({"method": "hash"}), json!({"shard_count": 4})] {
        let plan = world().config(config.clone()).plan("orders");
        assert!(chosen(&plan).method.shards(), "{config}\n{}", table_of(&plan));
        assert!(plan.layout.shards.len() > 1);
    }
}

#[test]
fn few_unequal_texts_go_by_list_when_they_are_what_is_asked_for() {
    let schema = vec![table("visits", &["region:text", "page:text", "seen:integer"], &[])];
    let log = Log::default().select(900.0, vec![t("visits").pin(&["region"])]).oltp();
    let mut rows = profile(1_000_000, 100, &[("region", 6), ("page", 40_000), ("seen", 100)]);
    let sizes = [300_000, 200_000, 150_000, 150_000, 100_000, 100_000];
    rows.columns[0].heavy =
        (0..).zip(sizes).map(|(i, count)| HeavyHitter { value: format!("region {i}"), count }).collect();
    rows.columns[0].quantiles.clear();
    let mut world = World::new(schema, log).profiled(rows).config(json!({"growth": 2}));
    world.nodes = nodes(&["a"]);
    let plan = world.plan("visits");
    assert_eq!(choice(&plan), "list(region)", "{}", table_of(&plan));
    let shards = &plan.layout.shards;
    assert_eq!(shards.len() as u32, plan.count.count);
    assert_eq!(shards.last().map(|s| (&s.bound, s.share)), Some((&Bound::Default, 0.0)));
    let listed: usize = shards
        .iter()
        .filter_map(|s| if let Bound::List { values } = &s.bound { Some(values.len()) } else { None })
        .sum();
    assert_eq!(listed, 6);
}

#[test]
fn a_value_with_most_of_the_rows_cannot_be_the_key() {
    let schema = vec![table("events", &["id!:bigint", "kind:text"], &["id"])];
    let log = Log::default().select(900.0, vec![t("events").pin(&["kind"])]).oltp();
    let mut rows = profile(1_000_000, 100, &[("id", 1_000_000), ("kind", 40)]);
    rows.columns[1].heavy[0].count = 900_000;
    let plan = World::new(schema, log).profiled(rows).plan("events");
    let kind = plan.candidates.iter().find(|c| c.key.as_slice() == ["kind"]).unwrap();
    assert_eq!(kind.rejected.as_deref(), Some("90 % of the rows have one kind, so that more shards would not help."));
    assert_ne!(chosen(&plan).key.as_slice(), ["kind"]);
}

#[test]
fn the_parts_of_every_cost_add_up_to_it_and_every_reason_is_a_sentence() {
    let (schema, log, rows) = star();
    let plans = [
        World::new(schema, log.build(WorkloadProfile::Mixed)).profiled(rows).plan("sales"),
        World::new(shop(), shop_log().oltp()).profiled(shop_rows()).plan("orders"),
    ];
    for candidate in plans.iter().flat_map(|p| &p.candidates) {
        let sum: f64 = candidate.evidence.cost_parts.iter().map(|p| p.1).sum();
        assert!((sum - candidate.cost).abs() < 1e-3, "{candidate:?}");
        assert!(candidate.because.ends_with('.') && candidate.because.len() > 30, "{}", candidate.because);
        assert!(!candidate.because.contains("  ") && !candidate.because.contains("NaN"));
    }
}

#[test]
fn the_same_input_gives_the_same_plan_and_its_hash_signs_it() {
    let world = || World::new(shop(), shop_log().oltp()).profiled(shop_rows());
    let (one, two) = (world().plan("orders"), world().plan("orders"));
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap());
    assert_eq!(one.hash.len(), 32);
    assert_eq!(hash(&one).unwrap(), one.hash);
    let mut other = one.clone();
    other.layout.shards[0].node = "elsewhere".to_owned();
    assert_ne!(hash(&other).unwrap(), one.hash);
    let back: foreshard_core::model::Plan = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
    assert_eq!(hash(&back).unwrap(), one.hash);
}

#[test]
fn the_order_of_tables_and_statements_does_not_matter() {
    let mut reversed = World::new(shop(), shop_log().oltp()).profiled(shop_rows());
    reversed.workload.statements.reverse();
    reversed.schema = Schema::new(shop().into_iter().rev().collect());
    let plan = World::new(shop(), shop_log().oltp()).profiled(shop_rows()).plan("orders");
    assert_eq!(reversed.plan("orders").hash, plan.hash);
}

#[test]
fn the_explanation_fits_a_screen_and_says_what_matters() {
    let text = explain(&World::new(shop(), shop_log().oltp()).profiled(shop_rows()).plan("orders"));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() <= 45, "{text}");
    assert!(lines.iter().all(|l| l.chars().count() <= 100), "{text}");
    assert_eq!(lines[0], "public.orders: 8 shards by hash on customer_id");
    for words in
        ["Because: ", "Stands on: query log", "Count: 8.", "Instead of", "hash on id", "orders_pkey", "a: 4 shards"]
    {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn every_bound_has_a_name_a_figure_and_a_reason() {
    let plan = World::new(shop(), shop_log().oltp())
        .profiled(shop_rows())
        .config(json!({"throughput": 5000, "concurrency": 40}))
        .plan("orders");
    let names: Vec<&str> = plan.count.bounds.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "volume",
            "throughput",
            "concurrency",
            "balance",
            "planning",
            "locks",
            "memory",
            "cardinality",
            "hottest value"
        ]
    );
    assert!(plan.count.bounds.iter().all(|b| !b.because.is_empty() && b.value > 0.0));
    let lower =
        plan.count.bounds.iter().filter(|b| b.direction == Direction::AtLeast).map(|b| b.value.ceil() as u32).max();
    assert_eq!(lower, Some(8));
    assert_eq!(plan.count.decided_by, "balance");
}

/// A backup written in the order of its key shows few values in order; they do not foretell ever larger ones.
#[test]
fn a_closed_set_of_values_in_order_has_no_hot_end() {
    let log = Log::default().select(900.0, vec![t("stock").pin(&["warehouse_id"])]).insert(900.0, "stock").oltp();
    let schema = vec![table("stock", &["warehouse_id:integer", "item_id:integer", "quantity:integer"], &[])];
    let mut rows = profile(1_000_000, 40, &[("warehouse_id", 100), ("item_id", 90_000), ("quantity", 100)]);
    rows.columns[0].monotonicity = 1.0;
    let plan = World::new(schema, log).profiled(rows).plan("stock");
    assert_eq!(choice(&plan), "range(warehouse_id)", "{}", table_of(&plan));
    assert!(!chosen(&plan).because.contains("last range"), "{}", chosen(&plan).because);
    assert_eq!(chosen(&plan).evidence.monotonicity, Some(1.0));
}

/// More tables than are looked at together: those left out would follow any choice, and are no reason against the best.
#[test]
fn a_large_schema_is_planned_by_its_heaviest_tables() {
    let names: Vec<String> = (0..250).map(|i| format!("t{i:03}")).collect();
    let schema: Vec<Table> =
        names.iter().map(|name| table(name, &["id:bigint", "tenant_id:bigint", "note:text"], &["id"])).collect();
    let mut log = Log::default();
    for name in &names {
        log = log.select(100.0, vec![t(name).pin(&["tenant_id"])]);
    }
    let rows = profile(1_000_000, 100, &[("id", 1_000_000), ("tenant_id", 20_000), ("note", 900_000)]);
    let plan = World::new(schema, log.oltp()).profiled(rows).plan("t007");
    assert_eq!(choice(&plan), "hash(tenant_id)", "{}", table_of(&plan));
    assert_eq!(plan.joint.as_ref().map(|j| j.left_out), Some(50));
    let apart = |c: &foreshard_core::model::Candidate| {
        c.evidence.cost_parts.iter().any(|(part, _)| part == "apart from its transactions")
    };
    assert!(!apart(chosen(&plan)), "{:?}", chosen(&plan).evidence.cost_parts);
}
