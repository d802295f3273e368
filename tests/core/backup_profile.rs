//! Statistics of known data.

use foreshard_core::backup::profile::{Profiler, ValueOrder};
use foreshard_core::model::profile::HeavyHitter;
use foreshard_core::model::{ColumnProfile, TableProfile};
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

/// The profile of one column.
fn column(order: ValueOrder, values: impl IntoIterator<Item = impl Into<Option<String>>>) -> ColumnProfile {
    let mut profiler = Profiler::new(&[("c".to_owned(), order)]);
    for value in values {
        let value: Option<String> = value.into();
        profiler.row([value.as_deref().map(str::as_bytes)]);
    }
    profiler.finish().columns.remove(0)
}

fn heavy(value: &str, count: u64) -> HeavyHitter {
    HeavyHitter { value: value.to_owned(), count }
}

/// A number that looks random and is not.
fn mixed(i: u64) -> u64 {
    xxh3_64(&i.to_le_bytes())
}

fn near(value: f64, expected: f64, tolerance: f64) -> bool {
    (value - expected).abs() <= tolerance
}

#[test]
fn an_empty_table_has_an_empty_profile() {
    let profile = Profiler::new(&[("a".to_owned(), ValueOrder::Integer)]).finish();
    assert_eq!(
        profile,
        TableProfile {
            rows: 0,
            text_bytes: 0,
            columns: vec![ColumnProfile {
                name: "a".to_owned(),
                distinct: 0,
                distinct_exact: true,
                nulls: 0,
                mean_width: 0.0,
                max_width: 0,
                heavy: vec![],
                monotonicity: 0.0,
                quantiles: vec![],
            }],
            pairs: Vec::new(),
        }
    );
}

#[test]
fn a_small_table_is_counted_exactly() {
    let mut profiler = Profiler::new(&[("id".to_owned(), ValueOrder::Integer), ("name".to_owned(), ValueOrder::None)]);
    for (id, name) in [("9", Some("b")), ("10", None), ("11", Some("a")), ("12", Some("b"))] {
        profiler.row([Some(id.as_bytes()), name.map(str::as_bytes)]);
    }
    let profile = profiler.finish();
    assert_eq!((profile.rows, profile.text_bytes), (4, "9\tb\n10\t\\N\n11\ta\n12\tb\n".len() as u64));
    let id = profile.column("id").unwrap();
    assert_eq!((id.distinct, id.distinct_exact, id.nulls, id.mean_width, id.max_width), (4, true, 0, 1.75, 2));
    assert_eq!(id.quantiles, ["9", "10", "11", "12"]);
    assert_eq!(id.monotonicity, 1.0);
    let name = profile.column("name").unwrap();
    assert_eq!((name.distinct, name.nulls, name.mean_width), (2, 1, 1.0));
    assert_eq!(name.heavy, [heavy("b", 2), heavy("a", 1)]);
    assert_eq!((name.monotonicity, name.quantiles.len()), (0.0, 0));
}

#[test]
fn a_serial_key_grows_and_is_unique() {
    let serial = column(ValueOrder::Integer, (1..=100_000).map(|i: u64| i.to_string()));
    assert!(near(serial.monotonicity, 1.0, 1e-12), "{}", serial.monotonicity);
    assert!(!serial.distinct_exact);
    assert!(near(serial.distinct as f64, 1e5, 3e3), "{}", serial.distinct);
    assert_eq!(serial.heavy, []);
    assert_eq!(serial.quantiles.len(), 129);
    let quantiles: Vec<f64> = serial.quantiles.iter().map(|q| q.parse().unwrap()).collect();
    assert!(quantiles.is_sorted());
    for (i, quantile) in quantiles.iter().enumerate() {
        // Four standard errors of a sample of 8,192.
        assert!(near(*quantile, i as f64 / 128.0 * 1e5, 2_300.0), "{i}: {quantile}");
    }
    let falling = column(ValueOrder::Integer, (1..=50_000).map(|i: i64| (-i).to_string()));
    assert!(near(falling.monotonicity, -1.0, 1e-12));
    let growing = column(ValueOrder::Decimal, (0..300).map(|i| format!("1{}.5", "0".repeat(i))));
    assert!(near(growing.monotonicity, 1.0, 1e-12), "growth need not be even: {}", growing.monotonicity);
}

#[test]
fn hashed_values_do_not_grow() {
    let hashed = column(ValueOrder::Text, (0..100_000).map(|i| format!("{:016x}", mixed(i))));
    // Four standard errors of a sample of 8,192.
    assert!(near(hashed.monotonicity, 0.0, 0.045), "{}", hashed.monotonicity);
    assert!(near(hashed.distinct as f64, 1e5, 3e3), "{}", hashed.distinct);
    assert_eq!(column(ValueOrder::Integer, (0..100).map(|_| "7".to_owned())).monotonicity, 0.0);
}

