//! Query levels: joins, subqueries, CTEs, set operations and the statements that write.

use super::workload_build::*;
use foreshard_core::model::schema::Schema;
use foreshard_core::model::statement::{Expr, FromItem, Query, StatementKind, SubqueryLink};

fn shop() -> Schema {
    Schema::new(vec![
        a_table("t", "a b c", &["a"]),
        a_table("u", "a x y", &["x"]),
        a_table("v", "x z", &["x"]),
        a_table("up", "id email n", &["id", "email"]),
        a_table("tagged", "k1 k2 n", &[]),
    ])
}

fn seen(query: Query) -> Vec<String> {
    lines(&shop(), query)
}

#[test]
fn inner_joins_pin_both_ways() {
    let query = |pinned| select(&[]).from(join(table("t"), table("u"), eq("t.a", "x"))).filter(pin(pinned));
    assert_eq!(seen(query("x")), ["t pin(a) join(a=u.x)", "u pin(x) join(x=t.a)"]);
    assert_eq!(seen(query("b")), ["t pin(b) join(a=u.x)", "u join(x=t.a)"]);
    let on = all_of(vec![eq("t.a", "x"), pin("t.a")]);
    assert_eq!(
        seen(select(&[]).from(join(table("t"), table("u"), on))),
        ["t pin(a) join(a=u.x)", "u pin(x) join(x=t.a)"]
    );
}

#[test]
fn an_outer_join_pins_only_its_nullable_side() {
    let query = |on| select(&[]).from(left_join(table("t"), table("u"), on));
    // A condition in ON on the left side keeps its rows; on the right side it picks them.
    assert_eq!(
        seen(query(all_of(vec![eq("t.a", "x"), pin("t.b"), pin("y")]))),
        ["t join(a=u.x)", "u pin(y) join(x=t.a)"]
    );
    assert_eq!(seen(query(all_of(vec![eq("t.a", "x"), pin("x")]))), ["t join(a=u.x)", "u pin(x) join(x=t.a)"]);
    assert_eq!(seen(query(all_of(vec![eq("t.a", "x"), pin("t.a")]))), ["t join(a=u.x)", "u join(x=t.a)"]);
    // From WHERE a pin of the left side reaches the right one.
    assert_eq!(seen(query(eq("t.a", "x")).filter(pin("t.a"))), ["t pin(a) join(a=u.x)", "u pin(x) join(x=t.a)"]);
    // WHERE on the right side makes it an inner join, which pins the left one.
    assert_eq!(seen(query(eq("t.a", "x")).filter(pin("x"))), ["t pin(a) join(a=u.x)", "u pin(x) join(x=t.a)"]);
    // So does an inner join around it that needs the right side.
    let around = join(left_join(table("t"), table("u"), eq("t.a", "x")), table("v"), eq("x", "z"));
    let ambiguous = select(&[]).from(around).filter(pin("z"));
    assert_eq!(seen(ambiguous), ["t join(a=u.x)", "u join(x=t.a)", "v pin(z)"]);
    let around = join(left_join(table("t"), table("u"), eq("t.a", "u.x")), table("v"), eq("u.x", "z"));
    assert_eq!(
        seen(select(&[]).from(around).filter(pin("z"))),
        ["t pin(a) join(a=u.x)", "u pin(x) join(x=t.a x=v.z)", "v pin(z) join(z=u.x)"]
    );
    // An inner join inside the nullable side says nothing of the other one.
    let inside =
        left_join(table("t"), join(table("u"), table("v"), all_of(vec![eq("u.x", "v.x"), pin("z")])), eq("t.a", "u.x"));
    assert_eq!(
        seen(select(&[]).from(inside).filter(pin("t.b"))),
        ["t pin(b) join(a=u.x)", "u join(x=t.a x=v.x)", "v pin(z) join(x=u.x)"]
    );
}

