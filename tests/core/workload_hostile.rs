//! Trees that nobody writes, and orders that must not matter.

use super::workload_build::*;
use foreshard_core::model::schema::Schema;
use foreshard_core::model::statement::{Expr, FromItem, Query, StatementKind, SubqueryLink, TableRef};
use foreshard_core::model::workload::LogEntry;
use foreshard_core::workload::MAX_DEPTH;
use proptest::prelude::*;

pub(crate) fn shop() -> Schema {
    Schema::new(vec![
        references(a_table("t", "a b c s:text", &["a"]), "b", "u", "x"),
        a_table("u", "a x y", &["x"]),
        a_table("v", "x z", &["x"]),
    ])
}

/// Reads a tree and lets it go without dropping it: the drop of a deep tree recurses, and is not what is tested.
fn read_deep(query: Query) -> Vec<String> {
    let log = [entry(1, query)];
    let workload = read(&shop(), &log);
    std::mem::forget(log);
    let reasons = workload.coverage.not_understood.into_iter().map(|n| n.reason);
    reasons.chain(workload.statements.iter().flat_map(|s| &s.tables).map(line)).collect()
}

fn too_deep() -> [String; 1] {
    [format!("nested more than {MAX_DEPTH} levels deep")]
}

#[test]
fn ten_thousand_levels_are_refused_and_counted() {
    let deep = |from: Query, wrap: &dyn Fn(Query) -> Query| (0..10_000).fold(from, |q, _| wrap(q));
    let nots = (0..10_000).fold(pin("a"), |e, _| not(e));
    assert_eq!(read_deep(select(&["t"]).filter(nots)), too_deep());
    assert_eq!(read_deep(deep(select(&["t"]), &|q| select(&[]).from(sub("s", q)))), too_deep());
    assert_eq!(read_deep(deep(select(&["t"]), &|q| select(&["t"]).filter(exists(q)))), too_deep());
    assert_eq!(read_deep(deep(select(&["t"]), &|q| select(&["c"]).with("c", q))), too_deep());
    assert_eq!(read_deep(deep(select(&["t"]), &|q| union(vec![q, select(&["t"])]))), too_deep());
    let joins = (0..10_000).fold(table("t"), |left, _| join(left, table("t"), pin("a")));
    assert_eq!(read_deep(select(&[]).from(joins)), too_deep());
}

/// As deep as is allowed, in the shapes that use most stack, on a stack of one megabyte.
#[test]
fn the_deepest_trees_are_read() {
    std::thread::Builder::new().stack_size(1 << 20).spawn(read_deepest).unwrap().join().unwrap();
}

fn read_deepest() {
    let nested = |parts_per_level: usize, wrap: &dyn Fn(Query) -> Query| {
        let levels = (MAX_DEPTH - 2) / parts_per_level;
        let found = read_deep((0..levels).fold(select(&["u"]).outputs(&["x"]), |q, _| wrap(q)));
        let one_more = (0..=levels).fold(select(&["u"]).outputs(&["x"]), |q, _| wrap(q));
        assert_eq!(read_deep(one_more), too_deep());
        (levels, found)
    };
    let (_, found) = nested(2, &|q| select(&[]).from(sub("s", q)).outputs(&["x"]).filter(pin("x")));
    assert_eq!(found, ["u pin(x)"]);
    let (levels, found) = nested(2, &|q| select(&["u"]).outputs(&["x"]).filter(in_query(col("x"), q)));
    assert_eq!((found.len(), found[0].as_str()), (levels + 1, "u join(x=u.x)"));
    let (levels, found) = nested(3, &|q| select(&["u"]).filter(not(exists(q))));
    assert_eq!((found.len(), found[0].as_str()), (levels + 1, "u"));
    let (levels, found) = nested(3, &|q| select(&["u"]).filter(cmp(col("x"), "=", scalar(q))));
    assert_eq!((found.len(), found[0].as_str()), (levels + 1, "u pin(x)"));
    let joins = (0..MAX_DEPTH - 3).fold(table("t"), |left, _| left_join(left, table("t"), pin("a")));
    assert_eq!(read_deep(select(&[]).from(joins)).len(), MAX_DEPTH - 2);
}

