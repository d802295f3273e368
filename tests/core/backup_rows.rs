//! Rows are what COPY FROM would read of the same bytes.
#![allow(clippy::unwrap_used, reason = "clippy counts only the test functions themselves as tests")]

use foreshard_core::backup::rows::{RowError, RowFormat, RowReader, split_row, write_row};
use foreshard_core::model::config::{BackupFormat, CopyOptions};
use proptest::prelude::*;
use std::borrow::Cow;

type Value = Option<Vec<u8>>;

fn value(text: &str) -> Value {
    Some(text.as_bytes().to_vec())
}

/// The rows of `data`, pushed in chunks of `size` bytes.
fn read(format: &RowFormat, columns: Option<usize>, data: &[u8], size: usize) -> Result<Vec<Vec<Value>>, RowError> {
    let mut reader = RowReader::new(format.clone(), columns);
    let mut rows = Vec::new();
    for chunk in data.chunks(size) {
        reader.push(chunk, |row| {
            rows.push(row.fields().map(|f| f.map(<[u8]>::to_vec)).collect());
            assert_eq!(row.number(), rows.len() as u64);
        })?;
    }
    reader.finish(|row| rows.push(row.fields().map(|f| f.map(<[u8]>::to_vec)).collect()))?;
    assert_eq!(reader.rows(), rows.len() as u64);
    Ok(rows)
}

fn text(data: &str) -> Vec<Vec<Value>> {
    read(&RowFormat::text(), None, data.as_bytes(), usize::MAX).unwrap()
}

fn csv(data: &str) -> Vec<Vec<Value>> {
    read(&RowFormat::csv(), None, data.as_bytes(), usize::MAX).unwrap()
}

fn with(format: BackupFormat, change: impl FnOnce(&mut CopyOptions)) -> RowFormat {
    let mut options = CopyOptions::default();
    change(&mut options);
    RowFormat::of(format, &options).unwrap()
}

