//! Sizes of tables from what a backup stores: tables of contents of every version, tars, and counted scripts.
#![allow(clippy::unwrap_used, reason = "clippy counts only the test functions themselves as tests")]

use foreshard_core::backup::sizes::{Stored, StoredRows};
use foreshard_core::backup::toc::{Contents, read, read_tar};
use foreshard_core::model::{TableName, TableProfile};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Cursor;

const CUSTOM: u8 = 1;
const TAR: u8 = 3;

/// Writes a table of contents as pg_dump of a version does.
struct Toc {
    version: u8,
    integer: usize,
    bytes: Vec<u8>,
}

enum At<'a> {
    Nowhere,
    Unknown,
    Byte(u64),
    File(&'a str),
}

impl Toc {
    fn new(version: u8, integer: u8, format: u8, level: i64, entries: i64) -> Self {
        let mut toc = Self { version, integer: integer.into(), bytes: b"PGDMP\x01".to_vec() };
        toc.bytes.extend([version, 0, integer, 8, format]);
        if version >= 15 {
            toc.bytes.push(u8::from(level != 0));
        } else {
            toc.number(level);
        }
        (0..7).for_each(|n| toc.number(n));
        ["shop", "15.14", "15.14"].into_iter().for_each(|t| toc.text(Some(t)));
        toc.number(entries);
        toc
    }

    fn number(&mut self, n: i64) {
        self.bytes.push(u8::from(n < 0));
        let amount = n.unsigned_abs().to_le_bytes();
        self.bytes.extend(&amount[..self.integer]);
    }

    fn text(&mut self, text: Option<&str>) {
        self.number(text.map_or(-1, |t| i64::try_from(t.len()).unwrap()));
        self.bytes.extend(text.unwrap_or_default().as_bytes());
    }

    fn entry(&mut self, schema: Option<&str>, name: &str, kind: &str, at: &At<'_>) {
        self.number(7);
        self.number(1);
        ["1259", "16384", name, kind].into_iter().for_each(|t| self.text(Some(t)));
        self.number(3);
        self.text(Some(&"CREATE …; ".repeat(500)));
        self.text(None);
        self.text(Some("COPY … FROM stdin;\n"));
        self.text(schema);
        self.text(Some(""));
        if self.version >= 14 {
            self.text(Some("heap"));
        }
        if self.version >= 16 {
            self.number(i64::from(b'r'));
        }
        ["owner", "false", "3", "4"].into_iter().for_each(|t| self.text(Some(t)));
        self.text(None);
        let (state, offset) = match at {
            At::File(name) => return self.text(Some(name)),
            At::Nowhere => (3, 0),
            At::Unknown => (1, 0),
            At::Byte(offset) => (2, *offset),
        };
        self.bytes.push(state);
        self.bytes.extend(offset.to_le_bytes());
    }
}

fn custom(version: u8, integer: u8) -> Toc {
    let mut toc = Toc::new(version, integer, CUSTOM, -1, 5);
    toc.entry(Some("public"), "orders", "TABLE", &At::Nowhere);
    toc.entry(Some("public"), "orders", "TABLE DATA", &At::Byte(9000));
    toc.entry(Some("Odd one"), "a \"name\"", "TABLE DATA", &At::Byte(5000));
    toc.entry(None, "BLOBS", "BLOBS", &At::Byte(20_000));
    toc.entry(Some("public"), "piped", "TABLE DATA", &At::Unknown);
    toc
}

fn sizes(contents: &Contents, end: u64) -> Vec<(String, u64)> {
    contents.sizes_by_offset(end).into_iter().map(|(table, bytes)| (table.to_string(), bytes)).collect()
}

#[test]
fn every_version_tells_where_the_rows_are() {
    for version in 12..=16 {
        for integer in [4, 8] {
            let contents = read(custom(version, integer).bytes.as_slice()).unwrap();
            assert!(contents.compressed, "{version}");
            let expected = [("Odd one.a \"name\"".to_owned(), 4000), ("public.orders".to_owned(), 11_000)];
            assert_eq!(sizes(&contents, 30_000), expected, "{version}");
        }
    }
}

#[test]
fn the_last_data_ends_with_the_file() {
    let mut toc = Toc::new(14, 4, CUSTOM, 0, 1);
    toc.entry(Some("public"), "orders", "TABLE DATA", &At::Byte(9000));
    let contents = read(toc.bytes.as_slice()).unwrap();
    assert!(!contents.compressed);
    assert_eq!(sizes(&contents, 9100), [("public.orders".to_owned(), 100)]);
    // A place behind the end is none.
    assert_eq!(sizes(&contents, 800), []);
}

