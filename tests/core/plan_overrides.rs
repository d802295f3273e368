//! What the config asks for: done, shown with its honest cost, or refused with all that is wrong at once.
#![allow(clippy::unwrap_used)]

use crate::planner_world::*;
use foreshard_core::model::{Problem, Table, TableProfile};
use foreshard_core::plan::explain;
use serde_json::json;

fn schema() -> Vec<Table> {
    let mut orders = table(
        "orders",
        &["id!:bigint", "customer_id:bigint", "region?:integer", "doc:json", "tag:xid", "net:numeric", "gross:numeric"],
        &["id"],
    );
    orders.columns[6].generated = true;
    vec![orders]
}

fn rows() -> TableProfile {
    let mut rows = profile(500_000, 100, &[("id", 500_000), ("customer_id", 20_000), ("region", 12), ("net", 9_000)]);
    rows.columns[2].nulls = 1_000;
    rows
}

fn world(config: serde_json::Value) -> World {
    let log = Log::default()
        .select(700.0, vec![t("orders").pin(&["customer_id"])])
        .select(100.0, vec![t("orders").pin(&["id"])])
        .update(50.0, t("orders").pin(&["id"]).set(&["net"]))
        .oltp();
    World::new(schema(), log).profiled(rows()).config(config)
}

fn refused(config: serde_json::Value) -> Vec<(String, String)> {
    let problems: Vec<Problem> = world(config).try_plan("orders").unwrap_err();
    assert!(problems.iter().all(|p| p.hint.is_some()), "{problems:?}");
    problems.into_iter().map(|p| (p.sqlstate, p.message)).collect()
}

fn pair(sqlstate: &str, message: &str) -> (String, String) {
    (sqlstate.to_owned(), message.to_owned())
}

#[test]
fn a_forced_key_keeps_its_cost_and_names_what_would_be_chosen() {
    let free = world(json!({})).plan("orders");
    assert_eq!(choice(&free), "hash(customer_id)");
    let forced = world(json!({"shard_key": ["id"]})).plan("orders");
    assert_eq!(choice(&forced), "hash(id)");
    assert!(forced.candidates[0].cost < chosen(&forced).cost);
    assert_eq!(forced.candidates[0].key.as_slice(), ["customer_id"]);
    assert!(
        chosen(&forced)
            .because
            .starts_with("The config asks for it; by itself the planner would choose hash on customer_id.")
    );
    assert!(explain(&forced).contains("Instead of"));
    let agreed = world(json!({"shard_key": ["customer_id"]})).plan("orders");
    assert!(chosen(&agreed).because.starts_with("The config asks for it, and the planner agrees."));
}

#[test]
fn method_and_count_are_taken_as_given() {
    let plan = world(json!({"shard_key": ["customer_id"], "method": "range", "shard_count": 6})).plan("orders");
    assert_eq!((choice(&plan).as_str(), plan.layout.shards.len()), ("range(customer_id)", 6));
    let plan = world(json!({"shard_count": 5})).plan("orders");
    assert_eq!((choice(&plan).as_str(), plan.layout.shards.len()), ("hash(customer_id)", 5));
    assert_eq!(plan.count.decided_by, "config");
    let plan = world(json!({"method": "none"})).plan("orders");
    assert_eq!(choice(&plan), "none()");
    let plan = world(json!({"shard_count": 1})).plan("orders");
    assert_eq!(choice(&plan), "none()");
    let plan = world(json!({"shard_key": ["region"], "method": "list", "shard_count": 4})).plan("orders");
    assert_eq!((choice(&plan).as_str(), plan.layout.shards.len()), ("list(region)", 4));
    let plan = world(json!({"shard_key": ["customer_id", "id"]})).plan("orders");
    assert_eq!(choice(&plan), "hash(customer_id,id)");
}

#[test]
fn null_has_its_place_in_a_list() {
    use foreshard_core::model::Bound;
    let plan = world(json!({"shard_key": ["region"], "method": "list"})).plan("orders");
    let holds_null = |b: &Bound| matches!(b, Bound::List { values } if values.contains(&None));
    assert_eq!(plan.layout.shards.iter().filter(|s| holds_null(&s.bound)).count(), 1);
}