#[test]
fn wide_trees_are_read() {
    assert_eq!(lines(&shop(), select(&["t"]).filter(in_list(col("a"), Some(100_000)))), ["t list(a)"]);
    let pins = |n: usize| (0..n).map(|_| pin("a")).collect();
    assert_eq!(lines(&shop(), select(&["t"]).filter(any_of(pins(100_000)))), ["t list(a)"]);
    assert_eq!(lines(&shop(), select(&["t"]).filter(all_of(pins(100_000)))), ["t pin(a)"]);
}

#[test]
fn what_doubles_with_each_level_stays_small() {
    let star = |q: Query| select(&[]).from(sub("s", q)).outputs(&["*", "*"]);
    let stars = (0..100).fold(select(&["t"]).outputs(&["*"]), |q, _| star(q));
    assert_eq!(lines(&shop(), stars), ["t"]);
    let twice = (1..100).fold(select(&["c99"]).outputs(&["a"]).filter(pin("a")), |q, i| {
        let from = select(&[&format!("c{}", i - 1)]).outputs(&["a"]);
        q.with(&format!("c{i}"), union(vec![from.clone(), from]))
    });
    let mut twice = twice.from(table("u"));
    twice.ctes.insert(0, ("c0".to_owned(), select(&["t"]).outputs(&["a"])));
    assert_eq!(lines(&shop(), Query { filter: Some(eq("c99.a", "u.x")), ..twice }), ["t join(a=u.x)", "u join(x=t.a)"]);
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["t", "u", "v", "c", "s", "nowhere"]).prop_map(str::to_owned)
}

fn column() -> impl Strategy<Value = Expr> {
    let path =
        prop::sample::select(vec!["a", "b", "x", "t.a", "u.x", "s.a", "c.x", "public.v.x", "excluded.a", "q.q.q.q"]);
    path.prop_map(col)
}

fn from_item() -> impl Strategy<Value = FromItem> {
    let alias = || prop::option::of(name());
    prop_oneof![
        4 => (name(), alias()).prop_map(|(name, alias)| FromItem::Table(TableRef { schema: None, name, alias })),
        1 => alias().prop_map(|alias| FromItem::Other { alias }),
    ]
}

fn condition() -> impl Strategy<Value = Expr> {
    let ops = prop::sample::select(vec!["=", "<", ">=", "<>", "@>"]);
    prop_oneof![
        4 => (column(), column()).prop_map(|(a, b)| cmp(a, "=", b)),
        4 => (column(), ops).prop_map(|(a, op)| cmp(a, op, val())),
        1 => (column(), prop::option::of(0usize..3), any::<bool>()).prop_map(|(c, items, negated)| Expr::In {
            test: Box::new(c),
            items,
            negated,
        }),
        1 => Just(Expr::Star),
        1 => prop::collection::vec(column(), 0..3).prop_map(|c| cmp(Expr::Row(c.clone()), "=", Expr::Row(c))),
    ]
}

