//! Values cut into ranges and lists.

use foreshard_core::key::split::{Even, list, listable, pieces, range, skew};
use foreshard_core::model::profile::HeavyHitter;
use foreshard_core::model::{Bound, ColumnProfile, Method};
use proptest::prelude::*;

fn column(values: &[(String, u64)]) -> ColumnProfile {
    let mut heavy: Vec<HeavyHitter> =
        values.iter().map(|(value, count)| HeavyHitter { value: value.clone(), count: *count }).collect();
    heavy.sort_by(|a, b| b.count.cmp(&a.count).then(a.value.cmp(&b.value)));
    ColumnProfile {
        name: "k".to_owned(),
        distinct: values.len() as u64,
        distinct_exact: true,
        nulls: 0,
        mean_width: 4.0,
        max_width: 9,
        heavy,
        monotonicity: 0.0,
        quantiles: Vec::new(),
    }
}

fn numbered(counts: &[u64]) -> ColumnProfile {
    column(&counts.iter().enumerate().map(|(i, n)| ((i as i64 * 7 - 20).to_string(), *n)).collect::<Vec<_>>())
}

fn starts(pieces: &[(Bound, f64)]) -> Vec<i64> {
    let from = |p: &(Bound, f64)| match &p.0 {
        Bound::Range { from: Some(texts), .. } => texts[0].parse().ok(),
        _ => None,
    };
    pieces.iter().filter_map(from).collect()
}

#[test]
fn numbers_are_cut_in_the_order_of_numbers() {
    let found = range(&numbered(&[10; 12]), "integer", 4, Even::Rows).unwrap();
    // -20 -13 -6 | 1 8 15 | 22 29 36 | 43 50 57
    assert_eq!(starts(&found), [1, 22, 43]);
    assert!((skew(&found) - 1.0).abs() < 1e-9);
}

#[test]
fn a_value_with_half_of_the_rows_gets_a_range_of_its_own() {
    let found = range(&numbered(&[10, 100, 10, 10, 10, 60]), "bigint", 3, Even::Rows).unwrap();
    assert_eq!(found.len(), 3);
    assert!((found.iter().map(|p| p.1).fold(0.0, f64::max) - 0.55).abs() < 1e-9, "{found:?}");
}

#[test]
fn quantiles_that_repeat_are_one_cut() {
    let mut one = numbered(&[1]);
    one.distinct_exact = false;
    one.quantiles = ["a", "b", "b", "b", "c", "d"].map(str::to_owned).to_vec();
    assert_eq!(pieces(Method::Range, &one, "text"), Some(3));
    let found = range(&one, "text", 3, Even::Rows).unwrap();
    assert_eq!(found.iter().map(|p| (p.1 * 10.0).round()).collect::<Vec<_>>(), [2.0, 6.0, 2.0]);
    assert_eq!(range(&one, "text", 4, Even::Rows), None);
}

#[test]
fn texts_without_a_known_order_and_odd_dates_are_not_cut() {
    let words = column(&[("x".to_owned(), 1), ("y".to_owned(), 1)]);
    assert_eq!(pieces(Method::Range, &words, "text"), None);
    let dates = column(&[("2020-01-01".to_owned(), 1), ("infinity".to_owned(), 1)]);
    assert_eq!(pieces(Method::Range, &dates, "date"), None);
    let sane = column(&[("2020-01-01".to_owned(), 1), ("2019-01-01".to_owned(), 1)]);
    assert_eq!(pieces(Method::Range, &sane, "date"), Some(2));
}

#[test]
fn an_empty_table_cannot_be_cut() {
    let empty = column(&[]);
    assert_eq!(pieces(Method::Range, &empty, "integer"), None);
    assert_eq!(range(&empty, "integer", 2, Even::Rows), None);
    assert_eq!(list(&empty, 0, 2, Even::Rows), None);
}

#[test]
fn a_list_packs_the_largest_first_and_keeps_a_shard_for_the_rest() {
    let values = column(&[("a".into(), 50), ("b".into(), 30), ("c".into(), 20)]);
    assert!(listable(&values));
    let found = list(&values, 100, 3, Even::Rows).unwrap();
    let values_of = |texts: &[&str]| Bound::List { values: texts.iter().map(|t| Some((*t).to_owned())).collect() };
    assert_eq!(found, [(values_of(&["a"]), 0.5), (values_of(&["b", "c"]), 0.5), (Bound::Default, 0.0)]);
    assert_eq!(skew(&found), 1.0);
}

proptest! {
    #[test]
    fn ranges_are_complete_ascending_and_as_many_as_asked(
        counts in prop::collection::vec(1..1000u64, 2..80),
        wanted in 2..20u32,
    ) {
        let column = numbered(&counts);
        match range(&column, "integer", wanted, Even::Rows) {
            None => prop_assert!(wanted as usize > counts.len()),
            Some(found) => {
                prop_assert_eq!(found.len(), wanted as usize);
                let starts = starts(&found);
                prop_assert_eq!(starts.len(), wanted as usize - 1);
                prop_assert!(starts.windows(2).all(|p| p[0] < p[1]));
                prop_assert!((found.iter().map(|p| p.1).sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(found.iter().all(|p| p.1 > 0.0));
            }
        }
    }

    #[test]
    fn a_list_holds_every_value_once(counts in prop::collection::vec(1..1000u64, 1..60), wanted in 2..20u32) {
        let total: u64 = counts.iter().sum();
        match list(&numbered(&counts), total, wanted, Even::Rows) {
            None => prop_assert!(wanted as usize - 1 > counts.len()),
            Some(found) => {
                let mut all: Vec<String> = Vec::new();
                for piece in &found {
                    if let Bound::List { values } = &piece.0 {
                        prop_assert!(!values.is_empty());
                        all.extend(values.iter().flatten().cloned());
                    }
                }
                let held = all.len();
                all.sort();
                all.dedup();
                prop_assert_eq!((held, all.len()), (counts.len(), counts.len()));
                prop_assert!((found.iter().map(|p| p.1).sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}