#[test]
fn using_and_natural() {
    assert_eq!(
        seen(select(&[]).from(join_using(table("u"), table("v"), &["x"])).filter(pin("x"))),
        ["u pin(x) join(x=v.x)", "v pin(x) join(x=u.x)"]
    );
    assert_eq!(
        seen(select(&[]).from(natural_join(table("t"), table("u"))).filter(pin("a"))),
        ["t pin(a) join(a=u.a)", "u pin(a) join(a=t.a)"]
    );
}

#[test]
fn exists_and_in_join_their_outer_query() {
    let inner = || select(&["u"]).filter(eq("x", "t.a"));
    let both = ["t pin(a) join(a=u.x)", "u pin(x) join(x=t.a)"];
    assert_eq!(seen(select(&["t"]).filter(all_of(vec![pin("t.a"), exists(inner())]))), both);
    let pinned_inside = select(&["u"]).filter(all_of(vec![eq("x", "t.a"), pin("x")]));
    assert_eq!(seen(select(&["t"]).filter(exists(pinned_inside.clone()))), both);
    // NOT EXISTS: from outside in, not from inside out.
    assert_eq!(seen(select(&["t"]).filter(all_of(vec![pin("t.a"), not(exists(inner()))]))), both);
    assert_eq!(
        seen(select(&["t"]).filter(not(exists(pinned_inside.clone())))),
        ["t join(a=u.x)", "u pin(x) join(x=t.a)"]
    );
    // Under OR likewise.
    assert_eq!(
        seen(select(&["t"]).filter(any_of(vec![exists(pinned_inside), pin("b")]))),
        ["t join(a=u.x)", "u pin(x) join(x=t.a)"]
    );

    let keys = || select(&["u"]).outputs(&["x"]);
    assert_eq!(seen(select(&["t"]).filter(all_of(vec![in_query(col("a"), keys()), pin("a")]))), both);
    assert_eq!(seen(select(&["t"]).filter(in_query(col("a"), keys().filter(pin("x"))))), both);
    assert_eq!(seen(select(&["t"]).filter(not(in_query(col("a"), keys())))), ["t", "u"]);
    assert_eq!(seen(select(&["t"]).filter(in_query(val(), keys()))), ["t", "u pin(x)"]);
    assert_eq!(
        seen(select(&["t"]).filter(in_query(row(&["a", "b"]), select(&["u"]).outputs(&["x", "y"])))),
        ["t join(a=u.x b=u.y)", "u join(x=t.a y=t.b)"]
    );
    // A pin from outside does not choose what LIMIT lets through.
    assert_eq!(
        seen(select(&["t"]).filter(all_of(vec![in_query(col("a"), keys().limit()), pin("a")]))),
        ["t pin(a) join(a=u.x)", "u join(x=t.a)"]
    );
    assert_eq!(
        seen(select(&["t"]).filter(in_query(col("a"), select(&["u"]).output("m", call("max", vec![col("x")]))))),
        ["t", "u"]
    );
}

#[test]
fn two_levels_down() {
    let deepest = select(&["v"]).filter(all_of(vec![eq("v.x", "u.x"), eq("z", "t.a"), pin("z")]));
    let query = |middle: fn(Expr) -> Expr| {
        select(&["t"]).filter(exists(select(&["u"]).filter(middle(exists(deepest.clone())))))
    };
    assert_eq!(seen(query(|e| e)), ["t pin(a) join(a=v.z)", "u join(x=v.x)", "v pin(z) join(x=u.x z=t.a)"]);
    assert_eq!(seen(query(not)), ["t join(a=v.z)", "u join(x=v.x)", "v pin(z) join(x=u.x z=t.a)"]);
}

