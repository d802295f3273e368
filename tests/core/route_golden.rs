//! The router against a server's own answers, recorded by `route_golden.sql` in `route_golden.tsv`.
//!
//! `ROUTE_GOLDEN` names another file of the same form: a larger one, or one from another server version.

use foreshard_core::model::plan::{Bound, Layout, Method, Shard};
use foreshard_core::route::{HashType, Router, hash_value, remainder, row_hash};
use std::collections::BTreeMap;

#[test]
fn every_answer_of_the_server_is_reproduced() {
    let path = std::env::var("ROUTE_GOLDEN")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/core/route_golden.tsv").to_owned());
    let golden = std::fs::read_to_string(&path).unwrap();
    let mut seen = BTreeMap::<String, u32>::new();
    let mut wrong = Vec::new();
    for line in golden.lines() {
        let fields: Vec<Option<Vec<u8>>> = line.split('\t').map(unescape).collect();
        let word = |i: usize| std::str::from_utf8(fields[i].as_deref().unwrap()).unwrap();
        let text = |i: usize| fields[i].as_deref();
        let hash_type = |name: &str| HashType::of_type(name).unwrap();
        let right = match word(0) {
            "value" => hash_value(hash_type(word(1)), text(2).unwrap()) == Some(word(3).parse::<i64>().unwrap() as u64),
            "input" => match (hash_value(hash_type(word(1)), text(2).unwrap()), text(3)) {
                (Some(hash), Some(_)) => hash == word(3).parse::<i64>().unwrap() as u64,
                // Not understood here, which is always allowed, or refused there, so that no row is stored.
                _ => true,
            },
            "row" => {
                let (modulus, expected): (u32, u32) = (word(1).parse().unwrap(), word(2).parse().unwrap());
                let columns: Vec<usize> = (3..fields.len()).step_by(2).collect();
                let types: Vec<&str> = columns.iter().map(|i| word(*i)).collect();
                let key: Vec<Option<&[u8]>> = columns.iter().map(|i| text(i + 1)).collect();
                let hash = row_hash(types.iter().map(|t| hash_type(t)).zip(key.iter().copied())).unwrap();
                remainder(hash, modulus) == Some(expected)
                    && Router::new(&hash_layout(modulus, types.len()), &types).unwrap().shard_of(&key) == Some(expected)
            }
            "range" => {
                let router = Router::new(&range_layout(word(2)), &[word(1)]).unwrap();
                router.shard_of(&[text(3)]) == Some(word(4).parse().unwrap())
            }
            other => panic!("unknown line: {other}"),
        };
        *seen.entry(word(0).to_owned()).or_default() += 1;
        if !right {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{} lines differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["input", "range", "row", "value"]);
    assert!(seen.values().all(|lines| *lines >= 80), "too few lines to prove anything: {seen:?}");
}

fn hash_layout(modulus: u32, columns: usize) -> Layout {
    layout(Method::Hash, columns, (0..modulus).map(|remainder| Bound::Hash { modulus, remainder }))
}

/// Shard 0 below the first bound, shard i from the i-th bound on: a value's shard is the number of bounds up to it.
fn range_layout(bounds: &str) -> Layout {
    let bounds = bounds.trim_matches(['{', '}']).split(',').map(|b| vec![b.trim_matches('"').to_owned()]);
    let from = std::iter::once(None).chain(bounds.clone().map(Some));
    let to = bounds.map(Some).chain([None]);
    layout(Method::Range, 1, from.zip(to).map(|(from, to)| Bound::Range { from, to }))
}

fn layout(method: Method, columns: usize, bounds: impl Iterator<Item = Bound>) -> Layout {
    let shard = |(ordinal, bound)| Shard::new(ordinal, bound, "here");
    Layout {
        method,
        key: (0..columns).map(|i| format!("k{i}")).collect(),
        within: None,
        shards: (0..).zip(bounds).map(shard).collect(),
    }
}

/// A field of COPY text; None for NULL.
fn unescape(field: &str) -> Option<Vec<u8>> {
    if field == "\\N" {
        return None;
    }
    let mut bytes = field.bytes();
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'\\' => match bytes.next().unwrap_or(b'\\') {
                b'b' => 0x08,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 0x0b,
                b'f' => 0x0c,
                b'r' => b'\r',
                other => other,
            },
            other => other,
        });
    }
    Some(text)
}
