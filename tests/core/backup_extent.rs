//! How many rows are read for a profile, and why.

use foreshard_core::backup::profile::extent::{Pass, needed_by};
use foreshard_core::model::Config;
use foreshard_core::model::config::Profiling;
use foreshard_core::model::profile::ProfileKind;
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
    let needs = |config: serde_json::Value| needed_by(&Config::read(&config).unwrap()).is_some();
    assert!(needs(json!({"method": "range", "shard_key": ["day"]})));
    assert!(needs(json!({"method": "list", "shard_key": ["day"]})));
    assert!(needs(json!({"shard_key": ["id"], "within": {"shard_key": ["day"]}})));
    assert!(!needs(json!({"method": "hash", "shard_key": ["id"]})));
    assert!(!needs(json!({})));
}