/// What COPY TO writes for a value (CopyAttributeOutText).
fn escape(value: &Value) -> Vec<u8> {
    let Some(value) = value else { return b"\\N".to_vec() };
    let mut out = Vec::new();
    for &byte in value {
        match byte {
            0x08 => out.extend(b"\\b"),
            0x0c => out.extend(b"\\f"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x0b => out.extend(b"\\v"),
            b'\\' => out.extend(b"\\\\"),
            _ => out.push(byte),
        }
    }
    out
}

#[test]
fn text_is_split_and_decoded() {
    assert_eq!(
        text("1\tab\t\\N\n\t\\\\N\t\\\\.\n"),
        [vec![value("1"), value("ab"), None], vec![value(""), value("\\N"), value("\\.")]]
    );
    let escapes = "\\b\\f\\n\\r\\t\\v\\\\|\\101\\12x\\0612|\\x41\\x4g\\x|\\q\\8\\'|\\377\\777\\xfF|\\";
    let expected = b"\x08\x0c\n\r\t\x0b\\|A\nx12|A\x04gx|q8'|\xff\xff\xff|";
    assert_eq!(text(escapes), [[Some(expected.to_vec())]]);
}

#[test]
fn an_escaped_delimiter_or_line_feed_belongs_to_the_value() {
    assert_eq!(
        text("a\\\tb\tc\nd\\\ne\\\\\nf"),
        [vec![value("a\tb"), value("c")], vec![value("d\ne\\")], vec![value("f")]]
    );
    assert_eq!(text("a\\\n"), [[value("a\n")]]);
}

#[test]
fn the_end_marker_ends_the_data_wherever_it_comes() {
    assert_eq!(text("1\n\\.\n2\n"), [[value("1")]]);
    assert_eq!(csv("1\r\n\\.\r\n2\r\n"), [[value("1")]]);
    assert_eq!(csv("\"\n\\.\n\"\n"), [[value("\n\\.\n")]]);
    assert_eq!(csv("\\.,\\.\n"), [[value("\\."), value("\\.")]]);
}

#[test]
fn line_ends_may_be_of_two_bytes_and_the_last_may_be_missing() {
    assert_eq!(
        text("1\t2\r\n3\t\\N\r\n4\t5"),
        [[value("1"), value("2")], [value("3"), None], [value("4"), value("5")]]
    );
    assert_eq!(csv("1,2\r\n\"3\r\n\",4"), [[value("1"), value("2")], [value("3\r\n"), value("4")]]);
    assert_eq!(text("\n"), [[value("")]]);
    assert_eq!(text(""), Vec::<Vec<Value>>::new());
}

#[test]
fn delimiter_and_null_can_be_chosen() {
    let format = with(BackupFormat::Text, |o| {
        o.delimiter = Some("|".to_owned());
        o.null = Some("NULL".to_owned());
    });
    let rows = read(&format, None, b"NULL|\\N|NUL\\L\t\n", usize::MAX).unwrap();
    assert_eq!(rows, [[None, value("N"), value("NULL\t")]]);
    assert_eq!(rows[0][2], value("NULL\t"));
}

#[test]
fn fields_are_decoded_only_where_they_must_be() {
    let fields: Vec<_> = split_row(b"a\t\\N\tx\\ty\t", b'\t', b"\\N").collect();
    assert_eq!(
        fields,
        [Some(Cow::Borrowed(&b"a"[..])), None, Some(Cow::Owned(b"x\ty".to_vec())), Some(Cow::Borrowed(b""))]
    );
    assert!(matches!(fields[0], Some(Cow::Borrowed(_))));
    assert_eq!(split_row(b"a\\\tb\tc\td", b'\t', b"\\N").nth(2), Some(Some(Cow::Borrowed(&b"d"[..]))));
    assert_eq!(split_row(b"a\tb", b'\t', b"\\N").nth(2), None);
}

#[test]
fn csv_quotes_decide_what_is_null() {
    assert_eq!(csv(",\"\",a\n"), [[None, value(""), value("a")]]);
    let format = with(BackupFormat::Csv, |o| o.null = Some("NULL".to_owned()));
    let rows = read(&format, None, b"NULL,\"NULL\",,NU\"LL\"\n", usize::MAX).unwrap();
    assert_eq!(rows, [[None, value("NULL"), value(""), value("NULL")]]);
}

#[test]
fn csv_quotes_may_open_anywhere_and_hold_anything() {
    assert_eq!(
        csv("a\"b,c\"d,\"x\"\"y\",\"1\n2\r\n3\",\"a\"\"\"\"\"b, e \"f\" \n"),
        [[value("ab,cd"), value("x\"y"), value("1\n2\r\n3"), value("a\"\"b"), value(" e f ")]]
    );
}

#[test]
fn csv_may_have_an_escape_of_its_own() {
    let format = with(BackupFormat::Csv, |o| {
        o.escape = Some("\\".to_owned());
        o.quote = Some("'".to_owned());
        o.delimiter = Some(";".to_owned());
    });
    let data = br"'a\'b\\';\n;'x\y\\\';
';'a'';c'
";
    let rows = read(&format, None, data, usize::MAX).unwrap();
    assert_eq!(rows, [[value("a'b\\"), value("\\n"), value("x\\y\\';\n"), value("a;c")]]);
    for size in 1..9 {
        assert_eq!(read(&format, None, data, size).unwrap(), rows);
    }
}

#[test]
fn a_header_names_the_columns_and_is_no_row() {
    let format = with(BackupFormat::Csv, |o| o.header = true);
    let mut reader = RowReader::new(format, None);
    let mut seen = Vec::new();
    reader.push(b"id,\"na,me\"\n1,2\n", |row| seen.push((row.number(), row.line().to_vec()))).unwrap();
    assert_eq!(reader.header(), Some(&["id".to_owned(), "na,me".to_owned()][..]));
    assert_eq!(seen, [(1, b"1,2".to_vec())]);
    assert_eq!(reader.push(b"1\n", |_| ()), Err(RowError::FieldCount { row: 2, expected: 2, found: 1 }));
}

#[test]
fn errors_name_the_row() {
    let error = read(&RowFormat::text(), Some(2), b"1\t2\n1\t2\t3\n", usize::MAX).unwrap_err();
    assert_eq!(error, RowError::FieldCount { row: 2, expected: 2, found: 3 });
    assert_eq!(error.to_string(), "row 2 has 3 fields where 2 are expected");
    for (format, delimiter) in [(RowFormat::text(), "\t"), (RowFormat::csv(), ",")] {
        assert_eq!(read(&format, None, delimiter.repeat(1599).as_bytes(), usize::MAX).unwrap()[0].len(), 1600);
        let error = read(&format, None, delimiter.repeat(9999).as_bytes(), usize::MAX).unwrap_err();
        assert_eq!(error, RowError::FieldCount { row: 1, expected: 1600, found: 1601 });
    }
    let error = read(&RowFormat::csv(), None, b"1\n2\n\"3\n4", usize::MAX).unwrap_err();
    assert_eq!(error, RowError::Unterminated { row: 3 });
    assert_eq!(error.problem().sqlstate, "22P04");
}

#[test]
fn options_that_copy_refuses_are_refused_all_at_once() {
    let options = CopyOptions {
        delimiter: Some("||".to_owned()),
        null: Some("a\n".to_owned()),
        quote: Some("\"".to_owned()),
        ..CopyOptions::default()
    };
    let problems = RowFormat::of(BackupFormat::Text, &options).unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        messages,
        ["COPY delimiter is not valid", "COPY null is not valid", "COPY quote or escape is not valid"]
    );
    for delimiter in ["x", "7", ".", "\\", "\n", "", "é"] {
        let options = CopyOptions { delimiter: Some(delimiter.to_owned()), ..CopyOptions::default() };
        let problems = RowFormat::of(BackupFormat::Text, &options).unwrap_err();
        assert_eq!(problems[0].message, "COPY delimiter is not valid", "{delimiter:?}");
    }
    let options = CopyOptions { quote: Some(",".to_owned()), null: Some(",".to_owned()), ..CopyOptions::default() };
    assert_eq!(RowFormat::of(BackupFormat::Csv, &options).unwrap_err().len(), 3);
}

