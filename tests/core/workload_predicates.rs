//! What one condition says of the columns of one table, and of two tables side by side.

use super::workload_build::*;
use foreshard_core::model::schema::Schema;
use foreshard_core::model::statement::{Expr, Query};

fn shop() -> Schema {
    Schema::new(vec![
        a_table("t", "a b c s:text", &["a"]),
        a_table("u", "a x y", &["x"]),
        a_table("v", "x z", &["x"]),
        a_table("other.t", "a only_there", &["a"]),
    ])
}

fn where_t(condition: Expr) -> String {
    one(select(&["t"]).filter(condition))
}

fn one(query: Query) -> String {
    let found = lines(&shop(), query);
    assert_eq!(found.len(), 1, "{found:?}");
    found.concat()
}

#[test]
fn equality_with_a_value_pins() {
    assert_eq!(where_t(pin("a")), "t pin(a)");
    assert_eq!(where_t(cmp(val(), "=", col("t.a"))), "t pin(a)");
    assert_eq!(where_t(pin("public.t.a")), "t pin(a)");
    assert_eq!(where_t(pin("other.t.a")), "t");
    assert_eq!(where_t(all_of(vec![pin("c"), pin("a"), pin("a")])), "t pin(a c)");
    assert_eq!(where_t(cmp(col("a"), "=", call("now", vec![]))), "t pin(a)");
    assert_eq!(where_t(cmp(col("a"), "=", Expr::Other(vec![val(), call("abs", vec![val()])]))), "t pin(a)");
}

#[test]
fn what_is_not_an_equality_with_a_value_pins_nothing() {
    assert_eq!(where_t(cmp(call("lower", vec![col("s")]), "=", val())), "t");
    assert_eq!(where_t(cmp(col("a"), "<>", val())), "t");
    assert_eq!(where_t(cmp(col("a"), "=", Expr::Other(vec![col("b"), val()]))), "t");
    assert_eq!(where_t(pin("nowhere")), "t");
    assert_eq!(where_t(eq("a", "a")), "t");
    assert_eq!(where_t(not(pin("a"))), "t");
    assert_eq!(where_t(Expr::IsNull { test: Box::new(col("a")), negated: false }), "t");
    let negated = |e: Expr| match e {
        Expr::In { test, items, .. } => Expr::In { test, items, negated: true },
        Expr::Between { test, low, high, .. } => Expr::Between { test, low, high, negated: true },
        Expr::Like { test, pattern, prefix, .. } => Expr::Like { test, pattern, prefix, negated: true },
        other => other,
    };
    assert_eq!(where_t(negated(in_list(col("a"), Some(1)))), "t");
    assert_eq!(where_t(negated(between("a"))), "t");
    assert_eq!(where_t(negated(like("s", true))), "t");
}

#[test]
fn what_is_limited_from_below_only_asks_for_the_newest() {
    let above = |condition: Expr| -> Vec<String> {
        let found = uses(&shop(), select(&["t"]).filter(condition));
        found.into_iter().flat_map(|u| u.above).collect()
    };
    let recent = || cmp(col("a"), ">", Expr::Other(vec![call("now", vec![]), val()]));
    assert_eq!(above(recent()), ["a"]);
    assert_eq!(above(cmp(val(), "<=", col("a"))), ["a"]);
    assert_eq!(above(any_of(vec![recent(), cmp(col("a"), ">=", val())])), ["a"]);
    let other = [cmp(col("a"), "<", val()), cmp(val(), ">", col("a")), between("a"), pin("a")];
    for other in other {
        assert_eq!(above(other.clone()), [""; 0]);
        assert_eq!(above(all_of(vec![recent(), other.clone()])), [""; 0], "{other:?}");
        assert_eq!(above(any_of(vec![recent(), other.clone()])), [""; 0], "{other:?}");
        assert_eq!(where_t(any_of(vec![recent(), other])), "t range(a)");
    }
}

#[test]
fn lists_ranges_and_patterns() {
    assert_eq!(where_t(in_list(col("a"), Some(3))), "t list(a)");
    assert_eq!(where_t(in_list(col("a"), None)), "t list(a)");
    assert_eq!(where_t(in_list(col("a"), Some(1))), "t pin(a)");
    assert_eq!(where_t(in_list(row(&["a", "b"]), Some(2))), "t list(a b)");
    assert_eq!(where_t(in_list(row(&["a", "b"]), Some(1))), "t pin(a b)");
    assert_eq!(where_t(in_list(call("lower", vec![col("s")]), Some(2))), "t");
    assert_eq!(where_t(between("a")), "t range(a)");
    for op in ["<", "<=", ">", ">="] {
        assert_eq!(where_t(cmp(col("a"), op, val())), "t range(a)");
        assert_eq!(where_t(cmp(val(), op, col("a"))), "t range(a)");
    }
    assert_eq!(where_t(cmp(col("a"), "<", col("b"))), "t");
    assert_eq!(where_t(like("s", true)), "t match(s)");
    assert_eq!(where_t(like("s", false)), "t");
}

#[test]
fn a_column_keeps_its_strongest_restriction() {
    assert_eq!(where_t(all_of(vec![between("a"), pin("a"), in_list(col("a"), None)])), "t pin(a)");
    assert_eq!(where_t(all_of(vec![like("s", true), between("s")])), "t range(s)");
}

