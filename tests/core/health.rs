//! What a watched load means: counters to loads, loads to conditions, conditions to verdicts.

use foreshard_core::forecast::Counts;
use foreshard_core::health::{
    Followers, Latch, Level, NodeLook, Patience, Position, ShardLook, StatementCounts, TableLook, TableState, judge,
    since, slot_of, thinning, work,
};
use foreshard_core::model::node::NodeCapacity;
use foreshard_core::model::{ShardCounters, Verdict};
use std::collections::BTreeMap;

pub fn shard(id: u32, work: f64) -> ShardLook {
    ShardLook {
        id,
        name: format!("s{id}"),
        node: "a".to_owned(),
        work,
        events: work * 100_000.0,
        bytes: Some(1e6),
        newest: false,
        hottest_value: None,
        single_value: false,
    }
}

pub fn node(name: &str, work: f64) -> NodeLook {
    NodeLook {
        name: name.to_owned(),
        machine: name.to_owned(),
        capacity: 1.0,
        calibrated: true,
        active: true,
        free_bytes: None,
        disk_bytes: None,
        lag_seconds: None,
        work,
    }
}

fn look(time: i64, works: &[f64]) -> TableLook {
    TableLook {
        time,
        seconds: 10.0,
        shards: works.iter().zip(1..).map(|(work, id)| shard(id, *work)).collect(),
        nodes: vec![node("a", works.iter().sum())],
        expected_use: None,
    }
}

fn verdict(look: &TableLook, state: &mut TableState) -> Verdict {
    let found = state.look(look);
    judge(look, &found, look.time, None).verdict
}

#[test]
fn counters_that_fall_are_never_a_negative_load() {
    let counters =
        |inserted: f64, index_scans: f64| ShardCounters { inserted, index_scans, ..ShardCounters::default() };
    assert_eq!(since(&counters(10.0, 5.0), &counters(14.0, 9.0)), counters(4.0, 4.0));
    // A reset: counted from zero.
    assert_eq!(since(&counters(10.0, 5.0), &counters(3.0, 1.0)), counters(3.0, 1.0));
    // An index was dropped: its scans are gone from the sum, and nothing was read.
    assert_eq!(since(&counters(10.0, 500.0), &counters(12.0, 20.0)), counters(2.0, 0.0));
    // What is no number is nothing.
    assert_eq!(since(&counters(f64::NAN, 0.0), &counters(1.0, f64::INFINITY)), counters(1.0, 0.0));
}

#[test]
fn statements_that_were_evicted_or_reset_count_from_zero() {
    let counts = |calls: f64| Counts { calls, total_milliseconds: calls * 2.0, ..Counts::default() };
    let grown = |looked: Option<Vec<(&'static str, Counts)>>| {
        looked.map(|found| found.into_iter().map(|(key, counts)| (key, counts.calls)).collect::<Vec<_>>())
    };
    let mut statements = StatementCounts::default();
    assert_eq!(grown(statements.look([("a", counts(100.0)), ("b", counts(7.0))])), None, "the first look says nothing");
    assert_eq!(grown(statements.look([("a", counts(103.0)), ("b", counts(7.0))])), Some(vec![("a", 3.0)]));
    // Reset, and a new one.
    assert_eq!(grown(statements.look([("a", counts(2.0)), ("c", counts(5.0))])), Some(vec![("a", 2.0), ("c", 5.0)]));
    // Evicted, and back with more calls than it had before: it has counted from zero since.
    assert_eq!(grown(statements.look([("c", counts(5.0))])), Some(vec![]));
    assert_eq!(grown(statements.look([("a", counts(9.0)), ("c", counts(5.0))])), Some(vec![("a", 9.0)]));
}

