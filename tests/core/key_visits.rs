//! How many shards a statement is expected to visit; each figure was off before it was measured (tests/e2e/13_measured.sh).

use super::planner_world::*;
use super::workload_build as build;
use foreshard_core::model::Plan;
use foreshard_core::model::plan::Fanout;
use foreshard_core::model::schema::Schema;
use foreshard_core::model::workload::{Limit, TableUse};
use serde_json::json;

const ROWS: u64 = 1_000_000;

/// Reads of `events` by one statement under a layout of 8 shards; `rows` and `ms` are a call's.
fn reads(one: TableUse, rows: f64, ms: f64, method: &str, key: &str) -> Fanout {
    let mut workload = Log::default().report(1000.0, 1000.0 * ms, vec![one]).oltp();
    workload.statements.iter_mut().for_each(|s| s.rows = 1000.0 * rows);
    let events = table("events", &["id:bigint", "at:bigint", "device:bigint", "state:text"], &["id"]);
    let columns = [("id", ROWS), ("at", ROWS), ("device", 500), ("state", 4)];
    let world = World::new(vec![events], workload).profiled(profile(ROWS, 100, &columns));
    let plan = world.config(json!({"method": method, "shard_key": [key], "shard_count": 8})).plan("events");
    chosen(&plan).evidence.reads
}

fn shares(fanout: Fanout) -> [f64; 3] {
    [fanout.single, fanout.multi, fanout.scatter].map(|share| (share * 1000.0).round() / 1000.0)
}

fn listed(values: Option<u32>) -> TableUse {
    TableUse { listed: strings(&["device"]), list_values: values, ..t("events") }
}

#[test]
fn values_of_a_list_may_fall_on_one_shard_and_many_fall_on_all() {
    assert_eq!(shares(reads(listed(Some(1)), 1.0, 0.1, "hash", "device")), [1.0, 0.0, 0.0]);
    assert_eq!(shares(reads(listed(Some(2)), 1.0, 0.1, "hash", "device")), [0.125, 0.875, 0.0]);
    // 8! / 8^8 of eight values are all on shards of their own.
    assert_eq!(shares(reads(listed(Some(8)), 1.0, 0.1, "hash", "device")), [0.0, 0.998, 0.002]);
    assert_eq!(shares(reads(listed(Some(1000)), 1.0, 0.1, "hash", "device")), [0.0, 0.0, 1.0]);
    assert_eq!(shares(reads(listed(None), 1.0, 0.1, "hash", "device")), [0.002, 0.998, 0.0]);
}

#[test]
fn a_period_crosses_as_many_bounds_as_its_rows_say() {
    let period = || t("events").range(&["at"]);
    // A tenth of the rows, 7 bounds.
    assert_eq!(shares(reads(period(), 100_000.0, 50.0, "range", "at")), [0.3, 0.7, 0.0]);
    // Of one device a period returns 20 of its 2000 rows.
    assert_eq!(shares(reads(period().pin(&["device"]), 20.0, 5.0, "range", "at")), [0.93, 0.07, 0.0]);
    // 100 of 500 devices are met in 111 rows.
    let grouped = TableUse { grouped: strings(&["device"]), ..period() };
    assert_eq!(shares(reads(grouped.clone(), 100.0, 50.0, "range", "at")), [0.999, 0.001, 0.0]);
    // All groups tell nothing; a millisecond is not enough for 2.5 % of the rows.
    assert_eq!(shares(reads(grouped.clone(), 500.0, 1.0, "range", "at")), [0.825, 0.175, 0.0]);
    assert_eq!(shares(reads(grouped, 500.0, 5000.0, "range", "at")), [0.0, 1.0, 0.0]);
    // Nothing newer than what is known.
    assert_eq!(shares(reads(period(), 0.0, 5000.0, "range", "at")), [1.0, 0.0, 0.0]);
    // One row may be an aggregate.
    assert_eq!(shares(reads(period(), 1.0, 5000.0, "range", "at")), [0.0, 1.0, 0.0]);
    assert_eq!(shares(reads(period(), 1_000_000.0, 5000.0, "range", "at")), [0.0, 0.0, 1.0]);
}

#[test]
fn a_page_in_the_order_of_the_key_is_on_one_shard() {
    let page = TableUse { limited: Some(Limit::Statement), ordered: strings(&["at"]), ..t("events").range(&["at"]) };
    assert_eq!(shares(reads(page.clone(), 20.0, 500.0, "range", "at")), [1.0, 0.0, 0.0]);
    assert_eq!(shares(reads(page.clone(), 20.0, 500.0, "hash", "at")), [0.0, 0.0, 1.0]);
    let other = TableUse { ordered: strings(&["state"]), ..page };
    assert_eq!(shares(reads(other, 20.0, 500.0, "range", "at")), [0.0, 1.0, 0.0], "all of the span is sorted");
}

#[test]
fn a_limit_ends_at_the_first_shards_where_these_have_enough() {
    let some = |columns: &[&str], limit| TableUse { limited: Some(limit), ..t("events").pin(columns) };
    // 250,000 rows have the state, 31,250 of them on the first shard.
    assert_eq!(shares(reads(some(&["state"], Limit::Statement), 50.0, 0.1, "hash", "id")), [1.0, 0.0, 0.0]);
    assert_eq!(shares(reads(some(&["state"], Limit::Subquery), 1.0, 0.1, "hash", "id")), [1.0, 0.0, 0.0]);
    // Of 2000 rows of a device 250 are on each shard, and two pages of 200 are not.
    assert_eq!(shares(reads(some(&["device"], Limit::Statement), 400.0, 0.1, "hash", "id")), [0.0, 1.0, 0.0]);
    // It returns what there is: the limit is not what ends it.
    assert_eq!(shares(reads(some(&["device"], Limit::Statement), 1950.0, 0.1, "hash", "id")), [0.0, 0.0, 1.0]);
    let sorted = TableUse { ordered: strings(&["at"]), ..some(&["state"], Limit::Statement) };
    assert_eq!(shares(reads(sorted, 50.0, 0.1, "hash", "id")), [0.0, 0.0, 1.0]);
}

