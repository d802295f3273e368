//! The router's decisions beside the hash itself: splits, bounds, lists, defaults, and when it leaves a row to the server.

use foreshard_core::model::plan::{Bound, Layout, Method, Shard};
use foreshard_core::route::{HashType, Router, hash_value, remainder, row_hash, shares};
use proptest::prelude::*;

fn layout(method: Method, key: &[&str], bounds: Vec<Bound>) -> Layout {
    let shard = |(ordinal, bound)| Shard::new(ordinal, bound, "here");
    Layout {
        method,
        key: key.iter().map(|k| (*k).to_owned()).collect(),
        within: None,
        shards: (0..).zip(bounds).map(shard).collect(),
    }
}

fn hash(modulus: u32, remainder: u32) -> Bound {
    Bound::Hash { modulus, remainder }
}

fn range(from: Option<&[&str]>, to: Option<&[&str]>) -> Bound {
    let texts = |bound: &[&str]| bound.iter().map(|t| (*t).to_owned()).collect();
    Bound::Range { from: from.map(texts), to: to.map(texts) }
}

fn list(values: &[Option<&str>]) -> Bound {
    Bound::List { values: values.iter().map(|v| v.map(str::to_owned)).collect() }
}

fn key<'a>(texts: &[Option<&'a str>]) -> Vec<Option<&'a [u8]>> {
    texts.iter().map(|t| t.map(str::as_bytes)).collect()
}

#[test]
fn type_names_are_those_of_format_type() {
    let understood = [
        ("bigint", HashType::BigInt),
        ("character varying(20)", HashType::Text { limit: Some(20) }),
        ("character varying", HashType::Text { limit: None }),
        ("character(1)", HashType::Bpchar),
        ("bpchar", HashType::Bpchar),
        ("\"char\"", HashType::Char),
        ("numeric(10,2)", HashType::Numeric { scale: Some(2) }),
        ("numeric(3,-2)", HashType::Numeric { scale: Some(-2) }),
        ("numeric", HashType::Numeric { scale: None }),
        ("timestamp(3) without time zone", HashType::Timestamp { precision: 3 }),
        ("timestamp with time zone", HashType::TimestampTz { precision: 6 }),
    ];
    for (name, hash_type) in understood {
        assert_eq!(HashType::of_type(name), Some(hash_type), "{name}");
    }
    for name in
        ["public.mood", "integer[]", "numeric(10,2)[]", "jsonb", "text(3)", "timestamp(7) with time zone", "char", ""]
    {
        assert_eq!(HashType::of_type(name), None, "{name}");
    }
}

#[test]
fn nulls_and_their_place_are_part_of_a_row_hash() {
    let int = HashType::Integer;
    assert_eq!(row_hash([(int, None), (int, None)]), Some(0));
    assert_eq!(row_hash([(int, None), (int, Some(&b"7"[..]))]), row_hash([(int, Some(&b"7"[..]))]));
    assert_ne!(
        row_hash([(int, Some(&b"1"[..])), (int, Some(&b"2"[..]))]),
        row_hash([(int, Some(&b"2"[..])), (int, Some(&b"1"[..]))])
    );
    assert_eq!(row_hash([(int, Some(&b"7"[..])), (int, Some(&b"seven"[..]))]), None);
    assert_eq!(remainder(5, 0), None);
}

#[test]
fn a_hash_router_needs_the_whole_key() {
    let router = Router::new(&layout(Method::Hash, &["a", "b"], vec![hash(1, 0)]), &["integer", "text"]).unwrap();
    assert_eq!(router.shard_of(&key(&[Some("1"), None])), Some(0));
    assert_eq!(router.shard_of(&key(&[Some("1")])), None);
    assert_eq!(router.shard_of(&key(&[Some("one"), None])), None);
}

#[test]
fn a_remainder_that_no_shard_has_is_left_to_the_server() {
    let router = Router::new(&layout(Method::Hash, &["a"], vec![hash(2, 1)]), &["integer"]).unwrap();
    // A NULL key hashes to 0.
    assert_eq!(router.shard_of(&[None]), None);
}

