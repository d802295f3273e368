//! Rows in COPY's binary format: each type as its sending function has it, and rows among those that are left to COPY's text.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use foreshard_core::backup::checksum::Checksum;
use foreshard_core::backup::rows::RowFormat;
use foreshard_core::heap::{Column, Filler, Kind, Report, Shape};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn kind(type_name: &str) -> Kind {
    match type_name {
        "mood" => Kind::Enum(BTreeMap::from([(b"sad".to_vec(), 70_001), (b"ok".to_vec(), 70_002)])),
        _ => Kind::of_type(type_name).expect(type_name),
    }
}

/// Fills rows of a table whose shards are all elsewhere.
fn filler(types: &[&str]) -> Filler {
    let columns = types.iter().map(|t| Column { kind: kind(t), not_null: false, packable: true }).collect();
    let shape = Shape { columns, spare: 0, xid: 4711 };
    Filler::new(shape, None, Vec::new(), (0..types.len()).collect(), RowFormat::text()).sending(&[Some(0)])
}

fn send(types: &[&str], lines: &str) -> Report {
    filler(types).rows(lines.as_bytes(), &mut |_| panic!("no pages are made")).expect("rows")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fields of rows in binary format; None for NULL.
fn parse(mut bytes: &[u8]) -> Vec<Vec<Option<Vec<u8>>>> {
    let mut take = |length: usize| {
        let (taken, rest) = bytes.split_at(length);
        bytes = rest;
        (taken.to_vec(), rest.is_empty())
    };
    let mut rows = Vec::new();
    loop {
        let (columns, mut end) = take(2);
        let mut row = Vec::new();
        for _ in 0..u16::from_be_bytes(columns.try_into().unwrap()) {
            let (length, at_end) = take(4);
            end = at_end;
            row.push(usize::try_from(i32::from_be_bytes(length.try_into().unwrap())).ok().map(|length| {
                let (value, at_end) = take(length);
                end = at_end;
                value
            }));
        }
        rows.push(row);
        if end {
            return rows;
        }
    }
}

/// From `int2send`, `numeric_send` and so on of a server.
#[test]
fn values_are_sent_as_the_server_sends_them() {
    let long = "1".to_owned() + &"0".repeat(300);
    let long_fraction = format!("{long}.5");
    let small = format!("0.{}1", "0".repeat(80));
    let of_long_fraction = format!("004d004b00000001{}{}1388", "0001", "0000".repeat(75));
    for (type_name, text, expected) in [
        ("smallint", "-2", "fffe"),
        ("integer", "-2147483648", "80000000"),
        ("bigint", "4294967298", "0000000100000002"),
        ("oid", "4294967295", "ffffffff"),
        ("boolean", "t", "01"),
        ("boolean", "f", "00"),
        ("\"char\"", "x", "78"),
        ("real", "-0", "80000000"),
        ("real", "NaN", "7fc00000"),
        ("double precision", "-Infinity", "fff0000000000000"),
        ("double precision", "1.5", "3ff8000000000000"),
        ("date", "2000-01-02", "00000001"),
        ("date", "infinity", "7fffffff"),
        ("date", "-infinity", "80000000"),
        ("date", "0044-03-15 BC", "fff49d7b"),
        ("timestamp without time zone", "1999-12-31 23:59:59.999999", "ffffffffffffffff"),
        ("timestamp with time zone", "infinity", "7fffffffffffffff"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"),
        ("name", "é", "c3a9"),
        ("name", "", ""),
        ("text", "", ""),
        ("character varying(3)", "é", "c3a9"),
        ("character(3)", "a", "612020"),
        ("bytea", "\\\\x00ff", "00ff"),
        ("json", "{\"a\": 1}", "7b2261223a20317d"),
        ("mood", "sad", "736164"),
        ("numeric", "0", "0000000000000000"),
        ("numeric", "0.000", "0000000000000003"),
        ("numeric", "-0", "0000000000000000"),
        ("numeric", "1", "00010000000000000001"),
        ("numeric", "-1", "00010000400000000001"),
        ("numeric", "10000", "00010001000000000001"),
        ("numeric", "12345.6", "0003000100000001000109291770"),
        ("numeric", "-12345.6", "0003000140000001000109291770"),
        ("numeric", "0.00012", "0002ffff00000005000107d0"),
        ("numeric", "-0.00000001", "0001fffe400000080001"),
        ("numeric", &long, "0001004b000000000001"),
        ("numeric", &small, "0001ffeb0000005103e8"),
        ("numeric", &long_fraction, &of_long_fraction),
        ("numeric(10,2)", "1.5", "000200000000000200011388"),
        ("numeric(10,2)", "99999999.99", "0003000100000002270f270f26ac"),
    ] {
        let report = send(&[type_name], &format!("{text}\n"));
        assert_eq!(report.checksum.rows, 1, "{type_name} {text}");
        let expected = format!("0001{:08x}{expected}", expected.len() / 2);
        assert_eq!(hex(&report.away[0]), expected, "{type_name} {text}");
    }
}

#[test]
fn nulls_and_places_are_kept() {
    let report = send(&["integer", "text", "name"], "1\t\\N\tb\n\\N\t\\N\t\\N\n");
    assert_eq!(
        parse(&report.away[0]),
        [vec![Some(vec![0, 0, 0, 1]), None, Some(b"b".to_vec())], vec![None, None, None]]
    );
}

#[test]
fn rows_that_are_not_understood_stay_text() {
    let report = send(&["integer", "numeric"], "1\t1\n2\tNaN\n3\t-Infinity\n4\t2.50\n");
    assert_eq!(report.odd.lines, b"2\tNaN\n3\t-Infinity\n");
    assert_eq!(report.odd.numbers, [1, 2]);
    assert_eq!((report.rows, report.checksum.rows, parse(&report.away[0]).len()), (4, 2, 2));
    // Line ends of another system: none is.
    let report = send(&["integer"], "1\r\n2\r\n");
    assert_eq!((report.away.len(), report.odd.numbers.len()), (0, 2));
}

#[test]
fn what_is_only_read_goes_nowhere_and_counts_the_same() {
    let (types, lines) = (["integer", "text"], "1\ta\nx\tb\n3\t\\N\n");
    let mut numbers = Vec::new();
    let read = filler(&types).read(lines.as_bytes(), &mut |shard, n, _, _| numbers.push((shard, n))).unwrap();
    let sent = send(&types, lines);
    assert_eq!((read.checksum, read.odd.numbers, read.away.len()), (sent.checksum, sent.odd.numbers, 0));
    assert_eq!(numbers, [(0, 0), (0, 2)]);
    assert_ne!(sent.checksum, Checksum::default());
}

proptest! {
    /// What a server would read of the numbers' digits is the number that was written.
    #[test]
    fn numerics_keep_their_value(whole in "(0|[1-9][0-9]{0,30})", fraction in "[0-9]{0,30}", negative: bool) {
        let text = format!("{}{whole}{}{fraction}", if negative { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
        let report = send(&["numeric"], &format!("{text}\n"));
        let field = parse(&report.away[0])[0][0].clone().unwrap();
        let words: Vec<i16> = field.chunks(2).map(|w| i16::from_be_bytes([w[0], w[1]])).collect();
        let (count, weight, sign, scale, digits) = (words[0], words[1], words[2], words[3], &words[4..]);
        prop_assert_eq!((count as usize, scale as usize), (digits.len(), fraction.len()));
        let digit = |of: i16| usize::try_from(weight - of).ok().and_then(|n| digits.get(n)).copied().unwrap_or(0);
        let decimals = |range: &mut dyn Iterator<Item = i16>| range.map(|of| format!("{:04}", digit(of))).collect::<String>();
        let before = decimals(&mut (0..=8).rev());
        let behind = decimals(&mut (1..=8).map(|n: i16| -n));
        prop_assert_eq!(before.trim_start_matches('0'), whole.trim_start_matches('0'));
        prop_assert_eq!(behind.trim_end_matches('0'), fraction.trim_end_matches('0'));
        prop_assert_eq!(sign == 0x4000, negative && !digits.is_empty());
    }
}
