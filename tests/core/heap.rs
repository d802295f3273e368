//! Pages made of rows: their layout, what is left to the server, and that reading them back gives what went in.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

use foreshard_core::backup::checksum::{Checksum, RowHasher};
use foreshard_core::backup::rows::RowFormat;
use foreshard_core::heap::{Column, Filled, Filler, Kind, PAGE, Page, Reader, Shape};
use proptest::prelude::*;

fn column(type_name: &str) -> Column {
    Column { kind: Kind::of_type(type_name).expect(type_name), not_null: false, packable: true }
}

fn shape(types: &[&str]) -> Shape {
    Shape { columns: types.iter().map(|t| column(t)).collect(), spare: 0, xid: 4711 }
}

fn encoded(type_name: &str, text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    Kind::of_type(type_name).expect(type_name).encode(text.as_bytes(), &mut out).map(|()| out)
}

/// All pages that the lines make, the rows for COPY, and the checksum of the others.
fn fill(shape: &Shape, lines: &str) -> (Vec<Page>, String, Checksum) {
    let fields = (0..shape.columns.len()).collect();
    let mut filler = Filler::new(shape.clone(), None, Vec::new(), fields, RowFormat::text());
    let mut pages = Vec::new();
    let report = filler.rows(lines.as_bytes(), &mut |filled: Filled| pages.push(filled.page)).expect("rows");
    pages.extend(filler.finish().map(|filled| filled.page));
    (pages, String::from_utf8(report.odd.lines).expect("text"), report.checksum)
}

fn read(shape: &Shape, pages: &mut [Page]) -> (Checksum, usize) {
    let (mut checksum, mut odd) = (Checksum::default(), Vec::new());
    let mut reader = Reader::new(shape.clone());
    for (block, page) in (0..).zip(pages) {
        let page = Page::of(page.finish(block)).expect("a page");
        reader.page(&page, &mut checksum, &mut odd, |_, _, _| {});
    }
    (checksum, odd.len())
}

#[test]
fn a_tuple_is_the_servers_to_the_byte() {
    // heap_page_items of CREATE TABLE t (a smallint, b bigint, c text, d boolean, e text), row (1, 2, 'abc', NULL, repeat('x', 127)).
    let shape = shape(&["smallint", "bigint", "text", "boolean", "text"]);
    let (mut pages, odd, _) = fill(&shape, &format!("1\t2\tabc\t\\N\t{}\n", "x".repeat(127)));
    assert_eq!((pages.len(), odd.as_str()), (1, ""));
    let page = pages[0].finish(70_000).to_vec();
    assert_eq!(page.len(), PAGE);
    // pd_flags, pd_lower, pd_upper, pd_special, size and version.
    let words: Vec<u16> = page[10..20].chunks(2).map(|w| u16::from_le_bytes([w[0], w[1]])).collect();
    let length: usize = 40 + 4 + 4 + 127;
    let upper = PAGE - length.next_multiple_of(8);
    assert_eq!(words, [4, 28, upper as u16, PAGE as u16, PAGE as u16 + 4]);
    let tuple = &page[upper..];
    assert_eq!(tuple[0..4], 4711_u32.to_le_bytes());
    // Block 70,000 as two words, the high one first; number 1; 5 columns; frozen, with NULLs and values of variable length.
    assert_eq!(tuple[12..18], [1, 0, 112, 17, 1, 0]);
    assert_eq!(tuple[18..20], 5_u16.to_le_bytes());
    assert_eq!(tuple[20..22], 0x0B03_u16.to_le_bytes());
    assert_eq!((tuple[22], tuple[23]), (24, 0b10111));
    assert_eq!(tuple[24..48], [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, b'a', b'b', b'c', 12, 2, 0, 0]);
}

#[test]
fn what_only_the_server_understands_is_left_to_it() {
    for (type_name, text) in [
        ("integer", "2147483648"),
        ("integer", "1.0"),
        ("integer", ""),
        ("boolean", "maybe"),
        ("numeric(6,2)", "1.005"),
        ("numeric(6,2)", "10000"),
        ("numeric", "1e5"),
        ("numeric", "NaN"),
        ("numeric", "1."),
        ("numeric", ""),
        ("character varying(3)", "abcd"),
        ("character varying(3)", "abc "),
        ("character(2)", "abc"),
        ("date", "2024-02-30"),
        ("date", "yesterday"),
        ("timestamp(3) without time zone", "2024-01-01 00:00:00.0001"),
        ("timestamp with time zone", "2024-01-01 00:00:00"),
        ("uuid", "00000000-0000-0000-0000-00000000000"),
        ("uuid", "0000000000000000-0000-0000-000000000"),
        ("bytea", "\\x0"),
        ("bytea", "a\\000"),
        ("json", "{"),
        ("json", "{'a': 1}"),
        ("text", "a\0b"),
        ("name", "a_name_that_is_much_longer_than_the_sixty_three_bytes_of_a_name_x"),
        ("real", "1e39"),
        ("double precision", "1e-400"),
    ] {
        assert_eq!(encoded(type_name, text), None, "{type_name} {text:?}");
    }
    assert!(Kind::of_type("text").unwrap().encode(b"caf\xe9", &mut Vec::new()).is_none(), "no UTF-8");
    for other in [
        "jsonb",
        "integer[]",
        "character varying(3)[]",
        "numeric(4,1)[]",
        "interval",
        "numeric(3,5)",
        "numeric(5,-2)",
        "bit(3)",
        "point",
    ] {
        assert_eq!(Kind::of_type(other), None, "{other}");
    }
}