#[test]
fn a_scalar_subquery_is_one_value_unless_it_is_correlated() {
    let highest = || select(&["u"]).output("m", call("max", vec![col("x")]));
    assert_eq!(seen(select(&["t"]).filter(cmp(col("t.a"), "=", scalar(highest())))), ["t pin(a)", "u"]);
    let of_this = highest().filter(eq("y", "t.b"));
    assert_eq!(
        seen(select(&["t"]).filter(all_of(vec![cmp(col("t.a"), "=", scalar(of_this)), pin("t.b")]))),
        ["t pin(b) join(b=u.y)", "u pin(y) join(y=t.b)"]
    );
    // In the output list, too, it is read; nothing flows out of it.
    let shown = select(&["t"]).output("m", scalar(highest().filter(all_of(vec![eq("y", "t.b"), pin("y")]))));
    assert_eq!(seen(shown), ["t join(b=u.y)", "u pin(y) join(y=t.b)"]);
    let greater_than_all = Expr::Subquery {
        link: SubqueryLink::Compare,
        test: Some(Box::new(col("t.a"))),
        query: Box::new(select(&["u"]).outputs(&["x"]).filter(pin("y"))),
    };
    assert_eq!(seen(select(&["t"]).filter(greater_than_all)), ["t", "u pin(y)"]);
}

#[test]
fn subqueries_in_from_pass_their_columns_through() {
    let inner = || select(&["t"]).output("k", col("a")).outputs(&["b"]);
    assert_eq!(seen(select(&[]).from(sub("s", inner())).filter(pin("s.k"))), ["t pin(a)"]);
    assert_eq!(seen(select(&[]).from(sub("s", inner())).filter(all_of(vec![between("k"), pin("a")]))), ["t range(a)"]);
    assert_eq!(seen(select(&[]).from(sub("s", inner().limit())).filter(pin("k"))), ["t"]);
    assert_eq!(
        seen(select(&["u"]).from(sub("s", inner().filter(pin("a")))).filter(eq("u.x", "s.k"))),
        ["u pin(x) join(x=t.a)", "t pin(a) join(a=u.x)"]
    );
    assert_eq!(seen(select(&[]).from(sub("s", select(&["t"]).outputs(&["*"]))).filter(pin("a"))), ["t pin(a)"]);
    assert_eq!(seen(select(&[]).from(sub("s", inner())).group(&["s.k"]).order(&["b"])), ["t group(a) order(b)"]);
    // A condition on a group is one on its rows only where it is on what they are grouped by.
    let counted = || select(&["t"]).outputs(&["a", "b"]).group(&["a"]);
    assert_eq!(seen(select(&[]).from(sub("s", counted())).filter(pin("a"))), ["t pin(a) group(a)"]);
    assert_eq!(seen(select(&[]).from(sub("s", counted())).filter(pin("b"))), ["t group(a)"]);
    // One value by any name.
    let constant = Query::new(StatementKind::Select).output("k", val());
    assert_eq!(seen(select(&["t"]).from(sub("s", constant)).filter(eq("t.a", "s.k"))), ["t pin(a)"]);
    // LATERAL.
    let lateral = select(&["u"]).outputs(&["y"]).filter(eq("u.x", "t.b"));
    assert_eq!(
        seen(select(&["t"]).from(sub("s", lateral)).filter(pin("t.b"))),
        ["t pin(b) join(b=u.x)", "u pin(x) join(x=t.b)"]
    );
}