#[test]
fn a_range_takes_its_lower_bound_and_leaves_its_upper() {
    let bounds = vec![
        range(Some(&["2024-07-01"]), None),
        Bound::Default,
        range(Some(&["2023-01-01"]), Some(&["2024-01-01"])),
        range(Some(&["2024-01-01"]), Some(&["2024-05-01"])),
    ];
    let router = Router::new(&layout(Method::Range, &["day"], bounds), &["date"]).unwrap();
    let shard = |day| router.shard_of(&key(&[day]));
    assert_eq!(shard(Some("2022-12-31")), Some(1));
    assert_eq!(shard(Some("2023-01-01")), Some(2));
    assert_eq!(shard(Some("2023-12-31")), Some(2));
    assert_eq!(shard(Some("2024-01-01")), Some(3));
    assert_eq!(shard(Some("2024-05-01")), Some(1));
    assert_eq!(shard(Some("infinity")), Some(0));
    assert_eq!(shard(None), Some(1));
    // 31 June is no date; the server has the right error.
    assert_eq!(shard(Some("2024-06-31")), None);
}

#[test]
fn a_row_outside_every_range_is_left_to_the_server() {
    let bounds = vec![range(None, Some(&["0"])), range(Some(&["10"]), Some(&["20"]))];
    let router = Router::new(&layout(Method::Range, &["a"], bounds), &["numeric"]).unwrap();
    let shard = |a| router.shard_of(&key(&[a]));
    assert_eq!(shard(Some("-0.0001")), Some(0));
    assert_eq!(shard(Some("-0.0")), None);
    assert_eq!(shard(Some("10.00")), Some(1));
    assert_eq!(shard(Some("2e1")), None);
    assert_eq!(shard(None), None);
}

#[test]
fn range_keys_compare_column_by_column() {
    let bounds = vec![
        range(None, Some(&["1", "9"])),
        range(Some(&["1", "9"]), Some(&["2", "-3"])),
        range(Some(&["2", "-3"]), None),
    ];
    let router = Router::new(&layout(Method::Range, &["a", "b"], bounds), &["integer", "bigint"]).unwrap();
    let shard = |a, b| router.shard_of(&key(&[Some(a), Some(b)]));
    assert_eq!(shard("1", "8"), Some(0));
    assert_eq!(shard("1", "10"), Some(1));
    assert_eq!(shard("2", "-4"), Some(1));
    assert_eq!(shard("2", "-3"), Some(2));
    assert_eq!(router.shard_of(&key(&[Some("1"), None])), None);
}

#[test]
fn a_list_compares_values_not_texts() {
    let bounds = vec![list(&[Some("1"), Some("2.50")]), list(&[None, Some("3")]), Bound::Default];
    let router = Router::new(&layout(Method::List, &["a"], bounds), &["numeric"]).unwrap();
    let shard = |a| router.shard_of(&key(&[a]));
    assert_eq!(shard(Some("1.000")), Some(0));
    assert_eq!(shard(Some("2.5")), Some(0));
    assert_eq!(shard(Some("3")), Some(1));
    assert_eq!(shard(None), Some(1));
    assert_eq!(shard(Some("4")), Some(2));
    assert_eq!(shard(Some("four")), None);
}

#[test]
fn a_list_of_texts_is_routed_without_a_collation() {
    let layout = layout(Method::List, &["a"], vec![list(&[Some("de")]), list(&[Some("fr"), Some("")])]);
    let text = Router::new(&layout, &["text"]).unwrap();
    assert_eq!(text.shard_of(&key(&[Some("")])), Some(1));
    assert_eq!(text.shard_of(&key(&[Some("de ")])), None);
    assert_eq!(text.shard_of(&key(&[None])), None);
    let blank_padded = Router::new(&layout, &["character(4)"]).unwrap();
    assert_eq!(blank_padded.shard_of(&key(&[Some("de  ")])), Some(0));
}

#[test]
fn layouts_that_only_the_server_can_route_have_no_router() {
    let plain = |bound| vec![bound];
    let one = range(Some(&["a"]), None);
    assert!(Router::new(&layout(Method::Range, &["a"], plain(one.clone())), &["text"]).is_none());
    assert!(Router::new(&layout(Method::Range, &["a"], plain(one)), &["integer"]).is_none());
    assert!(Router::new(&layout(Method::Range, &["a"], plain(range(Some(&["1", "2"]), None))), &["integer"]).is_none());
    assert!(Router::new(&layout(Method::Hash, &["a"], plain(hash(1, 0))), &["public.mood"]).is_none());
    assert!(Router::new(&layout(Method::Hash, &["a", "b"], plain(hash(1, 0))), &["integer"]).is_none());
    assert!(Router::new(&layout(Method::Hash, &["a"], plain(Bound::Default)), &["integer"]).is_none());
    assert!(Router::new(&layout(Method::List, &["a"], plain(hash(1, 0))), &["integer"]).is_none());
    assert!(Router::new(&layout(Method::Reference, &[], vec![]), &[] as &[&str]).is_none());
}