/// From `heap_page_items` and pageinspect of a server, without the header of the value.
#[test]
fn numerics_are_stored_as_the_server_stores_them() {
    for (type_name, text, bytes) in [
        ("numeric", "0", &[0x00, 0x80][..]),
        ("numeric", "0.000", &[0x80, 0x81]),
        ("numeric", "-0", &[0x00, 0x80]),
        ("numeric", "1", &[0x00, 0x80, 1, 0]),
        ("numeric", "-1", &[0x00, 0xA0, 1, 0]),
        ("numeric", "10000", &[0x01, 0x80, 1, 0]),
        ("numeric", "12345.6", &[0x81, 0x80, 1, 0, 0x29, 0x09, 0x70, 0x17]),
        ("numeric", "0.00012", &[0xFF, 0x82, 0xB0, 0x04]),
        ("numeric(10,2)", "1.5", &[0x00, 0x81, 1, 0, 0x88, 0x13]),
    ] {
        let mut bytes = bytes.to_vec();
        if text == "0.00012" {
            // 0.0001|2000: the first digit is 1, of weight -1.
            bytes = vec![0xFF, 0x82, 1, 0, 0xD0, 0x07];
        }
        assert_eq!(encoded(type_name, text), Some(bytes), "{type_name} {text}");
    }
}

#[test]
fn odd_rows_keep_their_place() {
    let shape = shape(&["integer", "text"]);
    let fields = vec![0, 1];
    let mut filler = Filler::new(shape, None, Vec::new(), fields, RowFormat::text());
    let long = "y".repeat(3000);
    let lines = format!("1\ta\nx\tb\n3\n4\t{long}\n5\te\\tf\n");
    let report = filler.rows(lines.as_bytes(), &mut |_| {}).unwrap();
    assert_eq!((report.rows, report.checksum.rows), (5, 2));
    assert_eq!(report.odd.numbers, [1, 2, 3]);
    assert_eq!(String::from_utf8(report.odd.lines).unwrap(), format!("x\tb\n3\n4\t{long}\n"));
    assert_eq!(filler.finish().map(|f| f.page.tuples()).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_required_value_that_is_missing_is_the_servers_to_refuse() {
    let mut shape = shape(&["integer"]);
    shape.columns[0].not_null = true;
    let (pages, odd, _) = fill(&shape, "1\n\\N\n");
    assert_eq!((pages.len(), odd.as_str()), (1, "\\N\n"));
}

#[test]
fn pages_keep_free_what_they_shall() {
    let lines: String = (0..1000).map(|n| format!("{n}\n")).collect();
    let rows = |spare: usize| {
        let shape = Shape { spare, ..shape(&["integer"]) };
        fill(&shape, &lines).0.iter().map(Page::tuples).max().unwrap()
    };
    // 28 bytes each with its line pointer are 36, of 8,168.
    assert_eq!((rows(0), rows(PAGE / 2)), (226, 113));
}

proptest! {
    /// Whatever the rows: their pages give their checksum, which is that of their values.
    #[test]
    fn reading_gives_what_was_filled_in(rows in prop::collection::vec(
        (any::<Option<i16>>(), any::<Option<i64>>(), prop::option::of("[a-zäß✓]{0,200}"), any::<Option<bool>>(), prop::option::of(-1e9..1e9_f64)), 1..200)) {
        let shape = shape(&["smallint", "bigint", "text", "boolean", "double precision"]);
        let text = |v: Option<String>| v.unwrap_or_else(|| "\\N".to_owned());
        let lines: String = rows.iter().map(|(a, b, c, d, e)| format!("{}\t{}\t{}\t{}\t{}\n", text(a.map(|v| v.to_string())),
            text(b.map(|v| v.to_string())), text(c.clone()), text(d.map(|v| v.to_string())), text(e.map(|v| v.to_string())))).collect();
        let (mut pages, odd, filled) = fill(&shape, &lines);
        prop_assert_eq!(odd, "");
        prop_assert_eq!(filled.rows, rows.len() as u64);
        let (found, unread) = read(&shape, &mut pages);
        prop_assert_eq!((found, unread), (filled, 0));
        let mut hasher = RowHasher::new();
        let mut expected = Checksum::default();
        for (a, b, c, d, e) in &rows {
            let values = [a.map(|v| v.to_le_bytes().to_vec()), b.map(|v| v.to_le_bytes().to_vec()), c.clone().map(String::into_bytes),
                d.map(|v| vec![u8::from(v)]), e.map(|v| v.to_le_bytes().to_vec())];
            expected.add(hasher.hash(values.iter().map(Option::as_deref)));
        }
        prop_assert_eq!(found, expected);
    }
}