#[test]
fn ctes() {
    let recent = || select(&["t"]).outputs(&["a", "b"]).filter(between("c"));
    assert_eq!(seen(select(&["r"]).with("r", recent()).filter(pin("a"))), ["t pin(a) range(c)"]);
    // It shadows a table; inside of itself it is the table.
    assert_eq!(seen(select(&["t"]).with("t", recent()).filter(pin("t.a"))), ["t pin(a) range(c)"]);
    // Of another schema than the CTE's none.
    assert_eq!(seen(select(&["public.t"]).with("t", select(&["u"])).filter(pin("a"))), ["u", "t pin(a)"]);
    // Read twice, it is computed once for both; what it is pinned to inside reaches both.
    assert_eq!(seen(select(&["r p", "r q"]).with("r", recent()).filter(pin("p.a"))), ["t range(c)"]);
    assert_eq!(
        seen(select(&["r p", "r q", "u"]).with("r", recent().filter(pin("a"))).filter(eq("u.x", "q.a"))),
        ["t pin(a) join(a=u.x)", "u pin(x) join(x=t.a)"]
    );
    // A later CTE sees an earlier one.
    let second = select(&["r"]).outputs(&["b"]);
    assert_eq!(
        seen(select(&["s", "u"]).with("r", recent()).with("s", second).filter(eq("s.b", "u.x"))),
        ["t range(c) join(b=u.x)", "u join(x=t.b)"]
    );
    // An aggregate is no column.
    let counted = select(&["t"]).output("n", call("count", vec![Expr::Star]));
    assert_eq!(seen(select(&["r", "u"]).with("r", counted).filter(eq("r.n", "u.x"))), ["t", "u"]);
    // Rows that a DELETE gives back are not chosen by who reads them.
    let moved = delete("t").filter(pin("b")).outputs(&["*"]);
    assert_eq!(
        seen(
            Query { from: vec![sub("x", select(&["moved"]).outputs(&["a"]).filter(pin("a")))], ..insert("u", &["x"]) }
                .with("moved", moved)
        ),
        ["t w pin(b)", "u w ins"]
    );
    // The recursive term reads the table by what is in no table.
    let steps = union(vec![
        select(&["t"]).outputs(&["a"]).filter(pin("a")),
        select(&["t", "tree"]).filter(eq("t.b", "tree.a")),
    ]);
    assert_eq!(seen(select(&["tree"]).with("tree", steps)), ["t pin(a)", "t"]);
}

#[test]
fn set_operations_are_read_side_by_side() {
    let sides = || union(vec![select(&["t"]).outputs(&["a"]).filter(pin("b")), select(&["u"]).outputs(&["x"])]);
    assert_eq!(seen(sides()), ["t pin(b)", "u"]);
    assert_eq!(seen(Query { order_by: vec![col("a")], ..sides() }), ["t pin(b) order(a)", "u order(x)"]);
    // A condition on the whole is one on each side; one side's pin is not the whole's.
    assert_eq!(seen(select(&[]).from(sub("s", sides())).filter(pin("s.a"))), ["t pin(a b)", "u pin(x)"]);
    assert_eq!(seen(select(&[]).from(sub("s", sides().limit())).filter(pin("s.a"))), ["t pin(b)", "u"]);
    let pinned = union(vec![select(&["t"]).outputs(&["a"]).filter(pin("a")), select(&["u"]).outputs(&["x"])]);
    assert_eq!(
        seen(select(&["v"]).from(sub("s", pinned)).filter(eq("v.x", "s.a"))),
        ["v join(x=t.a x=u.x)", "t pin(a) join(a=v.x)", "u join(x=v.x)"]
    );
}

#[test]
fn inserts_and_copies_name_no_rows() {
    assert_eq!(seen(insert("t", &["a", "b"])), ["t w ins"]);
    assert_eq!(seen(copy_from("t")), ["t w ins"]);
    let select_into =
        Query { from: vec![sub("x", select(&["u"]).outputs(&["x"]).filter(pin("x")))], ..insert("t", &["a"]) };
    assert_eq!(seen(select_into), ["t w ins", "u pin(x)"]);
    // A backup reads every row once; that is no load of the application.
    assert_eq!(seen(Query { kind: StatementKind::Copy, ..select(&["t"]) }), [""; 0]);
}

#[test]
fn a_row_that_is_saved_whole_is_told_from_a_column_that_is_changed() {
    let made = "id tenant_id name email created:timestamp~with~time~zone";
    let schema = Schema::new(vec![a_table("contacts", made, &["id"]), a_table("pairs", "id a b", &["id"])]);
    let saves = |query: Query| uses(&schema, query)[0].rewritten;
    let save = |columns: &[&str]| columns.iter().fold(update("contacts").filter(pin("id")), |q, c| q.set(c, val()));
    assert!(saves(save(&["tenant_id", "name", "email"])));
    assert!(saves(save(&["created", "email", "id", "name", "tenant_id"])));
    assert!(!saves(save(&["tenant_id", "name"])));
    let upsert =
        |columns: &[&str]| columns.iter().fold(insert("contacts", &[]), |q, c| q.set(c, col(&format!("excluded.{c}"))));
    assert!(saves(upsert(&["id", "tenant_id", "name", "email"])));
    assert!(!saves(update("pairs").set("a", val()).set("b", val())), "two columns are soon set together");
}

