//! Values of keys as texts: every type reads or refuses them, the same each time; values are routed within the layout.
#![no_main]

use foreshard_core::model::plan::{Bound, Layout, Shard};
use foreshard_core::model::{KeyColumns, Method};
use foreshard_core::route::{HashType, Router, hash_value, remainder, row_hash};
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 21] = [
    "smallint", "integer", "bigint", "boolean", "oid", "real", "double precision", "numeric", "numeric(12,2)", "numeric(3,-2)", "text",
    "character varying(5)", "character(7)", "name", "\"char\"", "uuid", "bytea", "date", "timestamp without time zone",
    "timestamp(3) with time zone", "timestamp with time zone",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let type_name = TYPES[usize::from(*choice) % TYPES.len()];
    let hash_type = HashType::of_type(type_name).expect("a type that is known");
    let hash = hash_value(hash_type, rest);
    assert_eq!(hash, hash_value(hash_type, rest));
    let parts: Vec<&[u8]> = rest.split(|b| *b == 0).collect();
    let key: Vec<Option<&[u8]>> = parts.iter().take(1).map(|p| Some(*p)).collect();
    let row = row_hash(key.iter().map(|p| (hash_type, *p)));
    assert!(row.is_none_or(|h| remainder(h, 7).is_some_and(|r| r < 7)));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let texts: Vec<String> = parts.iter().skip(1).map(|p| text(p)).collect();
    let layout = |method: Method, bounds: Vec<Bound>| {
        let shard = |(ordinal, bound)| Shard { ordinal, bound, node: String::new(), share: 0.0, within: None };
        Layout { method, key: KeyColumns::from_iter(["k".to_owned()]), shards: (0..).zip(bounds).map(shard).collect(), within: None }
    };
    let edges: Vec<Option<Vec<String>>> = texts.iter().map(|t| Some(vec![t.clone()])).collect();
    let ends = edges.iter().skip(1).cloned().chain([None]);
    let layouts = [
        layout(Method::Hash, (0..5).map(|remainder| Bound::Hash { modulus: 5, remainder }).collect()),
        layout(Method::List, texts.iter().map(|t| Bound::List { values: vec![Some(t.clone())] }).chain([Bound::Default]).collect()),
        layout(Method::Range, edges.iter().cloned().zip(ends).map(|(from, to)| Bound::Range { from, to }).collect()),
    ];
    for layout in layouts {
        let Some(router) = Router::new(&layout, &[type_name]) else { continue };
        for value in [key.first().copied().flatten(), None] {
            assert!(router.shard_of(&[value]).is_none_or(|s| (s as usize) < layout.shards.len()));
        }
    }
    // Types by any name.
    let _ = HashType::of_type(&text(rest));
});
