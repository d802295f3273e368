//! Predicates watched at run time: hot values by load, lists, selectivity, joins that the texts do not show.
#![allow(clippy::unwrap_used, reason = "clippy counts only the test functions themselves as tests")]

use super::planner_world::*;
use super::workload_build::{entry, families, select};
use foreshard_core::model::Workload;
use foreshard_core::model::quals::Qual;
use foreshard_core::model::schema::Schema;
use foreshard_core::model::statement::TableRef;

use foreshard_core::workload::{AnalyzeOptions, analyze};
use proptest::prelude::*;

fn column(table: &str, column: &str) -> (TableRef, String) {
    (TableRef { schema: Some("public".to_owned()), name: table.to_owned(), alias: None }, column.to_owned())
}

fn qual(table: &str, name: &str, operator: &str, constant: Option<&str>, executions: f64) -> Qual {
    Qual {
        statement: 1,
        left: column(table, name),
        operator: operator.to_owned(),
        right: None,
        constant: constant.map(str::to_owned),
        executions,
        tested: 0.0,
        failed: 0.0,
        by_index: true,
    }
}

fn equal(name: &str, constant: &str, executions: f64) -> Qual {
    qual("orders", name, "=", Some(constant), executions)
}

/// The workload with what was watched.
fn observe(mut workload: Workload, schema: &Schema, quals: &[Qual]) -> Workload {
    workload.loads = foreshard_core::workload::observe(schema, &mut workload.statements, quals);
    workload
}

fn schema() -> Schema {
    Schema::new(vec![
        table("orders", &["id", "tenant", "placed:date"], &["id"]),
        table("lines", &["id", "order_no", "tenant"], &["id"]),
    ])
}

fn log() -> Workload {
    let log = Log::default();
    log.select(100.0, vec![t("orders").pin(&["tenant"]), t("lines")])
        .select(50.0, vec![t("orders").pin(&["id"])])
        .oltp()
}

fn seen(quals: &[Qual]) -> Vec<(String, f64, f64, Option<f64>)> {
    let loads = observe(log(), &schema(), quals).loads;
    loads.into_iter().map(|l| (format!("{}.{}", l.table.name, l.column), l.seen, l.hottest, l.items)).collect()
}

#[test]
fn look_ups_are_counted_by_value() {
    let quals = [
        equal("tenant", "3::integer", 5.0),
        equal("tenant", "4::integer", 2.0),
        // Another statement, another index, the same value.
        Qual { statement: 2, by_index: false, ..equal("tenant", "3::integer", 3.0) },
        qual("orders", "tenant", "=", None, 100.0),
        qual("orders", "tenant", "<>", Some("3::integer"), 100.0),
        qual("orders", "gone", "=", Some("3::integer"), 100.0),
        qual("elsewhere", "tenant", "=", Some("3::integer"), 100.0),
        equal("tenant", "9::integer", f64::NAN),
    ];
    assert_eq!(seen(&quals), [("orders.tenant".to_owned(), 10.0, 8.0, None)]);
}