#[test]
fn other_versions_and_formats_are_not_read() {
    assert_eq!(read(custom(11, 4).bytes.as_slice()), None);
    assert_eq!(read(custom(17, 4).bytes.as_slice()), None);
    assert_eq!(read(Toc::new(14, 4, 4, 0, 0).bytes.as_slice()), None);
    assert_eq!(read(Toc::new(14, 3, CUSTOM, 0, 0).bytes.as_slice()), None);
    assert_eq!(read(&b"PGDMP"[..]), None);
}

/// A tar as pg_dump writes it; a size of `None` is written as bytes, not digits.
fn tar(members: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content, digits) in members {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        if *digits {
            header[124..136].copy_from_slice(format!("{:011o} ", content.len()).as_bytes());
        } else {
            header[124] = 0x80;
            header[128..136].copy_from_slice(&(content.len() as u64).to_be_bytes());
        }
        out.extend(header);
        out.extend(*content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.extend([0; 1024]);
    out
}

#[test]
fn a_tar_tells_by_its_members() {
    let mut toc = Toc::new(14, 4, TAR, 0, 2);
    toc.entry(Some("public"), "small", "TABLE DATA", &At::File("12.dat"));
    toc.entry(Some("public"), "large", "TABLE DATA", &At::File("13.dat"));
    let archive =
        tar(&[("toc.dat", &toc.bytes, true), ("12.dat", &[b'x'; 700], true), ("13.dat", &[b'y'; 9000], false)]);
    let (contents, members) = read_tar(Cursor::new(archive)).unwrap();
    let found = contents.sizes_by_file(|name| members.get(name).copied());
    assert_eq!(found.into_values().collect::<Vec<_>>(), [9000, 700]);
    assert_eq!(read_tar(Cursor::new(tar(&[("base/1", b"", true)]))), None);
    assert_eq!(read_tar(Cursor::new(Vec::new())), None);
}

fn table(name: &str) -> TableName {
    TableName::new("public", name)
}

#[test]
fn a_table_that_was_read_shows_how_the_others_compress() {
    let stored = Stored::of_archive(true, BTreeMap::from([(table("read"), 100_000), (table("other"), 3000)]));
    let profile = TableProfile { rows: 10, text_bytes: 300_000, columns: Vec::new(), pairs: Vec::new() };
    let rows = stored.sum([&table("read")]).unwrap();
    let ratio = stored.ratio(Some((rows, &profile)));
    assert!((ratio - 3.0).abs() < 1e-9);
    assert_eq!(stored.sum([&table("other")]).unwrap().size(ratio).bytes, Some(9000));
    // A tiny table does not tell, and what is not compressed is what it is.
    let tiny = StoredRows { bytes: 100, rows: None };
    assert!((stored.ratio(Some((tiny, &profile))) - stored.ratio(None)).abs() < 1e-9);
    let plain = Stored { compressed: false, ..stored };
    assert!((plain.ratio(Some((rows, &profile))) - 1.0).abs() < 1e-9);
}

#[test]
fn a_script_is_counted_and_partitions_add_up() {
    let mut stored = Stored::default();
    stored.count(&table("p1"), b"1\ta\n2\tb\n");
    stored.count(&table("p1"), b"3\tc\n");
    stored.count(&table("p2"), b"4\td\n");
    let (p, p1, p2) = (table("p"), table("p1"), table("p2"));
    assert_eq!(stored.sum([&p, &p1, &p2]), Some(StoredRows { bytes: 16, rows: Some(4) }));
    assert_eq!(stored.sum([&p]), None);
}

proptest! {
    #[test]
    fn damaged_tables_of_contents_are_no_error(
        version in 12..=16_u8,
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = custom(version, 4).bytes;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(contents) = read(bytes.as_slice()) {
            let _sizes = contents.sizes_by_offset(30_000);
        }
        bytes.truncate(cut.index(bytes.len()));
        if let Some(contents) = read(bytes.as_slice()) {
            let _sizes = contents.sizes_by_offset(0);
        }
        let mut archive = tar(&[("toc.dat", &bytes, true), ("1.dat", b"x", true)]);
        archive.truncate(cut.index(archive.len()));
        let _members = read_tar(Cursor::new(archive));
    }

    #[test]
    fn any_bytes_are_read_without_panic(head in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _contents = read(head.as_slice());
        let _members = read_tar(Cursor::new(head));
    }
}