#[test]
fn upserts_set_columns() {
    let upsert = |target: &str, sets: &[&str]| {
        sets.iter().fold(insert(target, &[]), |q, c| q.set(c, col(&format!("excluded.{c}"))))
    };
    assert_eq!(seen(insert("up", &[]).set("n", Expr::Other(vec![col("up.n"), val()]))), ["up w ins set(n)"]);
    assert_eq!(seen(insert("up", &[]).set("n", val()).filter(pin("up.n"))), ["up w ins set(n)"]);
    // Every column named: the primary key repeats the row that is in the way.
    assert_eq!(seen(upsert("up", &["id", "email", "n"])), ["up w ins set(email n)"]);
    assert_eq!(seen(insert("up", &[]).set("id", val())), ["up w ins set(id)"]);
    assert_eq!(seen(insert("up", &[]).set("id", col("excluded.n"))), ["up w ins set(id)"]);
    // Without any key nothing is known to repeat.
    assert_eq!(seen(upsert("tagged", &["k1"])), ["tagged w ins set(k1)"]);
    let no_primary = |keys: &[&str]| {
        let mut table = a_table("k", "a b c", keys);
        table.unique_keys.iter_mut().for_each(|k| k.primary = false);
        lines(&Schema::new(vec![table]), upsert("k", &["a", "b", "c"]))
    };
    assert_eq!(no_primary(&["a b", "a c"]), ["k w ins set(b c)"]);
}

#[test]
fn updates_deletes_and_merges() {
    assert_eq!(
        seen(update("t").set("b", val()).set("c", col("c")).set("a", col("t.b")).filter(pin("a"))),
        ["t w pin(a) set(a b)"]
    );
    assert_eq!(
        seen(update("t z").set("b", col("u.y")).from(table("u")).filter(all_of(vec![eq("z.a", "u.x"), pin("x")]))),
        ["t w pin(a) join(a=u.x) set(b)", "u pin(x) join(x=t.a)"]
    );
    assert_eq!(
        seen(delete("t").from(table("u")).filter(all_of(vec![eq("t.a", "x"), between("b")]))),
        ["t w range(b) join(a=u.x)", "u join(x=t.a)"]
    );
    // MERGE acts on unmatched source rows as well: its condition limits the target only.
    let merging =
        merge("t").from(table("u")).set("b", col("y")).filter(all_of(vec![eq("t.a", "x"), pin("t.b"), pin("y")]));
    assert_eq!(seen(merging), ["t w pin(b) join(a=u.x) set(b)", "u join(x=t.a)"]);
    let one_row = Query::new(StatementKind::Select).output("k", val());
    assert_eq!(seen(merge("t").from(sub("s", one_row)).filter(eq("t.a", "s.k"))), ["t w pin(a)"]);
}

#[test]
fn relations_that_are_no_tables() {
    let values = || FromItem::Other { alias: Some("w".to_owned()) };
    assert_eq!(seen(select(&["t"]).from(values()).filter(all_of(vec![eq("t.a", "w.id"), pin("b")]))), ["t pin(b)"]);
    assert_eq!(
        seen(select(&["t", "pg_class"]).filter(all_of(vec![eq("t.a", "pg_class.oid"), pin("c")]))),
        ["t pin(c)"]
    );
    assert_eq!(seen(select(&["elsewhere.t"]).filter(pin("a"))), Vec::<String>::new());
    // x may be a column of the function: it is not taken for one of the table around.
    let inside = Query::new(StatementKind::Select).from(values()).filter(pin("b"));
    assert_eq!(seen(select(&["t"]).filter(exists(inside))), ["t"]);
}