#[test]
fn work_is_the_share_of_what_a_node_bears() {
    let bears =
        NodeCapacity { reads_per_second: Some(1_000.0), writes_per_second: Some(100.0), ..NodeCapacity::default() };
    let counters = ShardCounters { index_scans: 500.0, inserted: 20.0, ..ShardCounters::default() };
    assert!((work(&counters, &bears) - 0.7).abs() < 1e-9);
    // A scan of a large shard is many look-ups.
    let scan = ShardCounters { seq_scans: 1.0, blocks_read: 4_000.0, ..ShardCounters::default() };
    assert!((work(&scan, &bears) - 1.0).abs() < 1e-9);
    let unknown = NodeCapacity { reads_per_second: Some(0.0), ..NodeCapacity::default() };
    assert!(work(&counters, &unknown).is_finite());
}

#[test]
fn a_latch_waits_and_holds() {
    let patience = Patience { start: 2, stop: 60 };
    let mut latch = Latch::default();
    assert!(!latch.look(0, Level::Above, patience), "a single look is a burst");
    assert!(latch.is_suspected());
    assert!(!latch.look(1, Level::Above, patience), "too soon");
    assert!(latch.look(2, Level::Above, patience));
    assert_eq!(latch.on(), Some(0), "since it was first seen");
    assert!(latch.look(10, Level::Between, patience), "between the thresholds nothing changes");
    assert!(latch.look(20, Level::Below, patience));
    assert!(latch.look(70, Level::Above, patience), "gone for a while only");
    assert!(latch.look(80, Level::Below, patience));
    assert!(latch.look(139, Level::Below, patience));
    assert!(!latch.look(140, Level::Below, patience));
    let mut burst = Latch::default();
    for time in [0, 20, 40, 60] {
        assert!(!burst.look(time, Level::Above, patience));
        assert!(!burst.look(time + 10, Level::Below, patience), "bursts do not add up");
    }
}

#[test]
fn a_hot_shard_is_told_and_forgotten_again() {
    let mut state = TableState::default();
    let (even, hot) = ([0.1, 0.1, 0.1, 0.1], [0.06, 0.06, 0.06, 0.27]);
    assert_eq!(verdict(&look(0, &even), &mut state), Verdict::Healthy);
    assert_eq!(verdict(&look(10, &hot), &mut state), Verdict::Healthy, "one look is no verdict");
    let seen = look(20, &hot);
    let found = state.look(&seen);
    let opinion = judge(&seen, &found, 0, None);
    assert_eq!((opinion.verdict, opinion.since, opinion.shards), (Verdict::HotShard, 10, vec![4]));
    assert_eq!(opinion.because, "Shard s4 has 60 % of the load; a fair share of 4 shards would be 25 %.");
    // Not quite as hot: it still is.
    assert_eq!(verdict(&look(30, &[0.08, 0.08, 0.08, 0.2]), &mut state), Verdict::HotShard);
    assert_eq!(verdict(&look(40, &even), &mut state), Verdict::HotShard, "not gone for long");
    assert_eq!(verdict(&look(100, &even), &mut state), Verdict::Healthy);
}

#[test]
fn nothing_is_hot_where_nothing_happens_or_by_chance() {
    let mut state = TableState::default();
    for time in 0..20 {
        assert_eq!(
            verdict(&look(time * 10, &[0.0, 0.0, 0.0, 0.02]), &mut state),
            Verdict::Healthy,
            "nobody waits for that"
        );
    }
    // Five reads, four of them on one shard.
    let mut few = look(0, &[0.02, 0.0, 0.0, 0.08]);
    for (shard, events) in few.shards.iter_mut().zip([1.0, 0.0, 0.0, 4.0]) {
        shard.events = events;
    }
    for time in 0..20 {
        few.time = time * 10;
        assert_eq!(verdict(&few, &mut state), Verdict::Healthy, "chance");
    }
}

#[test]
fn the_beginning_of_something_hot_is_looked_at_again_soon() {
    let mut state = TableState::default();
    for time in 0..6 {
        assert!(!state.look(&look(time * 10, &[0.1; 20])).suspicion);
    }
    let mut partly = [0.1; 20];
    // It is four times as busy since three seconds ago.
    partly[7] = 0.19;
    assert!(state.look(&look(60, &partly)).suspicion);
}