#[test]
fn columns_that_do_not_exist_or_cannot_partition_are_named_all_at_once() {
    assert_eq!(
        refused(json!({"shard_key": ["nope", "gross", "doc"], "method": "hash"})),
        [
            pair("42703", "column \"nope\" of the shard key does not exist"),
            pair("42P16", "generated column \"gross\" cannot be in the shard key"),
            pair("42P16", "column \"doc\" cannot be partitioned by hash"),
        ]
    );
    assert_eq!(
        refused(json!({"shard_key": ["tag"], "method": "range"})),
        [pair("42P16", "column \"tag\" cannot be partitioned by range"),]
    );
    assert_eq!(refused(json!({"shard_key": ["doc"]})), [pair("42P16", "no method can partition by doc")]);
    assert_eq!(
        refused(json!({"shard_key": ["id", "id"]})),
        [pair("42P16", "column \"id\" appears twice in the shard key")]
    );
}

#[test]
fn range_and_list_are_refused_where_the_data_rules_them_out() {
    assert_eq!(
        refused(json!({"shard_key": ["region"], "method": "range"})),
        [pair("22023", "column \"region\" has NULLs, which no range takes"),]
    );
    assert_eq!(
        refused(json!({"shard_key": ["region"], "method": "list", "shard_count": 20})),
        [pair("22023", "20 shards by list cannot be made of column \"region\""),]
    );
    assert_eq!(
        refused(json!({"shard_key": ["id", "region"], "method": "list"})),
        [pair("42P16", "a shard key by list has one column"),]
    );
    let mut unprofiled = world(json!({"shard_key": ["id"], "method": "range"}));
    unprofiled.profile = None;
    let problems = unprofiled.try_plan("orders").unwrap_err();
    assert_eq!(problems[0].message, "values of column \"id\" are not known well enough for method range");
}

#[test]
fn contradictions_are_refused() {
    assert_eq!(
        refused(json!({"method": "none", "shard_key": ["id"], "shard_count": 4})),
        [pair("22023", "method none has no shard key"), pair("22023", "method none has no shards"),]
    );
    assert_eq!(
        refused(json!({"shard_key": ["customer_id"], "unique": "refuse"})),
        [pair("0A000", "unique constraints cannot be enforced across shards"),]
    );
}

#[test]
fn refuse_rules_out_keys_that_would_lose_a_constraint() {
    let plan = world(json!({"unique": "refuse", "shard_count": 8})).plan("orders");
    assert_eq!(choice(&plan), "hash(id)", "{}", table_of(&plan));
    assert!(plan.candidates.iter().any(|c| c.key.as_slice() == ["customer_id"] && c.rejected.is_some()));
}

#[test]
fn a_table_that_is_not_there_and_nodes_that_take_nothing() {
    assert_eq!(world(json!({})).try_plan("missing").unwrap_err()[0].sqlstate, "42P01");
    let mut drained = world(json!({}));
    drained.nodes.iter_mut().for_each(|n| n.active = false);
    assert_eq!(drained.try_plan("orders").unwrap_err()[0].sqlstate, "55000");
}

#[test]
fn a_table_without_keys_or_log_is_cut_by_its_most_varied_column_when_the_config_insists() {
    let bare =
        || {
            World::new(vec![table("notes", &["kind:integer", "body:text"], &[])], Log::default().oltp())
                .profiled(profile(90_000, 300, &[("kind", 9), ("body", 80_000)]))
        };
    assert_eq!(choice(&bare().plan("notes")), "none()");
    let plan = bare().config(json!({"shard_count": 4})).plan("notes");
    assert_eq!((choice(&plan).as_str(), plan.layout.shards.len()), ("hash(body)", 4));
    assert!(chosen(&plan).because.contains("a column whose values can be spread"));
}

#[test]
fn exact_shares_replace_the_expected_ones() {
    use foreshard_core::plan::plan_with;
    let few = profile(60_000, 300, &[("kind", 6)]);
    let world = World::new(vec![table("notes", &["kind:integer"], &[])], Log::default().oltp())
        .profiled(few)
        .config(json!({"shard_key": ["kind"], "method": "hash", "shard_count": 2}));
    let exact = |type_name: &str, values: &[(Option<&str>, u64)], modulus: u32| {
        assert_eq!((type_name, values.len(), modulus), ("integer", 6, 2));
        Some(vec![0.75, 0.25])
    };
    let plan = plan_with(&world.input("notes"), &exact).unwrap();
    assert_eq!(chosen(&plan).evidence.skew, Some(1.5));
    assert_eq!(plan.layout.shards.iter().map(|s| s.share).collect::<Vec<_>>(), [0.75, 0.25]);
}