proptest! {
    #[test]
    fn text_of_any_values_is_read_back_in_any_chunks(
        rows in prop::collection::vec(prop::collection::vec(
            prop::option::of(prop::collection::vec(prop_oneof![prop::sample::select(b"\\N.\t\n\rx07".to_vec()), any::<u8>()], 0..8)), 3), 0..8),
        size in 1_usize..20,
    ) {
        let lines: Vec<Vec<u8>> = rows.iter().map(|row| row.iter().map(escape).collect::<Vec<_>>().join(&b'\t')).collect();
        let data: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
        prop_assert_eq!(read(&RowFormat::text(), Some(3), &data, size).unwrap(), rows.clone());
        for (line, row) in lines.iter().zip(&rows) {
            let fields: Vec<Value> = split_row(line, b'\t', b"\\N").map(|f| f.map(Cow::into_owned)).collect();
            prop_assert_eq!(&fields, row);
        }
    }

    #[test]
    fn csv_of_any_values_is_read_back_in_any_chunks(
        rows in prop::collection::vec(prop::collection::vec(
            prop::option::of(prop::collection::vec(prop::sample::select(b"\\.,\"\n\rx".to_vec()), 0..8)), 2), 0..8),
        size in 1_usize..20,
    ) {
        let quoted = |v: &Value| v.as_ref().map_or(String::new(), |v| {
            format!("\"{}\"", std::str::from_utf8(v).unwrap().replace('"', "\"\""))
        });
        let data: String = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n").collect();
        prop_assert_eq!(read(&RowFormat::csv(), Some(2), data.as_bytes(), size).unwrap(), rows);
    }

    #[test]
    fn any_bytes_are_read_the_same_in_any_chunks(
        data in prop::collection::vec(prop_oneof![prop::sample::select(b"\\.N,\"'\t\n\r".to_vec()), any::<u8>()], 0..80),
        size in 1_usize..20,
    ) {
        let escape = with(BackupFormat::Csv, |o| o.escape = Some("'".to_owned()));
        for format in [RowFormat::text(), RowFormat::csv(), escape] {
            prop_assert_eq!(read(&format, None, &data, size), read(&format, None, &data, usize::MAX));
        }
    }
}

#[test]
fn a_row_that_is_written_is_read_as_it_was() {
    let all: Vec<u8> = (0..=255).collect();
    let rows: [&[Option<&[u8]>]; 6] = [
        &[Some(all.as_slice()), None, Some(b"")],
        &[Some(b"\\N"), Some(b"\\."), Some(b"\\")],
        &[Some(b"tab\tline\nreturn\r\x08\x0b\x0c")],
        &[None],
        &[Some(b"")],
        &[Some("grüße ✓".as_bytes()), Some(b"plain")],
    ];
    for fields in rows {
        let mut text = Vec::new();
        write_row(fields.iter().copied(), &mut text);
        let line = text.strip_suffix(b"\n").expect("a line end");
        assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "{fields:?} is one line");
        let read: Vec<Option<Vec<u8>>> = split_row(line, b'\t', b"\\N").map(|f| f.map(|f| f.to_vec())).collect();
        assert_eq!(read, fields.iter().map(|f| f.map(<[u8]>::to_vec)).collect::<Vec<_>>());
    }
    let mut nothing = Vec::new();
    write_row([], &mut nothing);
    assert_eq!(nothing, b"\n", "a row without columns is an empty line");
}
