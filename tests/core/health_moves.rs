//! What is proposed: each move avoids overload by itself, pays for itself, and is held back by guard rails that say why.

use foreshard_core::health::{Auto, Circumstances, NodeAhead, Policy, ShardAhead, World, expected, obstacles, propose};
use foreshard_core::model::{Move, Proposal, Span};
use serde_json::json;

const GB: f64 = (1_u64 << 30) as f64;

fn shard(id: u32, node: &str, work: &[f64]) -> ShardAhead {
    ShardAhead {
        id,
        table: 1,
        name: format!("s{id}"),
        node: node.to_owned(),
        bytes: GB,
        work: work.to_vec(),
        splits: true,
        sibling: None,
        hot_value: None,
        hot: false,
        rests: false,
    }
}

fn world(shards: Vec<ShardAhead>) -> World {
    let node = |name: &str| NodeAhead {
        name: name.to_owned(),
        machine: name.to_owned(),
        capacity: 1.0,
        active: true,
        free_bytes: None,
    };
    World {
        shards,
        nodes: ["a", "b"].map(node).to_vec(),
        slot_seconds: 3_600.0,
        copied_per_second: 50e6,
        too_many: Vec::new(),
    }
}

fn action(world: &World) -> Option<Move> {
    propose(world, None, &[]).map(|p| p.action)
}

#[test]
fn the_busy_server_gives_a_shard_to_the_idle_one() {
    let world = world(vec![shard(1, "a", &[0.5; 24]), shard(2, "a", &[0.4; 24]), shard(3, "b", &[0.1; 24])]);
    let proposal = propose(&world, None, &[]).expect("a move");
    assert_eq!(proposal.action, Move::Move { shard: 1, from: "a".to_owned(), to: "b".to_owned() });
    assert!(proposal.gain > 2.0 * proposal.cost);
    assert_eq!(proposal.ahead, 0);
    // What it leads to has less overload, and asks for nothing more.
    let mut after = world.clone();
    after.shards[0].node = "b".to_owned();
    assert!(after.overload() < world.overload());
    assert_eq!(action(&after), None);
}

#[test]
fn nothing_is_moved_without_need_or_for_little() {
    let quiet = world(vec![shard(1, "a", &[0.3; 24]), shard(2, "a", &[0.3; 24])]);
    assert_eq!(action(&quiet), None, "skew alone hurts nobody");
    let mut large = world(vec![shard(1, "a", &[0.4, 0.0]), shard(2, "a", &[0.35, 0.0])]);
    assert!(action(&large).is_some());
    for shard in &mut large.shards {
        shard.bytes = 1_000.0 * GB;
    }
    assert_eq!(action(&large), None, "copying costs more than it avoids");
    let mut full = world(vec![shard(1, "a", &[0.5; 24]), shard(2, "a", &[0.5; 24])]);
    full.nodes[1].free_bytes = Some(GB);
    assert_eq!(action(&full), None, "there is no room");
    full.nodes[1].free_bytes = Some(2.0 * GB);
    assert!(action(&full).is_some());
    full.nodes[1].active = false;
    assert_eq!(action(&full), None, "it is being drained");
}

#[test]
fn a_move_is_not_undone_and_shards_rest() {
    let mut seen = world(vec![shard(1, "a", &[0.9; 24]), shard(2, "a", &[0.5; 24])]);
    let first = propose(&seen, None, &[]).expect("a move");
    let back = Move::Move { shard: first.action.shards()[0], from: "b".to_owned(), to: "a".to_owned() };
    let other = propose(&seen, None, &[back]).map(|p| p.action);
    assert_ne!(other.as_ref(), Some(&first.action));
    seen.shards.iter_mut().for_each(|s| s.rests = true);
    assert_eq!(action(&seen), None);
}

#[test]
fn a_hot_shard_is_split_and_a_hot_value_isolated() {
    let mut seen = world(vec![shard(1, "a", &[0.35; 24]), shard(2, "a", &[0.05; 24])]);
    assert_eq!(action(&seen), None);
    seen.shards[0].hot = true;
    assert_eq!(action(&seen), Some(Move::Split { shard: 1 }));
    seen.shards[0].hot_value = Some(("7".to_owned(), 0.5));
    let proposal = propose(&seen, None, &[]).expect("an isolation");
    assert_eq!(proposal.action, Move::Isolate { shard: 1, value: "7".to_owned() });
    assert!(
        proposal.because.starts_with("50 % of the load of shard s1 is one value's: splitting is useless"),
        "{}",
        proposal.because
    );
    seen.shards[0].hot_value = None;
    seen.shards[0].splits = false;
    assert_eq!(action(&seen), None, "a list is not cut in two");
}