#[test]
fn rows_compare_column_by_column() {
    let values = || Expr::Row(vec![val(), val()]);
    assert_eq!(where_t(cmp(row(&["a", "b"]), "=", values())), "t pin(a b)");
    // Key-set paging: only the first column is limited for certain.
    assert_eq!(where_t(cmp(row(&["a", "b"]), ">", values())), "t range(a)");
    assert_eq!(
        lines(&shop(), select(&["t", "u"]).filter(cmp(row(&["t.a", "b"]), "=", row(&["x", "y"])))),
        ["t join(a=u.x b=u.y)", "u join(x=t.a y=t.b)"]
    );
}

#[test]
fn or_restricts_what_every_branch_restricts() {
    assert_eq!(where_t(any_of(vec![pin("a"), pin("a")])), "t list(a)");
    assert_eq!(where_t(any_of(vec![pin("a"), pin("b")])), "t");
    assert_eq!(where_t(any_of(vec![pin("a"), in_list(col("a"), Some(4))])), "t list(a)");
    assert_eq!(
        where_t(any_of(vec![all_of(vec![pin("a"), pin("b")]), all_of(vec![pin("b"), between("a")])])),
        "t list(b) range(a)"
    );
    assert_eq!(where_t(any_of(vec![pin("s"), like("s", true)])), "t match(s)");
    assert_eq!(where_t(any_of(vec![pin("a")])), "t pin(a)");
    assert_eq!(where_t(any_of(vec![])), "t");
    let optional = any_of(vec![Expr::IsNull { test: Box::new(val()), negated: false }, pin("a")]);
    assert_eq!(where_t(optional), "t");
    assert_eq!(where_t(all_of(vec![pin("c"), any_of(vec![pin("a"), pin("b")])])), "t pin(c)");
    // TPC-H Q19: the join is in every branch.
    let branch = || all_of(vec![eq("t.a", "x"), pin("y")]);
    assert_eq!(
        lines(&shop(), select(&["t", "u"]).filter(any_of(vec![branch(), branch()]))),
        ["t join(a=u.x)", "u list(y) join(x=t.a)"]
    );
}

#[test]
fn pins_spread_along_equalities() {
    let query =
        select(&["t", "u", "v"]).filter(all_of(vec![eq("t.a", "u.x"), eq("v.x", "u.x"), pin("v.x"), between("b")]));
    assert_eq!(
        lines(&shop(), query),
        ["t pin(a) range(b) join(a=u.x)", "u pin(x) join(x=t.a x=v.x)", "v pin(x) join(x=u.x)"]
    );
    // Within one table as well, and lists do not spread.
    assert_eq!(where_t(all_of(vec![eq("a", "b"), pin("a")])), "t pin(a b)");
    assert_eq!(where_t(all_of(vec![eq("a", "b"), in_list(col("a"), None)])), "t list(a)");
}

#[test]
fn between_columns_and_having() {
    let query =
        Expr::Between { test: Box::new(val()), low: Box::new(col("a")), high: Box::new(col("b")), negated: false };
    assert_eq!(where_t(query), "t range(a b)");
    let mut grouped = select(&["t"]).group(&["a"]);
    grouped.having = Some(all_of(vec![pin("a"), cmp(call("sum", vec![col("b")]), ">", val())]));
    assert_eq!(one(grouped), "t pin(a) group(a)");
}

#[test]
fn grouped_and_ordered() {
    assert_eq!(one(select(&["t"]).group(&["b", "a"]).order(&["c"])), "t group(a b) order(c)");
    assert_eq!(one(select(&["t"]).outputs(&["b"]).distinct()), "t group(b)");
    assert_eq!(one(select(&["t"]).outputs(&["*"]).distinct()), "t group(a b c s)");
    // ORDER BY means the output of that name before the column.
    assert_eq!(one(select(&["t"]).output("a", col("b")).order(&["a"])), "t order(b)");
    assert_eq!(one(select(&["t"]).output("a", call("max", vec![col("b")])).order(&["a"])), "t");
    // GROUP BY means the column before the output of that name.
    assert_eq!(one(select(&["t"]).output("a", col("b")).group(&["a"])), "t group(a)");
    assert_eq!(one(select(&["t"]).output("k", col("b")).group(&["k"])), "t group(b)");
    let mut by_row = select(&["t"]);
    by_row.group_by.push(row(&["b", "c"]));
    assert_eq!(one(by_row), "t group(b c)");
    let mut by_day = select(&["t"]);
    by_day.group_by.push(call("date_trunc", vec![val(), col("b")]));
    assert_eq!(one(by_day), "t");
}

#[test]
fn names_resolve_to_the_only_table_that_has_them() {
    // Both have a; x is u's and v's.
    assert_eq!(lines(&shop(), select(&["t", "u"]).filter(all_of(vec![pin("a"), pin("x")]))), ["t", "u pin(x)"]);
    assert_eq!(lines(&shop(), select(&["t z"]).filter(pin("t.a"))), ["t"]);
    assert_eq!(lines(&shop(), select(&["t z"]).filter(pin("z.a"))), ["t pin(a)"]);
    assert_eq!(lines(&shop(), select(&["other.t"]).filter(pin("only_there"))), ["other.t pin(only_there)"]);
    // A self-join names the table twice.
    assert_eq!(
        lines(&shop(), select(&["t p", "t q"]).filter(all_of(vec![eq("p.a", "q.b"), pin("p.c")]))),
        ["t pin(c) join(a=t.b)", "t join(b=t.a)"]
    );
}
