//! Long thoughts can be stopped: the question is asked often, and whoever unwinds from it ends the work.
#![allow(clippy::unwrap_used)]

use crate::planner_world::*;
use foreshard_core::model::Interrupts;
use foreshard_core::plan::search::Costs;
use foreshard_core::plan::{PlanInput, plan};
use foreshard_core::workload::{AnalyzeOptions, analyze};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static ASKED: Cell<u32> = const { Cell::new(0) };
    /// The question that is answered by unwinding.
    static LAST: Cell<u32> = const { Cell::new(u32::MAX) };
}

struct Stopped;

fn counting() -> Interrupts {
    Interrupts(|| {
        ASKED.set(ASKED.get() + 1);
        if ASKED.get() >= LAST.get() {
            std::panic::resume_unwind(Box::new(Stopped));
        }
    })
}

/// How often the work asks, if it is told to stop the `last` time.
fn asked(last: u32, work: impl FnOnce()) -> (u32, bool) {
    ASKED.set(0);
    LAST.set(last);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    assert!(outcome.as_ref().err().is_none_or(|cause| cause.is::<Stopped>()), "it failed by itself");
    (ASKED.get(), outcome.is_err())
}

/// Never stopped, it asks at least `often` times; stopped anywhere, it does not ask again.
fn can_be_stopped(often: u32, work: impl Fn()) {
    let (all, stopped) = asked(u32::MAX, &work);
    assert!(!stopped && all >= often, "asked {all} times");
    for last in [1, all / 2, all] {
        assert_eq!(asked(last, &work), (last, true));
    }
}

fn schema(tables: usize) -> World {
    let all = (0..tables).map(|i| {
        let own = table(&format!("t{i}"), &["id!:bigint", "tenant:bigint", "parent:bigint"], &["id"]);
        if i > 0 { link(own, &["parent"], &format!("t{}", (i - 1) / 2), &["id"]) } else { own }
    });
    let log = (0..tables).fold(Log::default(), |log, i| {
        let name = format!("t{i}");
        log.select(100.0 + i as f64, vec![t(&name).pin(&["tenant"])]).select(50.0, vec![t(&name).pin(&["parent"])])
    });
    World::new(all.collect(), log.oltp())
}

#[test]
fn a_plan_is_interrupted_for_every_table_that_it_weighs() {
    let world = schema(60);
    can_be_stopped(60 * 10, || {
        plan(&PlanInput { interrupts: counting(), ..world.input("t7") }).unwrap();
    });
}

#[test]
fn it_makes_no_difference_to_the_plan() {
    let world = schema(12);
    LAST.set(u32::MAX);
    assert_eq!(plan(&PlanInput { interrupts: counting(), ..world.input("t3") }), world.try_plan("t3"));
}

#[test]
fn a_search_is_interrupted_at_every_node() {
    // Every variable wants to differ from every other one, and has one value too few.
    let (variables, values) = (9, 4);
    let mut costs = Costs { own: vec![vec![0.0; values]; variables], pairs: BTreeMap::new() };
    for a in 0..variables {
        for b in a + 1..variables {
            let equal = |i: usize| if i / values == i % values { 1.0 + (a * b) as f64 / 100.0 } else { 0.0 };
            costs.pairs.insert((a, b), (0..values * values).map(equal).collect());
        }
    }
    can_be_stopped(1000, || drop(costs.minimize_unless(counting(), &[], 1000)));
}

#[test]
fn an_analysis_is_interrupted_at_every_statement() {
    use crate::workload_build::{Clauses, a_table, entry, pin, select};
    let schema = foreshard_core::model::Schema::new(vec![a_table("t", "a b", &["a"])]);
    let log: Vec<_> = (0..200).map(|id| entry(id, select(&["t"]).filter(pin("a")))).collect();
    can_be_stopped(200, || {
        analyze(&schema, &log, &AnalyzeOptions { interrupts: counting(), ..AnalyzeOptions::default() });
    });
}