#[test]
fn the_newest_part_of_an_increasing_key_is_meant_to_be_busy() {
    let mut state = TableState::default();
    let mut newest = look(0, &[0.01, 0.01, 0.01, 0.4]);
    newest.shards[3].newest = true;
    for time in 0..200 {
        newest.time = time * 10;
        assert_eq!(verdict(&newest, &mut state), Verdict::Healthy);
    }
    newest.shards[3].work = 0.9;
    newest.time += 10;
    verdict(&newest, &mut state);
    newest.time += 10;
    assert_eq!(verdict(&newest, &mut state), Verdict::HotShard, "more than a node bears");
}

#[test]
fn a_hot_value_makes_splitting_useless() {
    let mut state = TableState::default();
    let mut hot = look(0, &[0.05, 0.05, 0.05, 0.35]);
    hot.shards[3].hottest_value = Some(("7".to_owned(), 0.9));
    let mut opinion = None;
    for time in [0, 10, 20, 30] {
        hot.time = time;
        let found = state.look(&hot);
        opinion = Some(judge(&hot, &found, 0, None));
    }
    let opinion = opinion.expect("looked");
    assert_eq!(opinion.verdict, Verdict::HotValue);
    assert!(
        opinion.because.contains("90 % of that is one value of the key: splitting is useless"),
        "{}",
        opinion.because
    );
    assert!(!opinion.because.contains("\"7\""), "values are not for everybody's eyes");
}

#[test]
fn skew_takes_minutes() {
    let mut state = TableState::default();
    // Twice the mean, but not three times the median: not hot.
    let works = [0.2, 0.06, 0.08, 0.09, 0.09, 0.09, 0.09, 0.09];
    let at = |minutes: i64| look(minutes * 60, &works);
    for minute in 0..10 {
        assert_eq!(verdict(&at(minute), &mut state), Verdict::Healthy);
    }
    assert_eq!(verdict(&at(10), &mut state), Verdict::Skewed);
}

#[test]
fn disks_copies_and_counts() {
    let mut state = TableState::default();
    let mut seen = look(0, &[0.1, 0.1]);
    seen.nodes[0].free_bytes = Some(8e9);
    seen.nodes[0].disk_bytes = Some(100e9);
    verdict(&seen, &mut state);
    seen.time = 10;
    assert_eq!(verdict(&seen, &mut state), Verdict::Healthy, "there is room for thousands of times as much");
    for shard in &mut seen.shards {
        shard.bytes = Some(8e9);
    }
    seen.time = 20;
    verdict(&seen, &mut state);
    seen.time = 30;
    assert_eq!(verdict(&seen, &mut state), Verdict::Full);
    seen.nodes[0].free_bytes = Some(12e9);
    seen.time = 200;
    assert_eq!(verdict(&seen, &mut state), Verdict::Full, "between the thresholds");
    seen.nodes[0].free_bytes = Some(20e9);
    for time in [210, 280] {
        seen.time = time;
        verdict(&seen, &mut state);
    }
    seen.time = 290;
    assert_eq!(verdict(&seen, &mut state), Verdict::Healthy);
    seen.nodes[0].lag_seconds = Some(40.0);
    for time in [300, 310] {
        seen.time = time;
        verdict(&seen, &mut state);
    }
    seen.time = 320;
    assert_eq!(verdict(&seen, &mut state), Verdict::Lagging);
    let mut many = TableState::default();
    for hour in 0..6 {
        assert_eq!(verdict(&look(hour * 3_600, &[0.001; 64]), &mut many), Verdict::Healthy, "for hours only");
    }
    assert_eq!(verdict(&look(6 * 3_600, &[0.001; 64]), &mut many), Verdict::OverSharded);
}