pub(crate) fn query() -> impl Strategy<Value = Query> {
    let kinds = prop::sample::select(vec![
        StatementKind::Select,
        StatementKind::Select,
        StatementKind::Insert,
        StatementKind::Update,
        StatementKind::Delete,
        StatementKind::Merge,
        StatementKind::Copy,
        StatementKind::Utility,
    ]);
    let flat =
        (kinds, prop::option::of(name()), prop::collection::vec(from_item(), 0..3), prop::option::of(condition()))
            .prop_flat_map(|(kind, target, from, filter)| {
                let outputs = prop::collection::vec(prop_oneof![column(), Just(Expr::Star), Just(val())], 0..3);
                (outputs, any::<[bool; 4]>()).prop_map(move |(outputs, [distinct, limited, grouped, set])| Query {
                    target: target.as_deref().map(table_ref),
                    from: from.clone(),
                    filter: filter.clone(),
                    group_by: if grouped { outputs.clone() } else { vec![] },
                    order_by: outputs.clone(),
                    assigned: if set { outputs.iter().map(|e| ("a".to_owned(), e.clone())).collect() } else { vec![] },
                    outputs: outputs.into_iter().map(|e| (distinct.then(|| "a".to_owned()), e)).collect(),
                    distinct,
                    limited,
                    ..Query::new(kind)
                })
            });
    flat.prop_recursive(4, 24, 3, |inner| {
        let link = prop::sample::select(vec![
            SubqueryLink::Exists,
            SubqueryLink::EqualsAny,
            SubqueryLink::Compare,
            SubqueryLink::Scalar,
            SubqueryLink::Array,
        ]);
        let sub_expr = (link, prop::option::of(column()), inner.clone())
            .prop_map(|(link, test, query)| Expr::Subquery { link, test: test.map(Box::new), query: Box::new(query) });
        prop_oneof![
            (inner.clone(), sub_expr, condition(), 0..4).prop_map(|(mut q, e, c, shape)| {
                let before = q.filter.take().into_iter();
                let parts: Vec<Expr> = before.chain([e, c]).collect();
                q.filter = Some(match shape {
                    0 => all_of(parts),
                    1 => any_of(parts),
                    2 => not(all_of(parts)),
                    _ => cmp(col("a"), "=", parts.into_iter().next().unwrap_or(Expr::Star)),
                });
                q
            }),
            (inner.clone(), name(), inner.clone()).prop_map(|(q, name, cte)| q.with(&name, cte)),
            (inner.clone(), name(), inner.clone()).prop_map(|(q, alias, s)| q.from(sub(&alias, s))),
            (inner.clone(), from_item(), from_item(), condition(), any::<[bool; 2]>()).prop_map(
                |(q, left, right, on, [outer, natural])| {
                    q.from(FromItem::Join {
                        left: Box::new(left),
                        right: Box::new(right),
                        outer,
                        on: Some(on),
                        using: vec!["x".to_owned()],
                        natural,
                    })
                }
            ),
            prop::collection::vec(inner, 0..3).prop_map(union),
        ]
    })
}

pub(crate) fn log() -> impl Strategy<Value = Vec<LogEntry>> {
    let one = (0i64..6, query(), any::<bool>(), 0.0f64..1e6, 0.0f64..1e6, 0.0f64..1e6);
    prop::collection::vec(one, 0..12).prop_map(|entries| {
        let to_entry = |(i, (id, query, readable, calls, total_ms, rows)): (usize, _)| LogEntry {
            id,
            text: format!("text {i}"),
            calls,
            total_ms,
            rows,
            parsed: if readable { Ok(vec![query]) } else { Err(format!("reason {}", id % 2)) },
        };
        entries.into_iter().enumerate().map(to_entry).collect()
    })
}

proptest! {
    #[test]
    fn order_of_the_log_does_not_matter((log, shuffled) in log().prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle()))) {
        prop_assert_eq!(read(&shop(), &log), read(&shop(), &shuffled));
    }

    #[test]
    fn every_use_is_sorted_and_of_the_schema(query in query()) {
        let schema = shop();
        for table_use in uses(&schema, query) {
            let table = schema.get(&table_use.table).expect("a table of the schema");
            let lists = [
                &table_use.pinned, &table_use.listed, &table_use.ranged, &table_use.matched,
                &table_use.grouped, &table_use.ordered, &table_use.updated,
            ];
            for list in lists {
                prop_assert!(list.is_sorted_by(|a, b| a < b));
                prop_assert!(list.iter().all(|c| table.column(c).is_some()));
            }
            prop_assert!(table_use.joined.is_sorted_by(|a, b| a < b));
        }
    }
}
