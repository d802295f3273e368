//! The steps of a change of shape, and which bounds take the place of which.

use foreshard_core::model::{Bound, Problem};
use foreshard_core::steps::{Piece, STEPS, Step, isolate, merge, split_hash, split_list, split_range};

fn hash(modulus: u32, remainder: u32) -> Bound {
    Bound::Hash { modulus, remainder }
}

fn range(from: Option<&str>, to: Option<&str>) -> Bound {
    let side = |value: Option<&str>| value.map(|v| vec![v.to_owned()]);
    Bound::Range { from: side(from), to: side(to) }
}

fn values(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|t| Some((*t).to_owned())).collect()
}

fn list(texts: &[&str]) -> Bound {
    Bound::List { values: values(texts) }
}

fn bounds(pieces: Result<Vec<Piece>, Problem>) -> Result<Vec<Bound>, String> {
    pieces.map(|all| all.into_iter().map(|p| p.bound).collect()).map_err(|p| p.sqlstate)
}

#[test]
fn steps_follow_each_other() {
    let mut step = Step::Create;
    let mut walked = vec![step];
    while let Some(next) = step.next() {
        walked.push(next);
        step = next;
    }
    assert_eq!(walked, STEPS.map(|d| d.step));
    for described in STEPS {
        assert_eq!(Step::of(described.name), Some(described.step));
    }
    assert_eq!(Step::of("done"), None);
}

#[test]
fn what_was_made_is_undone_last_first() {
    assert_eq!(Step::Create.undo().count(), 0);
    assert_eq!(Step::Capture.undo().map(|d| d.step).collect::<Vec<_>>(), [Step::Create]);
    assert_eq!(Step::Switch.undo().map(|d| d.step).collect::<Vec<_>>(), [Step::Capture, Step::Create]);
    assert!(Step::Switch.can_be_undone() && !Step::Drop.can_be_undone());
}

#[test]
fn a_hash_shard_is_split_by_powers_of_two() {
    assert_eq!(bounds(split_hash(3, 1, 2)), Ok(vec![hash(6, 1), hash(6, 4)]));
    assert_eq!(bounds(split_hash(2, 0, 4)), Ok(vec![hash(8, 0), hash(8, 2), hash(8, 4), hash(8, 6)]));
    for parts in [0, 1, 3, 6, 128] {
        assert_eq!(bounds(split_hash(2, 0, parts)), Err("22023".to_owned()), "{parts}");
    }
    assert_eq!(bounds(split_hash(1 << 30, 0, 2)), Err("54000".to_owned()));
}

#[test]
fn what_was_split_can_be_merged() {
    for (modulus, remainder, parts) in [(1, 0, 2), (3, 2, 4), (16, 5, 64)] {
        let split = bounds(split_hash(modulus, remainder, parts)).unwrap_or_default();
        let backwards: Vec<Bound> = split.iter().rev().cloned().collect();
        assert_eq!(merge(&backwards).map(|p| p.bound), Ok(hash(modulus, remainder)));
    }
    let split = bounds(split_range(None, None, &[vec!["5".to_owned()], vec!["9".to_owned()]])).unwrap_or_default();
    assert_eq!(split, [range(None, Some("5")), range(Some("5"), Some("9")), range(Some("9"), None)]);
    assert_eq!(merge(&split).map(|p| p.bound), Ok(range(None, None)));
    let split = bounds(split_list(&values(&["a", "b", "c"]), &values(&["b"]))).unwrap_or_default();
    assert_eq!(split, [list(&["a", "c"]), list(&["b"])]);
    assert_eq!(merge(&split).map(|p| p.bound), Ok(list(&["a", "c", "b"])));
}

#[test]
fn what_does_not_fit_is_not_merged() {
    let unfit = [
        vec![],
        vec![hash(2, 0)],
        vec![hash(4, 0), hash(4, 1)],
        vec![hash(4, 0), hash(8, 4)],
        vec![hash(6, 0), hash(6, 2), hash(6, 4)],
        vec![hash(2, 0), range(None, None)],
        vec![range(None, Some("5")), range(Some("6"), None)],
        vec![range(Some("5"), None), range(None, Some("5"))],
        vec![list(&["a"]), Bound::Default],
        vec![Bound::Default, list(&["a"])],
    ];
    for bounds in unfit {
        assert_eq!(merge(&bounds).map_err(|p| p.sqlstate), Err("22023".to_owned()), "{bounds:?}");
    }
}

#[test]
fn one_value_gets_a_shard() {
    let of_hash = isolate(&hash(4, 1), "7", None).unwrap_or_default();
    let expected = [Some(list(&["7"])), Some(Bound::Default)];
    assert_eq!(of_hash.iter().map(|p| p.within.clone()).collect::<Vec<_>>(), expected);
    assert!(of_hash.iter().all(|p| p.bound == hash(4, 1)));
    let of_range = bounds(isolate(&range(Some("5"), None), "7", Some("8")));
    assert_eq!(of_range, Ok(vec![range(Some("5"), Some("7")), range(Some("7"), Some("8")), range(Some("8"), None)]));
    let at_the_end = bounds(isolate(&range(Some("7"), Some("9")), "7", Some("8")));
    assert_eq!(at_the_end, Ok(vec![range(Some("7"), Some("8")), range(Some("8"), Some("9"))]));
    assert_eq!(bounds(isolate(&range(Some("7"), Some("8")), "7", Some("8"))), Err("22023".to_owned()));
    assert_eq!(bounds(isolate(&range(None, None), "x", None)), Err("0A000".to_owned()));
    assert_eq!(bounds(isolate(&list(&["a"]), "a", None)), Err("22023".to_owned()));
    assert_eq!(bounds(isolate(&Bound::Default, "a", None)), Err("22023".to_owned()));
}
