//! The log as a whole: duplicates, coverage, min_calls, profile.

#![allow(clippy::unwrap_used)]

use super::workload_build::*;
use foreshard_core::model::schema::Schema;
use foreshard_core::model::statement::{Query, StatementKind};
use foreshard_core::model::workload::{Coverage, LogEntry, NotUnderstood, WorkloadProfile};
use foreshard_core::workload::{AnalyzeOptions, analyze};

fn shop() -> Schema {
    Schema::new(vec![a_table("t", "a b", &["a"]), a_table("u", "x", &["x"])])
}

fn failed(id: i64, calls: f64, reason: &str) -> LogEntry {
    LogEntry { calls, parsed: Err(reason.to_owned()), ..entry(id, select(&[])) }
}

fn with(entry: LogEntry, calls: f64, total_ms: f64, rows: f64) -> LogEntry {
    LogEntry { calls, total_ms, rows, ..entry }
}

fn point() -> Query {
    select(&["t"]).filter(pin("a"))
}

fn scan() -> Query {
    select(&["t"]).group(&["b"])
}

#[test]
fn an_empty_log_is_fully_understood() {
    let workload = read(&shop(), &[]);
    let coverage = Coverage {
        statements: 0,
        calls: 0.0,
        total_ms: 0.0,
        understood_calls: 1.0,
        understood_ms: 1.0,
        not_understood: vec![],
    };
    assert_eq!(workload.coverage, coverage);
    assert_eq!(workload.profile, WorkloadProfile::Mixed);
    assert_eq!((workload.statements, workload.families), (vec![], vec![]));
}

#[test]
fn entries_of_one_id_are_summed() {
    let log = [
        with(entry(7, point()), 1.0, 2.0, 3.0),
        with(entry(3, scan()), 5.0, 5.0, 5.0),
        with(entry(7, point()), 10.0, 20.0, 30.0),
        with(failed(7, 0.0, "cut off"), 100.0, 200.0, 300.0),
    ];
    let workload = read(&shop(), &log);
    let found: Vec<_> = workload.statements.iter().map(|s| (s.id, s.calls, s.total_ms, s.rows)).collect();
    assert_eq!(found, [(3, 5.0, 5.0, 5.0), (7, 111.0, 222.0, 333.0)]);
    assert_eq!((workload.coverage.statements, workload.coverage.understood_calls), (2, 1.0));
    assert_eq!(workload.statements[1].text, "statement 7");
    assert_eq!(workload.statements[1].kind, StatementKind::Select);
}

#[test]
fn coverage_counts_what_was_not_understood() {
    let reason = |reason: &str, statements, calls| NotUnderstood { reason: reason.to_owned(), statements, calls };
    let log = [
        with(entry(1, point()), 50.0, 10.0, 0.0),
        with(entry(2, Query::new(StatementKind::Utility)), 20.0, 0.0, 0.0),
        with(entry(3, select(&["pg_class"])), 10.0, 10.0, 0.0),
        LogEntry { parsed: Ok(vec![]), ..with(entry(8, select(&[])), 4.0, 0.0, 0.0) },
        with(failed(4, 0.0, "syntax error"), 5.0, 60.0, 0.0),
        with(failed(5, 0.0, "syntax error"), 5.0, 0.0, 0.0),
        with(failed(6, 0.0, "text was lost"), 6.0, 0.0, 0.0),
    ];
    let workload = read(&shop(), &log);
    assert_eq!(workload.statements.iter().map(|s| s.id).collect::<Vec<_>>(), [1]);
    assert_eq!(
        workload.coverage,
        Coverage {
            statements: 7,
            calls: 100.0,
            total_ms: 80.0,
            understood_calls: 0.84,
            understood_ms: 0.25,
            not_understood: vec![reason("syntax error", 2, 10.0), reason("text was lost", 1, 6.0)],
        }
    );
}

#[test]
fn calls_that_cannot_be_are_counted_as_such() {
    let log = [
        with(entry(1, point()), 10.0, f64::NAN, f64::NEG_INFINITY),
        with(entry(2, point()), f64::NAN, 5.0, 0.0),
        with(entry(3, point()), f64::INFINITY, 0.0, 0.0),
        with(entry(4, point()), -1.0, 0.0, 0.0),
        with(entry(7, point()), 1e300, 1e300, 1e300),
        // Never called is no damage, and what is left of a damaged entry is taken.
        with(entry(5, point()), 0.0, 0.0, 0.0),
        with(entry(6, point()), f64::NAN, 0.0, 0.0),
        with(entry(6, point()), 30.0, 0.0, 0.0),
    ];
    for min_calls in [0.0, 5.0] {
        let workload = analyze(&shop(), &log, &AnalyzeOptions { min_calls, ..AnalyzeOptions::default() });
        let reason = "calls are negative or no number".to_owned();
        let damaged = NotUnderstood { reason, statements: 4, calls: 0.0 };
        assert!(workload.coverage.not_understood.contains(&damaged), "{:?}", workload.coverage);
        assert_eq!((workload.coverage.statements, workload.coverage.calls), (7, 40.0));
        let left: Vec<i64> = workload.statements.iter().map(|s| s.id).collect();
        assert_eq!(left, if min_calls > 0.0 { vec![1, 6] } else { vec![1, 5, 6] });
    }
}