#[test]
fn items_of_a_list_are_look_ups_of_each() {
    let quals = [
        equal("tenant", "'{1,2,3}'::integer[]", 2.0),
        equal("tenant", "'{}'::integer[]", 2.0),
        equal("tenant", "2::integer", 4.0),
    ];
    assert_eq!(seen(&quals), [("orders.tenant".to_owned(), 10.0, 6.0, Some(1.5))]);
    let quoted = [equal("tenant", r#"'{"a, b","q\"",c}'::text[]"#, 1.0), equal("tenant", "'a, b'::text", 1.0)];
    assert_eq!(seen(&quoted), [("orders.tenant".to_owned(), 4.0, 2.0, Some(3.0))]);
}

#[test]
fn a_constant_that_was_cut_off_is_no_value() {
    let long = format!("'{}", "y".repeat(79));
    assert_eq!(seen(&[equal("tenant", &long, 7.0)]), [("orders.tenant".to_owned(), 7.0, 0.0, None)]);
    // Quotes and colons in a value are its own.
    let odd = equal("tenant", "'it''s ''5''::text'::text", 2.0);
    assert_eq!(seen(&[odd]), [("orders.tenant".to_owned(), 2.0, 2.0, None)]);
}

#[test]
fn a_filter_shows_what_passes_and_an_index_does_not() {
    let filter = Qual { tested: 1000.0, failed: 900.0, by_index: false, ..qual("orders", "placed", ">", None, 3.0) };
    let index = Qual { by_index: true, tested: 10.0, ..filter.clone() };
    let loads = observe(log(), &schema(), &[filter, index]).loads;
    assert_eq!(loads.len(), 1);
    assert!((loads[0].passing.unwrap() - 0.1).abs() < 1e-9);
}

#[test]
fn a_join_that_the_text_does_not_show_ties_the_columns() {
    let joined = |statement, left, right| Qual {
        statement,
        right: Some(column("lines", right)),
        ..qual("orders", left, "=", None, 1.0)
    };
    let workload = observe(log(), &schema(), &[joined(1, "id", "order_no")]);
    let edges: Vec<String> = workload.statements[0]
        .tables
        .iter()
        .flat_map(|u| {
            u.joined.iter().map(|e| format!("{}.{} = {}.{}", u.table.name, e.column, e.other.name, e.other_column))
        })
        .collect();
    assert_eq!(edges, ["orders.id = lines.order_no", "lines.order_no = orders.id"]);
    // In reading a log, families come after it.
    let options = AnalyzeOptions { quals: vec![joined(1, "id", "order_no")], ..AnalyzeOptions::default() };
    let analyzed = analyze(&schema(), &[entry(1, select(&["orders", "lines"]))], &options);
    assert_eq!(families(&analyzed), ["lines.order_no orders.id"]);
    // Not for a statement that does not name both, nor for one that the log does not have.
    for statement in [2, 77] {
        let workload = observe(log(), &schema(), &[joined(statement, "id", "order_no")]);
        assert!(workload.statements.iter().flat_map(|s| &s.tables).all(|u| u.joined.is_empty()), "{statement}");
    }
    // Twice is once.
    let twice = observe(log(), &schema(), &[joined(1, "id", "order_no"), joined(1, "id", "order_no")]);
    assert_eq!(twice, workload);
}

/// Every tenant has as many rows as the others; the look-ups differ.
fn tenants(quals: &[Qual]) -> foreshard_core::model::Plan {
    let schema = vec![table("orders", &["id", "tenant", "placed:date"], &["id"])];
    let log = Log::default()
        .select(520.0, vec![t("orders").pin(&["tenant"])])
        .select(480.0, vec![t("orders").pin(&["id"])])
        .oltp();
    let profile = profile(2_000_000, 200, &[("id", 2_000_000), ("tenant", 50_000), ("placed", 1000)]);
    let workload = observe(log, &Schema::new(schema.clone()), quals);
    World::new(schema, workload).profiled(profile).plan("orders")
}

#[test]
fn a_value_that_is_hot_by_load_speaks_against_its_column() {
    let spread: Vec<Qual> = (0..1000).map(|i| equal("tenant", &format!("{i}::integer"), 1.0)).collect();
    let even = tenants(&spread);
    assert_eq!(choice(&even), "hash(tenant)", "{}", table_of(&even));
    assert!(chosen(&even).evidence.load_skew.unwrap() < 1.01, "{:?}", chosen(&even).evidence.load_skew);
    assert!(!chosen(&even).because.contains("By load"));

    let mut hot = spread;
    hot.push(equal("tenant", "7::integer", 4000.0));
    let hot = tenants(&hot);
    assert_eq!(choice(&hot), "hash(id)", "{}", table_of(&hot));
    let tenant = hot.candidates.iter().find(|c| c.key.as_slice() == ["tenant"]).unwrap();
    let (share, skew) = (tenant.evidence.hottest_load.unwrap(), tenant.evidence.load_skew.unwrap());
    assert!((0.78..0.80).contains(&share), "{share}");
    let n = f64::from(tenant.shard_count);
    assert!((skew - (n * share + 1.0 - share)).abs() < 0.01, "{skew}");
    assert!(tenant.evidence.skew.unwrap() < 1.2, "by rows it is even");
    let expected = "By load, at least 79 % of the look-ups that were watched are of one value: its shard gets";
    assert!(tenant.because.contains(expected), "{}", tenant.because);
    assert!(tenant.because.contains("more than by rows, so that this counts"), "{}", tenant.because);
}

#[test]
fn a_handful_of_look_ups_proves_nothing() {
    let few = [equal("tenant", "1::integer", 2.0), equal("tenant", "2::integer", 1.0)];
    let plan = tenants(&few);
    assert_eq!(chosen(&plan).evidence.hottest_load, None, "two of three are no two thirds");
    assert_eq!(choice(&plan), "hash(tenant)", "{}", table_of(&plan));
}

#[test]
fn long_lists_visit_more_shards() {
    let schema = vec![table("orders", &["id", "tenant"], &["id"])];
    let cost = |quals: &[Qual]| {
        let mut one = t("orders");
        one.listed = strings(&["id"]);
        let workload = observe(Log::default().select(100.0, vec![one]).oltp(), &Schema::new(schema.clone()), quals);
        let plan = World::new(schema.clone(), workload)
            .profiled(profile(2_000_000, 200, &[("id", 2_000_000)]))
            .config(serde_json::json!({"shard_key": ["id"], "shard_count": 16}))
            .plan("orders");
        chosen(&plan).cost
    };
    // Every list has values of its own, so that none is hot.
    let lists = |items: usize| -> Vec<Qual> {
        let list = |i: usize| (0..items).map(|n| (i * items + n).to_string()).collect::<Vec<_>>().join(",");
        (0..500).map(|i| equal("id", &format!("'{{{}}}'::integer[]", list(i)), 1.0)).collect()
    };
    let (short, long) = (cost(&lists(2)), cost(&lists(12)));
    let unknown = cost(&[]);
    assert!(short < unknown && unknown < long, "{short} {unknown} {long}");
}

proptest! {
    #[test]
    fn any_constant_is_read_and_the_order_does_not_matter(
        constants in prop::collection::vec(("[ -~]{0,20}|'\\{[^\u{0}]{0,10}\\}'::[a-z]{1,4}\\[\\]|'[^\u{0}]{0,10}'::t", 0.0..50.0_f64), 0..8),
    ) {
        let mut quals: Vec<Qual> = constants.iter().map(|(c, n)| equal("tenant", c, n.round())).collect();
        let forwards = observe(log(), &schema(), &quals);
        quals.reverse();
        prop_assert_eq!(forwards, observe(log(), &schema(), &quals));
    }
}