#[test]
fn few_values_are_counted_exactly_with_their_quantiles() {
    let values = |i: u64| if i.is_multiple_of(10) { None } else { Some((mixed(i) % 1024).to_string()) };
    let few = column(ValueOrder::Integer, (0..60_000).map(values));
    let mut counts = vec![0_u64; 1024];
    (0..60_000).filter_map(values).for_each(|v| counts[v.parse::<usize>().unwrap()] += 1);
    let mut expected: Vec<_> = counts.iter().enumerate().map(|(v, &count)| heavy(&v.to_string(), count)).collect();
    expected.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    assert_eq!((few.distinct, few.distinct_exact, few.nulls), (1024, true, 6_000));
    assert_eq!(few.heavy, expected);
    let sorted: Vec<String> =
        counts.iter().enumerate().flat_map(|(v, &count)| std::iter::repeat_n(v.to_string(), count as usize)).collect();
    let exact: Vec<String> = (0..=128).map(|i| sorted[i * (sorted.len() - 1) / 128].clone()).collect();
    assert_eq!(few.quantiles, exact);
}

#[test]
fn one_value_more_is_an_estimate() {
    let more = column(ValueOrder::None, (0..1025).map(|i: u64| i.to_string()));
    assert!(!more.distinct_exact);
    assert_eq!(more.distinct, 1025);
}

#[test]
fn hot_values_are_found_among_many() {
    // Every second row is the hottest value, every tenth the second; 80,000 others once each.
    let hot = column(
        ValueOrder::None,
        (0..200_000_u64).map(|i| match i % 10 {
            0 | 2 | 4 | 6 | 8 => "hottest".to_owned(),
            1 => "hot".to_owned(),
            _ => format!("cold {i}"),
        }),
    );
    let names: Vec<&str> = hot.heavy.iter().map(|h| h.value.as_str()).collect();
    assert_eq!(names, ["hottest", "hot"]);
    let slack = 200_000 / 1_792;
    assert!((100_000 - slack..=100_000).contains(&hot.heavy[0].count), "{:?}", hot.heavy);
    assert!((20_000 - slack..=20_000).contains(&hot.heavy[1].count), "{:?}", hot.heavy);
    assert!(near(hot.distinct as f64, 80_002.0, 2_400.0), "{}", hot.distinct);
}

#[test]
fn counts_stay_exact_while_no_counter_had_to_make_room() {
    let some = column(ValueOrder::None, (0..6_000_u64).map(|i| (i % 3_000).to_string()));
    assert_eq!(some.heavy.len(), ColumnProfile::HEAVY_LIMIT);
    assert!(some.heavy.iter().all(|h| h.count == 2));
    assert!(near(some.distinct as f64, 3_000.0, 90.0), "{}", some.distinct);
}

#[test]
fn wide_values_are_counted_but_not_kept() {
    let wide = |c: &str| c.repeat(1_000_000);
    let profile = column(ValueOrder::Text, [wide("x"), wide("y"), wide("x"), "a".repeat(256), "a".repeat(257)]);
    assert_eq!((profile.distinct, profile.max_width), (4, 1_000_000));
    assert_eq!(profile.heavy, [heavy(&"a".repeat(256), 1)]);
    assert_eq!(profile.quantiles, ["a".repeat(256)]);
}

#[test]
fn bytes_that_are_no_text_are_counted_but_not_shown() {
    let mut profiler = Profiler::new(&[("c".to_owned(), ValueOrder::Text)]);
    profiler.row([Some(&b"\xff\xfe"[..])]);
    profiler.row([Some(&b"a"[..])]);
    let profile = profiler.finish().columns.remove(0);
    assert_eq!((profile.distinct, profile.distinct_exact), (2, true));
    assert_eq!((profile.heavy, profile.quantiles), (vec![heavy("a", 1)], vec!["a".to_owned()]));
}

#[test]
fn a_column_mostly_null_is_sampled_from_its_values() {
    let sparse = column(ValueOrder::Integer, (0..200_000_u64).map(|i| i.is_multiple_of(100).then(|| i.to_string())));
    assert_eq!((sparse.nulls, sparse.quantiles.len()), (198_000, 129));
    assert!(near(sparse.monotonicity, 1.0, 1e-12));
    assert_eq!((sparse.quantiles[0].as_str(), sparse.quantiles[128].as_str()), ("0", "199900"));
}

/// The values in the order in which the profile puts them.
fn sorted(order: ValueOrder, values: &[&str]) -> Vec<String> {
    column(order, values.iter().map(|v| (*v).to_owned())).quantiles
}

