//! The checksum counts every row, whatever the order.

use foreshard_core::backup::checksum::{Checksum, RowHasher};
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

type Rows = Vec<Vec<Option<Vec<u8>>>>;

fn checksum(rows: &Rows) -> Checksum {
    let mut hasher = RowHasher::new();
    let mut sum = Checksum::default();
    rows.iter().for_each(|row| sum.add(hasher.hash(row.iter().map(Option::as_deref))));
    sum
}

#[test]
fn a_row_is_hashed_in_its_canonical_bytes() {
    let canonical = b"\x01\x02\x00\x00\x00ab\x00\x01\x00\x00\x00\x00";
    let hash = RowHasher::new().hash([Some(&b"ab"[..]), None, Some(b"")]);
    assert_eq!(hash, xxh3_128(canonical));
}

#[test]
fn null_is_not_the_empty_string_and_borders_of_fields_count() {
    let mut hasher = RowHasher::new();
    assert_ne!(hasher.hash([None]), hasher.hash([Some(&b""[..])]));
    assert_ne!(hasher.hash([Some(&b"a"[..]), Some(b"bc")]), hasher.hash([Some(&b"ab"[..]), Some(b"c")]));
}

#[test]
fn a_row_that_is_there_twice_does_not_cancel_itself() {
    let mut twice = Checksum::default();
    twice.add(7);
    twice.add(7);
    assert_eq!((twice.rows, twice.sum), (2, 14));
}

#[test]
fn the_sum_wraps() {
    let mut sum = Checksum::default();
    sum.add(u128::MAX);
    sum.add(3);
    assert_eq!((sum.rows, sum.sum), (2, 2));
}

#[test]
fn it_is_shown_and_stored_as_32_hexadecimal_digits() {
    let sum = Checksum { rows: 2, sum: 0xab };
    assert_eq!(sum.to_string(), "000000000000000000000000000000ab");
    let json = serde_json::to_string(&sum).unwrap();
    assert_eq!(json, r#"{"rows":2,"sum":"000000000000000000000000000000ab"}"#);
    assert_eq!(serde_json::from_str::<Checksum>(&json).unwrap(), sum);
    assert!(serde_json::from_str::<Checksum>(r#"{"rows":2,"sum":"x"}"#).is_err());
}

proptest! {
    #[test]
    fn order_and_division_do_not_matter_but_each_row_does(
        rows in prop::collection::vec(prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..4)), 2), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = checksum(&rows);
        let (left, right) = rows.split_at(cut.index(rows.len()));
        let mut merged = checksum(&right.to_vec());
        merged.merge(&checksum(&left.to_vec()));
        prop_assert_eq!(merged, whole);
        let mut doubled = rows.clone();
        doubled.push(rows[0].clone());
        prop_assert_ne!(checksum(&doubled).sum, whole.sum);
    }
}