/// What a server says of `satisfies_hash_partition(…, 16, r, a)` for the integers 1 to 100.
#[test]
fn a_hundred_equal_warehouses_are_not_sixteen_equal_shards() {
    let values: Vec<String> = (1..=100).map(|warehouse| warehouse.to_string()).collect();
    let frequencies = values.iter().map(|v| (Some(v.as_bytes()), 30));
    let rows = [4, 6, 5, 5, 6, 4, 7, 6, 12, 11, 6, 1, 5, 10, 7, 5];
    assert_eq!(shares(HashType::Integer, frequencies, 16), Some(rows.map(|r| f64::from(r) / 100.0).to_vec()));
}

#[test]
fn shares_count_nulls_and_refuse_to_guess() {
    assert_eq!(shares(HashType::Integer, [(None, 3)], 2), Some(vec![1.0, 0.0]));
    assert_eq!(shares(HashType::Integer, [(Some(&b"many"[..]), 3)], 2), None);
    assert_eq!(shares(HashType::Integer, [(Some(&b"1"[..]), 0)], 2), None);
    assert_eq!(shares(HashType::Integer, [(None, 3)], 0), None);
}

proptest! {
    /// A split takes rows from the shard that is split, and from no other.
    #[test]
    fn a_split_leaves_the_other_shards_alone(value: i64) {
        let before = layout(Method::Hash, &["a"], vec![hash(3, 0), hash(3, 1), hash(3, 2)]);
        let after = layout(Method::Hash, &["a"], vec![hash(3, 0), hash(6, 1), hash(3, 2), hash(6, 4)]);
        let text = value.to_string();
        let shard = |layout| Router::new(&layout, &["bigint"]).unwrap().shard_of(&key(&[Some(&text)])).unwrap();
        let (before, after) = (shard(before), shard(after));
        prop_assert_eq!(before, if after == 3 { 1 } else { after });
    }

    #[test]
    fn integers_of_one_value_hash_alike_in_every_width(value: i16) {
        let text = value.to_string();
        let hash = |hash_type| hash_value(hash_type, text.as_bytes()).unwrap();
        prop_assert_eq!(hash(HashType::SmallInt), hash(HashType::BigInt));
        prop_assert_eq!(hash(HashType::Integer), hash(HashType::BigInt));
    }

    #[test]
    fn decimals_sort_by_value(a: i64, b: i64, places in 0_usize..25) {
        let text = |n: i64| {
            let digits = format!("{:0width$}", n.unsigned_abs(), width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            format!("{}{whole}.{fraction}", if n < 0 { "-" } else { "" })
        };
        let (bound, value) = (text(a), text(b));
        let bounds = vec![range(None, Some(&[&bound])), range(Some(&[&bound]), None)];
        let router = Router::new(&layout(Method::Range, &["a"], bounds), &["numeric"]).unwrap();
        prop_assert_eq!(router.shard_of(&key(&[Some(&value)])), Some(u32::from(b >= a)));
    }

    #[test]
    fn no_bytes_make_it_panic(text in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        "[-+]?[0-9]{0,30}[.]?[0-9]{0,12}([eE][-+]?[0-9]{0,12})?".prop_map(String::into_bytes),
        "[0-9]{1,9}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{0,8})?([-+Z][0-9:]{0,9})?)?( BC)?".prop_map(String::into_bytes),
    ]) {
        for name in ["smallint", "bigint", "oid", "boolean", "\"char\"", "real", "double precision", "numeric", "numeric(9,-3)", "text",
            "character varying(3)", "character(3)", "name", "uuid", "bytea", "date", "timestamp(0) without time zone", "timestamp with time zone"]
        {
            let hash_type = HashType::of_type(name).unwrap();
            let hash = hash_value(hash_type, &text);
            if matches!(name, "text" | "character(3)") {
                prop_assert!(hash.is_some());
            }
        }
    }
}