#[test]
fn what_min_calls_leaves_out_is_listed_but_lowers_nothing() {
    let log = [
        with(entry(1, point()), 100.0, 1.0, 0.0),
        with(entry(2, scan()), 9.0, 99.0, 0.0),
        with(failed(3, 0.0, "syntax error"), 9.5, 1.0, 0.0),
        // 6 + 6 calls are enough.
        with(entry(4, point()), 6.0, 0.0, 0.0),
        with(entry(4, point()), 6.0, 0.0, 0.0),
    ];
    let options = AnalyzeOptions { min_calls: 10.0, profile: Some(WorkloadProfile::Olap), ..AnalyzeOptions::default() };
    let workload = analyze(&shop(), &log, &options);
    assert_eq!(workload.profile, WorkloadProfile::Olap);
    assert_eq!(workload.statements.iter().map(|s| s.id).collect::<Vec<_>>(), [1, 4]);
    let coverage = workload.coverage;
    assert_eq!((coverage.statements, coverage.calls, coverage.total_ms), (4, 130.5, 101.0));
    assert_eq!((coverage.understood_calls, coverage.understood_ms), (1.0, 1.0));
    let left_out = NotUnderstood { reason: "called less often than min_calls".to_owned(), statements: 2, calls: 18.5 };
    assert_eq!(coverage.not_understood, [left_out]);
}

#[test]
fn times_and_rows_that_are_no_numbers_count_as_nothing() {
    let log = [with(entry(1, point()), 1.0, f64::INFINITY, -3.0), with(entry(2, point()), 2.0, 2.0, 2.0)];
    let workload = read(&shop(), &log);
    assert_eq!((workload.coverage.calls, workload.coverage.total_ms), (3.0, 2.0));
    assert_eq!((workload.statements[0].calls, workload.statements[0].rows), (1.0, 0.0));
}

#[test]
fn several_statements_in_one_text() {
    let parsed = Ok(vec![Query::new(StatementKind::Utility), update("t").filter(pin("a")), select(&["u"])]);
    let workload = read(&shop(), &[LogEntry { parsed, ..entry(1, select(&[])) }]);
    assert_eq!(workload.statements[0].kind, StatementKind::Update);
    assert_eq!(workload.statements[0].tables.iter().map(line).collect::<Vec<_>>(), ["t w pin(a)", "u"]);
}

#[test]
fn profiles() {
    let profile = |log: &[LogEntry]| read(&shop(), log).profile;
    let points = |calls, ms| with(entry(1, point()), calls, ms, calls);
    let scans = |calls, ms| with(entry(2, scan()), calls, ms, calls);
    assert_eq!(profile(&[points(1000.0, 100.0)]), WorkloadProfile::Oltp);
    assert_eq!(profile(&[scans(10.0, 1000.0)]), WorkloadProfile::Olap);
    // Nearly all calls and nearly no time.
    assert_eq!(profile(&[points(1e6, 1e3), scans(10.0, 1e6)]), WorkloadProfile::Mixed);
    // Half of the time: (1.0 + 0.5) / 2.
    assert_eq!(profile(&[points(1e6, 1e3), scans(0.0, 1e3)]), WorkloadProfile::Oltp);
    assert_eq!(profile(&[points(1.0, 1.0), scans(1.0, 1.0)]), WorkloadProfile::Mixed);
    assert_eq!(profile(&[points(1.0, 0.0), scans(3.0, 0.0)]), WorkloadProfile::Olap);
    // A pin alone makes no point work: not with many rows, nor when it is slow.
    assert_eq!(profile(&[with(entry(1, point()), 1.0, 1.0, 1001.0)]), WorkloadProfile::Olap);
    assert_eq!(profile(&[with(entry(1, point()), 1.0, 101.0, 1.0)]), WorkloadProfile::Olap);
    assert_eq!(profile(&[with(entry(1, point()), 1.0, 100.0, 1000.0)]), WorkloadProfile::Oltp);
    assert_eq!(profile(&[entry(1, insert("t", &[]))]), WorkloadProfile::Oltp);
    let copied = Query { from: vec![sub("x", select(&["u"]))], ..insert("t", &[]) };
    assert_eq!(profile(&[entry(1, copied)]), WorkloadProfile::Olap);
    // Loading says nothing.
    assert_eq!(profile(&[points(1.0, 1.0), with(entry(2, copy_from("t")), 9.0, 1e6, 1e9)]), WorkloadProfile::Oltp);
    assert_eq!(profile(&[entry(2, copy_from("t"))]), WorkloadProfile::Mixed);
}

#[test]
fn the_figures_of_a_plan_are_read_as_they_were_written() {
    use crate::planner_world::World;
    for calls in [1.7e-305, 1e-200, 1e-9, 22.900000000000002, 1e18, 1e200, f64::MAX] {
        let log =
            [with(entry(1, point()), calls, 1e243, calls), with(entry(2, insert("t", &["a"])), calls, calls, 0.0)];
        let world = World::new(shop().tables, read(&shop(), &log));
        let plan = world.plan("t");
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<foreshard_core::model::Plan>(&text).unwrap(), plan, "with {calls}");
    }
}
