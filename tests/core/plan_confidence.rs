//! How far a choice may be relied on, what would change it, and what its lost constraints cost.
#![allow(clippy::unwrap_used)]

use crate::planner_world::*;
use foreshard_core::model::Plan;
use foreshard_core::model::plan::{Class, Level};
use foreshard_core::model::workload::Coverage;
use foreshard_core::plan::{PlanInput, explain, plan};

/// Orders by customer; a look-up by id that becomes the better key when it runs often enough.
fn world(by_id: f64) -> World {
    let tables = vec![
        table("customers", &["id!:bigint", "email:text"], &["id"]),
        link(
            table("orders", &["id!:bigint", "customer_id:bigint", "status:text"], &["id"]),
            &["customer_id"],
            "customers",
            &["id"],
        ),
    ];
    let log = Log::default()
        .select(6000.0, vec![t("orders").pin(&["customer_id"])])
        .select(by_id, vec![t("orders").pin(&["id"])])
        .insert(1000.0, "orders")
        .select(2000.0, vec![t("customers").pin(&["id"])]);
    let rows = profile(2_000_000, 80, &[("id", 2_000_000), ("customer_id", 90_000), ("status", 5)]);
    World::new(tables, log.oltp()).profiled(rows)
}

fn level(plan: &Plan) -> Level {
    plan.confidence.as_ref().unwrap().level
}

#[test]
fn the_factor_that_changes_the_choice_is_where_it_changes() {
    let plan = world(1500.0).plan("orders");
    assert_eq!(choice(&plan), "hash(customer_id)");
    let flip = plan.flip.clone().unwrap();
    let at = |statement: i64, factor: f64| {
        let mut world = world(1500.0);
        let scaled = world.workload.statements.iter_mut().find(|s| s.id == statement).unwrap();
        (scaled.calls, scaled.total_ms, scaled.rows) =
            (scaled.calls * factor, scaled.total_ms * factor, scaled.rows * factor);
        choice(&world.plan("orders"))
    };
    let there = format!("{}({})", flip.method.name(), flip.key.join(","));
    assert_eq!(at(flip.statement, flip.factor), there);
    let before = flip.factor.powf(0.97);
    assert_eq!(at(flip.statement, before), "hash(customer_id)", "{flip:?}");
    let text = explain(&plan);
    assert!(text.contains("Would change it: if statement") && text.contains("Confidence: "), "{text}");
}

#[test]
fn confidence_falls_with_what_is_not_known() {
    assert_eq!(level(&world(150.0).plan("orders")), Level::High);
    let unread = World { profile: None, ..world(150.0) };
    assert_eq!(level(&unread.plan("orders")), Level::Medium);
    let mut unclear = world(150.0);
    unclear.workload.coverage = Coverage { understood_calls: 0.6, ..unclear.workload.coverage };
    let plan = unclear.plan("orders");
    assert_eq!(level(&plan), Level::Low);
    assert_eq!(plan.confidence.unwrap().because, "Only 60 % of the calls were understood.");
    let mut silent = world(150.0);
    silent.workload.statements.clear();
    assert_eq!(level(&silent.plan("orders")), Level::Low);
}

#[test]
fn borrowed_statements_lower_the_confidence() {
    let planned = |likeness: Option<f64>| {
        let world = world(150.0);
        plan(&PlanInput { likeness, ..world.input("orders") }).unwrap()
    };
    assert_eq!(level(&planned(None)), Level::High);
    assert_eq!(level(&planned(Some(0.95))), Level::Medium);
    let plan = planned(Some(0.7));
    assert_eq!(level(&plan), Level::Low);
    let because = plan.confidence.unwrap().because;
    assert_eq!(because, "The statements are those of another table, 70 % like this one.");
}

#[test]
fn a_plan_without_a_flip_says_whether_one_was_looked_for() {
    let why = |world: World| {
        let plan = world.plan("orders");
        assert_eq!(plan.flip.is_some(), plan.no_flip.is_none(), "one of the two is there");
        if let Some(why) = &plan.no_flip {
            let text = explain(&plan).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(&format!("Would change it: {why}")), "{text}");
        }
        plan.no_flip.unwrap_or_default()
    };
    assert_eq!(why(world(1500.0)), "");
    let steady = why(world(0.001));
    assert_eq!(steady, "None of the 2 heaviest statements alone, run from 1/64 to 64 times as often.");
    let asked = world(1500.0).config(serde_json::json!({"shard_key": ["customer_id"]}));
    assert_eq!(why(asked), "Not looked for: the config asks for this choice.");
    let mut silent = world(1500.0);
    silent.workload.statements.clear();
    assert_eq!(why(silent), "Not looked for: no statement of the log finds rows of the table.");
}

#[test]
fn every_statement_has_its_class_and_every_lost_constraint_its_remedies() {
    let plan = world(150.0).plan("orders");
    let evidence = &chosen(&plan).evidence;
    let classes: Vec<(i64, Class)> = evidence.statements.iter().map(|s| (s.id, s.class)).collect();
    assert_eq!(classes, [(1, Class::Single), (2, Class::Scatter)]);
    let remedies: Vec<(&str, bool)> = evidence.remedies.iter().map(|r| (r.way.as_str(), r.cost.is_some())).collect();
    assert_eq!(remedies, [("widen", true), ("per_shard", true), ("lookup table", true), ("refuse", true)]);
    let by_id = plan.candidates.iter().find(|c| c.key.as_slice() == ["id"]).unwrap();
    let refuse = evidence.remedies[3].cost.unwrap();
    assert!(refuse > 0.0 && refuse <= by_id.cost - chosen(&plan).cost + 1e-3);
}

/// A plan that was stored before these fields existed reads as it was and has the hash that it had.
#[test]
fn older_documents_keep_their_hash() {
    let mut plan = world(150.0).plan("orders");
    (plan.joint, plan.confidence, plan.flip, plan.no_flip) = (None, None, None, None);
    for candidate in &mut plan.candidates {
        candidate.evidence.statements.clear();
        candidate.evidence.remedies.clear();
    }
    plan.hash = foreshard_core::plan::hash(&plan).unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    for new in ["joint", "confidence", "flip", "no_flip", "remedies"] {
        assert!(!text.contains(&format!("\"{new}\":")), "{new}");
    }
    let back: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(foreshard_core::plan::hash(&back).unwrap(), plan.hash);
}
