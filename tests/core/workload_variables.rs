//! Variables of the functions that statements are in, and windows of time.
#![allow(clippy::unwrap_used, reason = "clippy counts only the test functions themselves as tests")]

use super::workload_build::*;
use foreshard_core::model::schema::{Schema, TableName};
use foreshard_core::model::statement::Query;
use foreshard_core::workload::Counters;

fn shop() -> Schema {
    Schema::new(vec![a_table("t", "a b c", &["a"]), a_table("u", "a x y", &["x"])])
}

fn inner(query: Query) -> Vec<String> {
    lines(&shop(), Query { variables: true, ..query })
}

#[test]
fn a_name_that_is_no_column_is_a_variable_of_the_function() {
    let by = |name: &str| select(&["t"]).filter(eq("t.a", name));
    for name in ["wanted", "new.a", "some_function.x", "r.id"] {
        assert_eq!(inner(by(name)), ["t pin(a)"], "{name}");
        assert_eq!(lines(&shop(), by(name)), ["t"], "{name} outside of a function");
    }
    // What the statement itself can name is no variable: columns, whole rows, columns of the system.
    assert_eq!(inner(by("b")), ["t"]);
    assert_eq!(inner(by("t")), ["t"]);
    assert_eq!(inner(by("ctid")), ["t"]);
    assert_eq!(inner(by("t.gone")), ["t"]);
    // Nor is what a view names.
    let view = (TableName::new("public", "v"), select(&["t"]).outputs(&["*"]).filter(eq("t.a", "wanted")));
    let through = Query { variables: true, ..select(&["v"]) };
    assert_eq!(lines(&shop().with_views([view]), through), ["t"]);
    // Beside a relation whose columns are not known, nothing is certain.
    assert_eq!(inner(select(&["t", "elsewhere"]).filter(eq("t.a", "wanted"))), ["t"]);
    // Deep inside as well, and in what is written.
    let nested =
        select(&["u"]).filter(in_query(col("u.a"), select(&["t"]).outputs(&["b"]).filter(eq("t.a", "wanted"))));
    assert_eq!(inner(nested), ["u join(a=t.b)", "t pin(a) join(b=u.a)"]);
    assert_eq!(inner(update("t").set("b", col("wanted")).filter(eq("a", "new.id"))), ["t w pin(a) set(b)"]);
}

#[test]
fn counters_grow_or_were_reset() {
    let counters = |calls, total_ms, rows| Counters { calls, total_ms, rows };
    let now = counters(10.0, 100.0, 50.0);
    assert_eq!(now.since(None), Some(now));
    assert_eq!(now.since(Some(counters(4.0, 30.0, 20.0))), Some(counters(6.0, 70.0, 30.0)));
    assert_eq!(now.since(Some(now)), None, "nothing ran");
    // Reset in between: all that there is came since.
    assert_eq!(now.since(Some(counters(11.0, 90.0, 50.0))), Some(now));
    assert_eq!(now.since(Some(counters(10.0, 101.0, 50.0))), Some(now), "as many calls again, but in less time");
    assert_eq!(counters(0.0, 0.0, 0.0).since(None), None);
}