#[test]
fn values_stand_in_their_types_order() {
    for (order, expected) in [
        (ValueOrder::Integer, &["-9223372036854775808", "-10", "-9", "0", "9", "10", "9223372036854775807"][..]),
        (
            ValueOrder::Decimal,
            &[
                "-Infinity",
                "-10",
                "-9.51",
                "-9.5",
                "-0.01",
                "0.00",
                "0.001",
                "0.01",
                "0.1",
                "9.5",
                "9.51",
                "10",
                "123456789012345678901234567890.1",
                "123456789012345678901234567890.2",
                "Infinity",
                "NaN",
            ],
        ),
        (ValueOrder::Float, &["-Infinity", "-1e+20", "-1.5", "0", "1e-05", "2", "10", "1e+20", "Infinity", "NaN"]),
        (
            ValueOrder::Date,
            &[
                "-infinity",
                "4713-01-01 BC",
                "0001-12-31 BC",
                "0001-01-01",
                "1999-12-31",
                "2000-02-29",
                "10000-01-01",
                "infinity",
            ],
        ),
        (
            ValueOrder::Timestamp,
            &[
                "-infinity",
                "0044-03-15 12:00:00 BC",
                "2024-03-31 01:59:59.999999+01",
                "2024-03-31 03:00:00+02",
                "2024-03-31 03:00:00.5+02",
                "2024-03-30 22:30:01-02:30",
                "2024-03-31 01:00:02",
                "infinity",
            ],
        ),
        (ValueOrder::Text, &["", "10", "9", "A", "a", "ab", "é"]),
    ] {
        let reversed: Vec<&str> = expected.iter().rev().copied().collect();
        assert_eq!(sorted(order, &reversed), expected, "{order:?}");
    }
}

#[test]
fn text_that_is_not_of_the_type_is_left_out_of_its_order() {
    assert_eq!(sorted(ValueOrder::Integer, &["1", "x", "", "1.5", "99999999999999999999"]), ["1"]);
    assert_eq!(sorted(ValueOrder::Decimal, &["1", ".", "-", "1e5", "0x1", ""]), ["1"]);
    assert_eq!(
        sorted(
            ValueOrder::Timestamp,
            &[
                "2024-01-01",
                "2024-13-01",
                "2024-01",
                "2024-01-01 xx",
                "01.02.2024",
                "",
                "-",
                "2024-01-01 10:00:00.1234567",
                "2024-01-01 +"
            ]
        ),
        ["2024-01-01"]
    );
}

#[test]
fn types_are_known_by_their_names() {
    use ValueOrder::*;
    for (type_name, order) in [
        ("bigint", Integer),
        ("numeric(12,2)", Decimal),
        ("numeric", Decimal),
        ("double precision", Float),
        ("date", Date),
        ("timestamp without time zone", Timestamp),
        ("timestamp(3) with time zone", Timestamp),
        ("time(3) without time zone", Text),
        ("time(3) with time zone", None),
        ("time with time zone", None),
        ("character varying(20)", Text),
        ("character(3)", Text),
        ("uuid", Text),
        ("integer[]", None),
        ("numeric(12,2)[]", None),
        ("interval", None),
        ("public.mood", None),
        ("jsonb", None),
        ("", None),
    ] {
        assert_eq!(ValueOrder::of_type(type_name), order, "{type_name}");
    }
}

#[test]
fn the_same_rows_give_the_same_profile() {
    let run = || column(ValueOrder::Integer, (0..50_000_u64).map(|i| (mixed(i) % 20_000).to_string()));
    assert_eq!(run(), run());
}

proptest! {
    #[test]
    fn any_bytes_are_profiled_without_panic(
        rows in prop::collection::vec(prop::option::of(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..12),
            "[-+0-9:. BCinfty]{0,14}".prop_map(String::into_bytes),
        ]), 0..40),
    ) {
        use ValueOrder::*;
        for order in [None, Integer, Decimal, Float, Date, Timestamp, Text] {
            let mut profiler = Profiler::new(&[("c".to_owned(), order)]);
            rows.iter().for_each(|value| profiler.row([value.as_deref()]));
            let profile = profiler.finish();
            let column = &profile.columns[0];
            prop_assert_eq!(profile.rows, rows.len() as u64);
            let mut distinct: Vec<_> = rows.iter().flatten().collect();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(column.distinct, distinct.len() as u64);
            prop_assert!((-1.0..=1.0).contains(&column.monotonicity));
        }
    }

    #[test]
    fn integers_and_decimals_sort_as_numbers(mut numbers in prop::collection::vec(any::<i64>(), 1..60)) {
        numbers.sort_unstable();
        let text: Vec<String> = numbers.iter().map(i64::to_string).collect();
        let reversed: Vec<&str> = text.iter().rev().map(String::as_str).collect();
        prop_assert_eq!(&sorted(ValueOrder::Integer, &reversed), &text);
        prop_assert_eq!(&sorted(ValueOrder::Decimal, &reversed), &text);
    }
}
