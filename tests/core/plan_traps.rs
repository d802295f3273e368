//! Workloads in which the obvious key is the wrong one, each for another reason.

use crate::planner_world::*;
use foreshard_core::model::workload::TableUse;
use foreshard_core::model::{Table, WorkloadProfile};

/// An UPDATE in which an object mapper writes the whole row, as it was read.
fn saved(found: TableUse, columns: &[&str]) -> TableUse {
    TableUse { rewritten: true, ..found.set(columns) }
}

#[test]
fn a_mapper_that_saves_whole_rows_does_not_move_them_to_another_tenant() {
    let owned = |name: &str| {
        table(name, &["id!:bigint", "tenant_id:bigint", "title:text", "state:text", "version:integer"], &["id"])
    };
    let tables: Vec<Table> = ["contacts", "deals"].map(owned).to_vec();
    let all = ["tenant_id", "title", "state", "version"];
    let mut log = Log::default();
    for name in ["contacts", "deals"] {
        log = log
            .select(300.0, vec![t(name).pin(&["tenant_id"])])
            .select(100.0, vec![t(name).pin(&["state", "tenant_id"])])
            .update(200.0, saved(t(name).pin(&["id", "tenant_id", "version"]), &all));
    }
    let world = World::new(tables, log.oltp());
    for target in ["contacts", "deals"] {
        let plan = world.plan(target);
        assert_eq!(choice(&plan), "hash(tenant_id)", "{}", table_of(&plan));
        let state = plan.candidates.iter().find(|c| c.key.as_slice() == ["state"]).unwrap();
        assert!(state.rejected.is_some(), "what no other table shares may well be changed: {state:?}");
    }
}

#[test]
fn numbers_that_each_table_makes_for_itself_are_not_one_family() {
    let tables = vec![
        table("orders", &["row_id!:bigint", "order_no:bigint", "customer_no:integer", "note:text"], &["row_id"]),
        table("items", &["row_id!:bigint", "order_no:bigint", "qty:integer"], &["row_id"]),
        table("shelves", &["row_id!:bigint", "label:text"], &["row_id"]),
    ];
    let log = Log::default()
        .select(400.0, vec![t("orders").pin(&["customer_no"])])
        .update(80.0, t("orders").pin(&["row_id"]).set(&["note"]))
        .select(300.0, vec![t("items").pin(&["order_no"])])
        .update(80.0, t("items").pin(&["row_id"]).set(&["qty"]))
        .select(300.0, vec![t("shelves").pin(&["row_id"])])
        .update(300.0, t("shelves").pin(&["row_id"]).set(&["label"]));
    let mut world = World::new(tables, log.oltp()).config(serde_json::json!({"growth": 2}));
    world.nodes = nodes(&["a"]);
    for (target, key) in [("items", "order_no"), ("orders", "customer_no"), ("shelves", "row_id")] {
        let plan = world.plan(target);
        assert_eq!(choice(&plan), format!("hash({key})"), "{}", table_of(&plan));
    }
}

#[test]
fn a_second_column_must_be_worth_something() {
    let tables = vec![table("comments", &["id!:bigint", "kind:text", "subject:bigint"], &["id"])];
    let log = Log::default().select(500.0, vec![t("comments").pin(&["kind", "subject"])]).insert(50.0, "comments");
    let rows = profile(1_000_000, 60, &[("id", 1_000_000), ("kind", 3), ("subject", 20_000)]);
    let plan = World::new(tables, log.oltp()).profiled(rows).plan("comments");
    assert_eq!(choice(&plan), "hash(subject)", "{}", table_of(&plan));
}

#[test]
fn a_handful_of_rows_is_not_cut_to_keep_them_together() {
    let tables = vec![
        table("events", &["seq!:bigint", "stream:uuid", "kind:text"], &["seq"]),
        table("positions", &["projector:text", "seq:bigint"], &["projector"]),
    ];
    let log = Log::default()
        .select(450.0, vec![t("events").pin(&["stream"])])
        .insert(400.0, "events")
        .select(100.0, vec![t("positions").pin(&["projector"])])
        .update(100.0, t("positions").pin(&["projector"]).set(&["seq"]));
    let plan =
        World::new(tables, log.oltp()).profiled(profile(6, 9, &[("projector", 6), ("seq", 6)])).plan("positions");
    assert_eq!(choice(&plan), "none()", "{}", table_of(&plan));
}

