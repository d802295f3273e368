//! Indexes made of words: their pages link up, and every row is where its key belongs.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use foreshard_core::btree::{Duplicate, Key, Keys, build};
use foreshard_core::heap::Kind;
use proptest::prelude::*;

fn keys(types: &[&str]) -> Keys {
    let key = |(n, t): (usize, &&str)| Key::new(n, &Kind::of_type(t).expect(t)).expect(t);
    Keys::new(&types.iter().enumerate().map(key).collect::<Vec<_>>()).expect("a key")
}

fn u16_at(page: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([page[at], page[at + 1]]))
}

fn u32_at(page: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(page[at..at + 4].try_into().unwrap())
}

/// The items of a page, without its high key.
fn items(page: &[u8]) -> Vec<&[u8]> {
    let count = (u16_at(page, 12) - 24) / 4;
    let rightmost = u32_at(page, 8176 + 4) == 0;
    let item = |n: usize| {
        let pointer = u32_at(page, 24 + 4 * n) as usize;
        &page[pointer & 0x7FFF..(pointer & 0x7FFF) + (pointer >> 17)]
    };
    (usize::from(!rightmost)..count).map(item).collect()
}

fn place(bytes: &[u8]) -> u64 {
    (u16_at(bytes, 0) as u64) << 32 | (u16_at(bytes, 2) as u64) << 16 | u16_at(bytes, 4) as u64
}

/// All rows in the order of the leaves, from the left; with the height.
fn walk(pages: &[Box<[u8]>]) -> (Vec<u64>, u32) {
    let meta = &pages[0];
    let (mut block, level) = (u32_at(meta, 24 + 8), u32_at(meta, 24 + 12));
    if block == 0 {
        return (Vec::new(), 0);
    }
    for height in (0..level).rev() {
        assert_eq!(u32_at(&pages[block as usize], 8176 + 8), height + 1);
        let first = items(&pages[block as usize])[0];
        assert_eq!(first.len(), 8, "the first border of a page is below everything");
        block = (place(first) >> 16) as u32;
    }
    let (mut rows, mut before) = (Vec::new(), 0);
    while block != 0 {
        let page = &pages[block as usize];
        assert_eq!((u32_at(page, 8176), u32_at(page, 8176 + 8)), (before, 0));
        for item in items(page) {
            match u16_at(item, 4) {
                list if u16_at(item, 6) & 0x2000 != 0 => {
                    let start = (place(item) >> 16) as usize;
                    rows.extend((0..list & 0xFFF).map(|n| place(&item[start + 6 * n..])));
                }
                _ => rows.push(place(item)),
            }
        }
        (before, block) = (block, u32_at(page, 8176 + 4));
    }
    (rows, level)
}

#[test]
fn an_empty_index_is_one_page() {
    let keys = keys(&["integer"]);
    let pages = build(&keys, keys.entries(), true).unwrap();
    assert_eq!((pages.len(), walk(&pages)), (1, (Vec::new(), 0)));
    assert_eq!((u32_at(&pages[0], 24), u16_at(&pages[0], 8176 + 12)), (0x0005_3162, 8));
}

#[test]
fn a_key_twice_is_a_duplicate_and_null_is_none() {
    let keys = keys(&["integer"]);
    let mut entries = keys.entries();
    for tid in [1, 2] {
        keys.add(&mut entries, tid, |_| None).unwrap();
    }
    assert!(build(&keys, entries.clone(), true).is_ok());
    for tid in [3, 4] {
        keys.add(&mut entries, tid, |_| Some(&[7, 0, 0, 0])).unwrap();
    }
    assert_eq!(build(&keys, entries.clone(), true).unwrap_err(), Duplicate);
    assert_eq!(walk(&build(&keys, entries, false).unwrap()).0, [3, 4, 1, 2]);
}

#[test]
fn what_is_no_word_is_left_to_the_server() {
    for other in ["text", "numeric", "double precision", "real", "bytea", "name", "json"] {
        assert_eq!(Key::new(0, &Kind::of_type(other).unwrap()), None, "{other}");
    }
    let wide = [Key::new(0, &Kind::Uuid).unwrap(), Key::new(1, &Kind::of_type("boolean").unwrap()).unwrap()];
    assert_eq!(Keys::new(&wide), None);
    // A NULL in one of several columns.
    let two = keys(&["integer", "integer"]);
    assert_eq!(two.add(&mut two.entries(), 1, |n| (n == 0).then_some(&[0; 4])), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Rows come out in the order of their keys, then of their places; with lists of equal keys and without.
    #[test]
    fn rows_are_in_the_order_of_their_keys(rows in prop::collection::vec((any::<i8>(), any::<i64>()), 0..6000), few in any::<bool>(), unique in any::<bool>()) {
        let keys = keys(&["smallint", "bigint"]);
        let mut entries = keys.entries();
        let mut expected = Vec::new();
        for (n, (a, b)) in rows.iter().enumerate() {
            let (a, b, tid) = (i16::from(*a), if few { b % 3 } else { *b }, (n as u64) << 16 | 1);
            let values = [a.to_le_bytes().to_vec(), b.to_le_bytes().to_vec()];
            keys.add(&mut entries, tid, |column| Some(values[column].as_slice())).unwrap();
            expected.push((a, b, tid));
        }
        expected.sort_unstable();
        let distinct = expected.windows(2).all(|w| (w[0].0, w[0].1) != (w[1].0, w[1].1));
        match build(&keys, entries, unique) {
            Ok(pages) => {
                let (found, height) = walk(&pages);
                prop_assert_eq!(found, expected.iter().map(|e| e.2).collect::<Vec<_>>());
                prop_assert!(height < 3);
            }
            Err(Duplicate) => prop_assert!(unique && !distinct),
        }
    }
}
