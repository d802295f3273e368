//! The order in which things come does not matter: the same entries of the log, tables, keys and rows give the same plan
//! with the same hash.

use crate::planner_world::{World, profile};
use crate::workload_build::{a_table, entry, pin, read, references, select};
use crate::workload_hostile::{log, shop};
use foreshard_core::backup::profile::{Profiler, ValueOrder};
use foreshard_core::model::workload::LogEntry;
use foreshard_core::model::{Plan, Table, TableProfile};
use proptest::prelude::*;

fn plan(tables: Vec<Table>, log: &[LogEntry], profiled: bool, target: &str) -> Plan {
    let schema = foreshard_core::model::Schema::new(tables.clone());
    let world = World::new(tables, read(&schema, log));
    let rows = || profile(3_000_000, 90, &[("a", 3_000_000), ("b", 4_000), ("c", 12), ("x", 40_000), ("y", 7)]);
    if profiled { world.profiled(rows()) } else { world }.plan(target)
}

/// More tables of the same families, so that there is something to choose.
fn tables() -> Vec<Table> {
    let mut tables = shop().tables;
    tables.push(references(a_table("w", "a b", &["a"]), "b", "u", "x"));
    tables.push(references(references(a_table("z", "b x", &["b"]), "x", "u", "x"), "b", "w", "a"));
    tables
}

/// Ids and figures of which many are equal, so that there are ties, and sums that depend on their order.
fn tied_log() -> impl Strategy<Value = Vec<LogEntry>> {
    let figures = || prop::sample::select(vec![0.1, 0.2, 0.3, 1e-9, 1e9, 7.0]);
    let figures = prop::collection::vec((figures(), figures(), figures(), 0usize..2), 12);
    (log(), figures).prop_map(|(log, figures)| {
        let tie = |(entry, (calls, total_ms, rows, text)): (LogEntry, (f64, f64, f64, usize))| {
            let text = ["text", "another text"][text].to_owned();
            LogEntry { calls, total_ms, rows, text, ..entry }
        };
        log.into_iter().zip(figures).map(tie).collect()
    })
}

fn with_shuffled<T: Clone + std::fmt::Debug>(
    list: impl Strategy<Value = Vec<T>>,
) -> impl Strategy<Value = (Vec<T>, Vec<T>)> {
    list.prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle()))
}

fn shuffled_keys() -> impl Strategy<Value = Vec<Table>> {
    let keys = |table: Table| {
        (Just(table.unique_keys.clone()).prop_shuffle(), Just(table.foreign_keys.clone()).prop_shuffle())
            .prop_map(move |(unique_keys, foreign_keys)| Table { unique_keys, foreign_keys, ..table.clone() })
    };
    tables().into_iter().map(keys).collect::<Vec<_>>().prop_shuffle()
}

proptest! {
    #[test]
    fn a_plan_does_not_depend_on_the_order_of_anything(
        (log, other_log) in with_shuffled(tied_log()),
        other_tables in shuffled_keys(),
        profiled: bool,
        target in prop::sample::select(vec!["t", "u", "z"]),
    ) {
        let one = plan(tables(), &log, profiled, target);
        prop_assert_eq!(&one, &plan(other_tables, &other_log, profiled, target));
        prop_assert_eq!(one.hash.len(), 32);
    }

    #[test]
    fn a_profile_does_not_depend_on_the_order_of_the_rows(
        (rows, other) in with_shuffled(prop::collection::vec(prop::option::of(-30i64..30), 0..300)),
    ) {
        let profile = |rows: &[Option<i64>]| {
            let columns = [ValueOrder::Integer, ValueOrder::Text].map(|order| (format!("{order:?}"), order));
            let mut profiler = Profiler::new(&columns);
            for value in rows {
                let text = value.map(|v| v.to_string());
                profiler.row([text.as_deref(), text.as_deref()].map(|t| t.map(str::as_bytes)));
            }
            let mut profile: TableProfile = profiler.finish();
            // The one figure that is about the order.
            profile.columns.iter_mut().for_each(|c| c.monotonicity = 0.0);
            profile
        };
        prop_assert_eq!(profile(&rows), profile(&other));
    }
}

/// A text is cut for people: two statements behind one id can look alike there.
#[test]
fn entries_that_look_alike_are_told_apart_by_what_they_say() {
    let alike = |column: &str| LogEntry { text: "SELECT …".to_owned(), ..entry(1, select_by(column)) };
    let (one, other) = ([alike("a"), alike("b")], [alike("b"), alike("a")]);
    assert_eq!(read(&shop(), &one), read(&shop(), &other));
}

/// What was cut off may still be a statement, but it is not the whole one.
#[test]
fn the_longest_text_of_an_id_stands_for_all() {
    let text = |text: &str, column: &str| LogEntry { text: text.to_owned(), ..entry(1, select_by(column)) };
    let log = [text("SELECT * FROM t WHERE a", "a"), text("SELECT * FROM t WHERE b = $1", "b")];
    assert_eq!(read(&shop(), &log).statements[0].tables[0].pinned, ["b"]);
}

fn select_by(column: &str) -> foreshard_core::model::Query {
    use crate::workload_build::Clauses;
    select(&["t"]).filter(pin(column))
}