#[test]
fn small_halves_are_merged_where_there_are_too_many() {
    let mut seen = world(vec![shard(1, "a", &[0.01; 4]), shard(2, "a", &[0.01; 4])]);
    for (one, other) in [(0, 2), (1, 1)] {
        seen.shards[one].sibling = Some(other);
        seen.shards[one].bytes = 1e6;
    }
    assert_eq!(action(&seen), None);
    seen.too_many = vec![1];
    assert_eq!(action(&seen), Some(Move::Merge { shards: [1, 2] }));
    let split = Move::Split { shard: 1 };
    assert_eq!(propose(&seen, None, &[split]), None, "it was split for a reason");
}

#[test]
fn a_peak_is_prepared_at_a_quiet_time_before_it() {
    let mut peak = [0.2; 24];
    peak[9] = 0.9;
    let seen = world(vec![shard(1, "a", &peak), shard(2, "a", &[0.3; 24])]);
    let proposal = propose(&seen, None, &[]).expect("a move before the peak");
    assert_eq!(proposal.ahead, 9);
    let policy = Policy::default();
    let mut how = Circumstances { quietest: Some((4, 0.2)), used_now: 0.5, ..Circumstances::default() };
    assert_eq!(obstacles(&policy, &proposal, &how, 3_600.0), ["in 240 minutes it will be quieter, and early enough"]);
    how.used_now = 0.2;
    assert!(obstacles(&policy, &proposal, &how, 3_600.0).is_empty());
}

#[test]
fn every_guard_rail_says_what_stands_in_the_way() {
    let proposal = Proposal {
        table: 1,
        action: Move::Split { shard: 1 },
        gain: 1_000.0,
        cost: 1.0,
        bytes: 10.0 * GB,
        ahead: 0,
        because: String::new(),
    };
    let policy = Policy {
        window: Some("22:00-06:00".to_owned()),
        moves_per_day: 2,
        bytes_per_day: 15 << 30,
        ..Policy::default()
    };
    let fine = Circumstances { second_of_day: 23 * 3_600, ..Circumstances::default() };
    let told = |how: &Circumstances| obstacles(&policy, &proposal, how, 3_600.0).join("; ");
    assert_eq!(told(&fine), "");
    assert_eq!(told(&Circumstances { second_of_day: 3_600, ..fine.clone() }), "", "after midnight");
    let cases = [
        (Circumstances { second_of_day: 12 * 3_600, ..fine.clone() }, "outside of the window 22:00-06:00"),
        (Circumstances { moves_today: 2, ..fine.clone() }, "the 2 moves a day are used up"),
        (Circumstances { bytes_today: 6.0 * GB, ..fine.clone() }, "16 GB would be more than the 15 GB a day"),
        (Circumstances { job: Some(7), ..fine.clone() }, "job 7 works on the table"),
        (Circumstances { disk: Some((15.0 * GB, 100.0 * GB)), ..fine.clone() }, "5 % of the disk free, less than 10 %"),
        (Circumstances { lag_seconds: Some(31.0), ..fine.clone() }, "copies are 31 s behind"),
        (Circumstances { oldest_transaction_seconds: 601.0, ..fine.clone() }, "a transaction is 601 s old"),
        (Circumstances { used: Some(0.95), ..fine }, "the server is at 95 %"),
    ];
    for (how, expected) in cases {
        assert!(told(&how).contains(expected), "{}: {expected}", told(&how));
    }
}

#[test]
fn a_policy_is_read_with_all_its_problems() {
    let policy = Policy::read(&json!({"auto_reshard": "advise", "window": "01:30-4:00", "cool_down": "2 hours"}))
        .expect("a policy");
    assert_eq!((policy.auto_reshard, policy.cool_down), (Auto::Advise, Span(7_200)));
    let wrong =
        Policy::read(&json!({"window": "night", "free_disk": 2.0, "horizon": "1 minute"})).expect_err("problems");
    assert_eq!(wrong.len(), 3);
    assert!(Policy::read(&json!({"auto": "on"})).is_err(), "unknown fields are refused");
    assert!(Auto::Off < Auto::Advise && Auto::Advise < Auto::On);
}

#[test]
fn what_is_expected_follows_the_history_or_goes_on_for_a_while() {
    let unknown = expected(&[], 0.4, 3_600, 4);
    assert_eq!((unknown.work, unknown.forecast), (vec![0.4, 0.0, 0.0, 0.0], false));
    // Ten days, busy at noon.
    let day = |hour: i64| if (11..14).contains(&hour.rem_euclid(24)) { 0.8 } else { 0.1 };
    let history: Vec<(i64, f64)> = (0..240).map(|hour| (hour * 3_600, day(hour))).collect();
    let ahead = expected(&history, 0.1, 3_600, 24);
    assert!(ahead.forecast);
    let noon = ahead.work[12];
    assert!(noon > 0.6 && ahead.work[3] < 0.2, "{:?}", ahead.work);
    let surprised = expected(&history, 0.5, 3_600, 24);
    assert!(surprised.work[0] > 0.4 && (surprised.work[12] - noon).abs() < 1e-9, "a surprise does not last a day");
}
