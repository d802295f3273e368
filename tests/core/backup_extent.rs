//! How many rows are read for a profile, and why.

use crate::planner_world::*;
use foreshard_core::backup::profile::extent::{Pass, needed_after, needed_by};
use foreshard_core::model::Config;
use foreshard_core::model::config::Profiling;
use foreshard_core::model::profile::ProfileKind;
use foreshard_core::plan::{explain, hash, with_notes};
use serde_json::json;

#[test]
fn a_pass_stops_where_much_is_known_to_be_left() {
    use Pass::{Nearly, Stopped, Unmeasured};
    for (asked, share, expected) in [
        (Profiling::On, None, Unmeasured),
        (Profiling::On, Some(0.06), Stopped(0.06)),
        (Profiling::On, Some(0.5), Stopped(0.5)),
        (Profiling::On, Some(0.6), Nearly(0.6)),
        (Profiling::Sample, Some(0.6), Stopped(0.6)),
        (Profiling::Sample, Some(1.0), Nearly(1.0)),
        (Profiling::Sample, None, Unmeasured),
        // What cannot be: more was read than there is, or nothing.
        (Profiling::On, Some(1.2), Nearly(1.0)),
        (Profiling::On, Some(0.0), Nearly(0.0)),
        (Profiling::On, Some(f64::NAN), Unmeasured),
    ] {
        assert_eq!(Pass::at_bound(asked, share), expected, "{asked:?} {share:?}");
    }
}

#[test]
fn the_plan_is_told_what_was_read() {
    let told = |pass: Pass, asked| {
        let told = pass.told(asked, None);
        (told.kind, told.share, told.because)
    };
    let (kind, share, because) = told(Pass::Stopped(0.06), Profiling::On);
    assert_eq!((kind, share), (ProfileKind::Sample, 0.06));
    assert_eq!(because, "The first 64 MB tell enough for this layout, and the load reads all rows.");
    for (pass, asked, because) in [
        (Pass::Short, Profiling::On, "They have no more than 64 MB of text."),
        (Pass::Unmeasured, Profiling::Sample, "The backup does not tell how many there are."),
        (Pass::Nearly(0.7), Profiling::On, "The first 64 MB were 70 % of them already."),
        (Pass::Short, Profiling::Whole, "The config asks for all rows."),
    ] {
        assert_eq!(told(pass, asked), (ProfileKind::Whole, 1.0, because.to_owned()));
    }
    let needed = Pass::Short.told(Profiling::On, Some("A range of day is cut by all its values.".to_owned()));
    assert_eq!(
        (needed.kind, needed.because.as_str()),
        (ProfileKind::Whole, "A range of day is cut by all its values.")
    );
}

#[test]
fn a_layout_by_values_needs_all_rows() {
    let needs = |config: serde_json::Value| needed_by(&Config::read(&config).unwrap(), 1).is_some();
    assert!(needs(json!({"method": "range", "shard_key": ["day"]})));
    assert!(needs(json!({"method": "list", "shard_key": ["day"]})));
    assert!(needs(json!({"shard_key": ["id"], "within": {"shard_key": ["day"]}})));
    assert!(!needs(json!({"method": "hash", "shard_key": ["id"]})));
    assert!(!needs(json!({})));
    assert!(needed_by(&Config::default(), 2).is_some(), "a partition of several may be unlike the others");
}

#[test]
fn a_plan_by_a_sample_that_stands_on_more_needs_all_rows() {
    let rows = || profile(50_000_000, 100, &[("id", 50_000_000), ("tenant", 5_000), ("day", 400)]);
    let by_tenant = Log::default().select(1000.0, vec![t("orders").pin(&["tenant"])]);
    let tables = || vec![table("orders", &["id:bigint", "tenant:bigint", "day:date"], &["id"])];
    let untold = |names: &[&str]| strings(names);
    let mut world = World::new(tables(), by_tenant.oltp()).profiled(rows());
    world.nodes = nodes(&["a", "b", "c", "d"]);
    let plan = world.plan("orders");
    assert_eq!(choice(&plan).split('(').next(), Some("hash"), "{}", table_of(&plan));
    assert_eq!(needed_after(&plan, &untold(&[])), None);
    assert_eq!(needed_after(&plan, &untold(&["day"])), None, "no statement finds rows by it");
    let tenant = needed_after(&plan, &untold(&["tenant"]));
    assert_eq!(tenant.as_deref(), Some("The first rows show too few values of tenant, which may be a key."));
    let by_values = world.config(json!({"method": "range", "shard_key": ["tenant"]})).plan("orders");
    let because = needed_after(&by_values, &untold(&[]));
    assert_eq!(because.as_deref(), Some("A range of tenant is cut by all its values."));
}

#[test]
fn the_explanation_tells_a_sample_from_all_rows() {
    let mut world = World::new(vec![table("orders", &["id:bigint"], &["id"])], Log::default().oltp());
    world.profile = Some(profile(8_000_000, 100, &[("id", 8_000_000)]));
    let told = |pass: Pass| {
        let plan = with_notes(world.plan("orders"), pass.told(Profiling::On, None), Vec::new()).unwrap();
        assert_eq!(plan.hash, hash(&plan).unwrap());
        explain(&plan).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let sample = told(Pass::Stopped(0.0625));
    assert!(sample.contains("about 8,000,000 rows, 763 MB of text by the first 6.2 % of them"), "{sample}");
    let whole = told(Pass::Short);
    assert!(whole.contains("8,000,000 rows, 763 MB of text profiled"), "{whole}");
}