fn looked_up(by: &[&str]) -> Plan {
    let projects = table("projects", &["id:uuid", "name:text"], &["id"]);
    let tasks = link(table("tasks", &["id:uuid", "project_id:uuid"], &["id"]), &["project_id"], "projects", &["id"]);
    let uses =
        vec![t("tasks").pin(by).join("project_id", "projects", "id"), t("projects").join("id", "tasks", "project_id")];
    let world = World::new(vec![projects, tasks], Log::default().select(1000.0, uses).oltp());
    world.config(json!({"method": "hash", "shard_key": ["id"], "shard_count": 8})).plan("projects")
}

#[test]
fn a_row_looked_up_for_one_other_row_is_on_one_shard() {
    assert_eq!(chosen(&looked_up(&["id"])).evidence.reads.single, 1.0);
    assert_eq!(chosen(&looked_up(&[])).evidence.reads.scatter, 1.0);
    // Not by a unique key: the rows of the other table may all be read to find those that belong to it.
    let owners = table("owners", &["id:uuid", "email:text"], &["id"]);
    let pets = table("pets", &["id:uuid", "owner_id:uuid"], &["id"]);
    let uses =
        vec![t("owners").pin(&["id"]).join("id", "pets", "owner_id"), t("pets").join("owner_id", "owners", "id")];
    let world = World::new(vec![owners, pets], Log::default().select(1000.0, uses).oltp());
    let plan = world.config(json!({"method": "hash", "shard_key": ["owner_id"], "shard_count": 8})).plan("pets");
    assert_eq!(chosen(&plan).evidence.reads.scatter, 1.0);
}

#[test]
fn a_row_that_is_found_through_the_table_itself_leaves_out_none_of_its_shards() {
    // The task is found by its id on whatever shard it is; its project is known only afterwards.
    let projects = table("projects", &["id", "name"], &["id"]);
    let tasks = link(table("tasks", &["id", "project_id"], &["id"]), &["project_id"], "projects", &["id"]);
    let uses = vec![
        t("tasks").pin(&["id"]).join("project_id", "projects", "id"),
        t("projects").join("id", "tasks", "project_id"),
    ];
    let world = World::new(vec![projects, tasks], Log::default().select(1000.0, uses).oltp());
    let plan = world.config(json!({"method": "hash", "shard_key": ["project_id"], "shard_count": 8})).plan("tasks");
    assert_eq!(chosen(&plan).evidence.reads.scatter, 1.0);
}

#[test]
fn a_copy_needs_room_for_what_the_table_grows_to() {
    let plan = |growth: f64| {
        let log = Log::default()
            .select(200.0, vec![t("parts").pin(&["id"])])
            .update(800.0, t("sales").pin(&["id"]).set(&["price"]));
        let tables = vec![table("parts", &["id", "name:text"], &["id"]), table("sales", &["id", "price"], &["id"])];
        let rows = profile(10_000, 100, &[("id", 10_000), ("name", 10_000)]);
        World::new(tables, log.oltp()).profiled(rows).config(json!({"growth": growth})).plan("parts")
    };
    assert_eq!(choice(&plan(1.0)), "reference()", "{}", table_of(&plan(1.0)));
    assert_eq!(choice(&plan(100.0)), "hash(id)", "{}", table_of(&plan(100.0)));
}

#[test]
fn the_text_tells_the_values_of_a_list_and_what_a_limit_ends() {
    use build::{Clauses, any_of, between, col, in_list, pin, select, uses};
    let schema = Schema::new(vec![build::a_table("t", "a b", &["a"])]);
    let only = |query| uses(&schema, query).remove(0);
    assert_eq!(only(select(&["t"]).filter(in_list(col("a"), Some(3)))).list_values, Some(3));
    assert_eq!(only(select(&["t"]).filter(in_list(col("a"), None))).list_values, None);
    let either = any_of(vec![pin("a"), in_list(col("a"), Some(2)), pin("a")]);
    assert_eq!(only(select(&["t"]).filter(either)).list_values, Some(4));
    let plain = || select(&["t"]).outputs(&["a", "*"]).filter(between("a"));
    assert_eq!(only(plain()).limited, None);
    assert_eq!(only(plain().limit()).limited, Some(Limit::Statement));
    assert_eq!(only(plain().limit().order(&["b"])).limited, Some(Limit::Statement));
    assert_eq!(only(plain().limit().distinct()).limited, Some(Limit::Nothing));
    assert_eq!(only(plain().limit().group(&["a"])).limited, Some(Limit::Nothing));
    assert_eq!(only(plain().limit().output("n", build::call("count", vec![col("a")]))).limited, Some(Limit::Nothing));
    let inner = select(&[])
        .from(foreshard_core::model::statement::FromItem::Subquery {
            alias: Some("p".to_owned()),
            query: Box::new(plain().limit()),
        })
        .output("n", build::call("count", vec![]));
    assert_eq!(only(inner).limited, Some(Limit::Subquery));
    assert!(
        uses(&schema, select(&["t"]).from(build::table("t x")).outputs(&["*"]).limit())
            .iter()
            .all(|u| u.limited == Some(Limit::Nothing))
    );
}