#[test]
fn the_explanation_names_the_ways_out_and_what_is_ruled_out() {
    let tables = vec![table("jobs", &["id!:bigint", "state:text", "queue:bigint"], &["id"])];
    let log = Log::default()
        .select(700.0, vec![t("jobs").pin(&["queue"])])
        .select(40.0, vec![t("jobs").pin(&["id"])])
        .update(300.0, t("jobs").pin(&["queue"]).set(&["state"]))
        .select(300.0, vec![t("jobs").pin(&["state"])]);
    let text = foreshard_core::plan::explain(&World::new(tables, log.oltp()).plan("jobs"));
    assert!(
        text.contains(
            "Uniqueness: jobs_pkey can hold with the key added (+0.02), within each shard only (+0.02), by a"
        ),
        "{text}"
    );
    assert!(text.contains("hash on state, 8 shards, ruled out: 22 % of the calls change state"), "{text}");
}

#[test]
fn what_is_small_today_is_not_taken_for_small_beside_a_table_that_grows() {
    let dimension = table("product", &["product_no", "brand:text"], &["product_no"]);
    let fact = |name: &str| table(name, &["order_no:bigint", "product_no", "price:numeric"], &[]);
    let log = Log::default().report(
        10.0,
        9_000.0,
        vec![
            t("sales").join("order_no", "returns", "order_no").join("product_no", "product", "product_no"),
            t("returns").join("order_no", "sales", "order_no"),
            t("product").join("product_no", "sales", "product_no"),
        ],
    );
    let world = World::new(vec![dimension, fact("sales"), fact("returns")], log.build(WorkloadProfile::Olap))
        .sized(&[("sales", 150_000, 4_300_000), ("returns", 30_000, 630_000), ("product", 2_000, 22_000)])
        .profiled(profile(2_000, 11, &[("product_no", 2_000), ("brand", 50)]))
        .config(serde_json::json!({"growth": 100}));
    let plan = world.plan("product");
    assert_eq!(choice(&plan), "reference()", "{}", table_of(&plan));
    let beside: Vec<bool> = plan.joint.unwrap().tables.iter().map(|t| t.method.shards()).collect();
    assert_eq!(beside, [true, true], "both facts outgrow one node");
}

#[test]
fn a_few_rows_that_every_statement_asks_for_are_copied_however_few_they_are() {
    let tables = vec![
        table("nation", &["nation_no", "name:text"], &["nation_no"]),
        table("sales", &["sale_no:bigint", "nation_no"], &[]),
    ];
    let log = Log::default()
        .report(
            10.0,
            9_000.0,
            vec![
                t("sales").join("nation_no", "nation", "nation_no"),
                t("nation").join("nation_no", "sales", "nation_no"),
            ],
        )
        .report(10.0, 9_000.0, vec![t("sales").pin(&["sale_no"])]);
    let world = World::new(tables, log.build(WorkloadProfile::Olap))
        .sized(&[("sales", 60_000_000, 7 << 30), ("nation", 25, 2_200)])
        .profiled(profile(25, 88, &[("nation_no", 25), ("name", 25)]));
    let plan = world.plan("nation");
    assert_eq!(choice(&plan), "reference()", "{}", table_of(&plan));
}

#[test]
fn what_is_only_joined_with_a_copy_is_copied_too_where_a_third_table_is_cut() {
    let tables = vec![
        table("region", &["region_no", "name:text"], &["region_no"]),
        table("nation", &["nation_no", "region_no"], &["nation_no"]),
        table("sales", &["sale_no:bigint", "nation_no"], &[]),
    ];
    let snowflake = || {
        vec![
            t("sales").join("nation_no", "nation", "nation_no"),
            t("nation").join("nation_no", "sales", "nation_no").join("region_no", "region", "region_no"),
            t("region").join("region_no", "nation", "region_no"),
        ]
    };
    let log =
        Log::default().report(10.0, 9_000.0, snowflake()).report(10.0, 9_000.0, vec![t("sales").pin(&["sale_no"])]);
    let world = World::new(tables, log.build(WorkloadProfile::Olap))
        .sized(&[("sales", 60_000_000, 7 << 30), ("nation", 25, 2_200), ("region", 5, 400)])
        .profiled(profile(5, 80, &[("region_no", 5), ("name", 5)]));
    let plan = world.plan("region");
    assert_eq!(choice(&plan), "reference()", "{}", table_of(&plan));
}