#[test]
fn even_load_on_too_few_nodes_is_told_where_there_is_another() {
    let mut state = TableState::default();
    let mut seen = look(0, &[0.4, 0.4]);
    let mut alone = TableState::default();
    for minute in 0..7 {
        seen.time = minute * 60;
        assert_eq!(verdict(&seen, &mut alone), Verdict::Healthy, "there is nowhere to go");
    }
    seen.nodes.push(node("b", 0.0));
    for minute in 0..7 {
        seen.time = minute * 60;
        let found = verdict(&seen, &mut state);
        assert_eq!(found, if minute < 5 { Verdict::Healthy } else { Verdict::UnderSharded });
    }
    let mut growing = TableState::default();
    let mut seen = look(0, &[0.1, 0.1]);
    seen.expected_use = Some(0.9);
    for minute in 0..7 {
        seen.time = minute * 60;
        let found = verdict(&seen, &mut growing);
        assert_eq!(found, if minute < 5 { Verdict::Healthy } else { Verdict::Growing });
    }
}

#[test]
fn history_has_a_bounded_size() {
    assert_eq!(slot_of(1_000_003, 10), (999_960, 60));
    assert_eq!(slot_of(1_000_003, 300), (999_900, 300));
    let now = 100 * 86_400 + 1_234;
    let thin = thinning(now, 28 * 86_400);
    assert_eq!(thin.into, 3_600);
    assert_eq!(thin.merge_before % 3_600, 0, "an hour that was merged is never added to");
    assert!(now - thin.merge_before >= 6 * 3_600 && now - thin.merge_before < 7 * 3_600);
    assert!(now - thin.drop_before >= 28 * 86_400);
    let short = thinning(now, 60);
    assert!(short.merge_before <= now && short.drop_before <= now - 3_600 + 3_600);
}

#[test]
fn copies_are_behind_by_what_they_have_not_confirmed() {
    let mut followers = Followers::default();
    let at = |written, confirmed| BTreeMap::from([("a".to_owned(), Position { written, confirmed })]);
    assert_eq!(followers.look(0.0, &BTreeMap::new()), None, "nothing follows");
    assert_eq!(followers.look(10.0, &at(100, 100)), Some(0.0));
    assert_eq!(followers.look(20.0, &at(300, 100)), Some(0.0), "written since the look before");
    assert_eq!(followers.look(30.0, &at(500, 200)), Some(10.0), "not yet what was written at 20");
    assert_eq!(followers.look(40.0, &at(700, 300)), Some(10.0), "that, but not what was written at 30");
    assert_eq!(followers.look(60.0, &at(700, 300)), Some(30.0), "nothing is written, and it says nothing");
    assert_eq!(followers.look(70.0, &at(700, 700)), Some(0.0));
    // The last of several counts, and one that is gone is not waited for.
    let both = BTreeMap::from([
        ("a".to_owned(), Position { written: 900, confirmed: 900 }),
        ("b".to_owned(), Position { written: 900, confirmed: 0 }),
    ]);
    followers.look(80.0, &both);
    assert_eq!(followers.look(90.0, &both), Some(10.0));
    assert_eq!(followers.look(100.0, &at(900, 900)), Some(0.0));
    // For a very long time: to the second no more, and bounded.
    for look in 0..10_000_u32 {
        followers.look(100.0 + f64::from(look), &at(1_000 + u64::from(look), 900));
    }
    assert_eq!(followers.look(10_100.0, &at(20_000, 900)), Some(10_000.0));
}

#[test]
fn only_copies_of_its_own_shards_make_a_table_lag() {
    let mut state = TableState::default();
    let mut seen = look(0, &[0.1, 0.1]);
    seen.nodes.push(NodeLook { lag_seconds: Some(100.0), ..node("elsewhere", 0.0) });
    for time in [0, 10, 20] {
        seen.time = time;
        assert_eq!(verdict(&seen, &mut state), Verdict::Healthy);
    }
}
