//! COPY's text format: one row a line, fields between delimiters, backslash escapes.

use super::{Boundary, Field, MAX_FIELDS};
use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// The fields of one line of COPY text (without its line end), decoded one by one as they are asked for: NULL is None, and
/// a value without escapes is borrowed. `nth` steps over fields without decoding them.
pub fn split_row<'a>(line: &'a [u8], delimiter: u8, null: &'a [u8]) -> Fields<'a> {
    Fields { rest: Some(line), delimiter, null }
}

#[derive(Debug, Clone)]
pub struct Fields<'a> {
    /// None behind the last field.
    rest: Option<&'a [u8]>,
    delimiter: u8,
    null: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The next field as written, and whether there is a backslash in it.
    fn next_raw(&mut self) -> Option<(&'a [u8], bool)> {
        let rest = self.rest.take()?;
        let (mut at, mut escapes) = (0, false);
        loop {
            let Some(found) = rest.get(at..).and_then(|ahead| memchr2(self.delimiter, b'\\', ahead)) else {
                return Some((rest, escapes));
            };
            at += found;
            if rest.get(at) == Some(&self.delimiter) {
                let (field, after) = rest.split_at_checked(at)?;
                self.rest = after.get(1..);
                return Some((field, escapes));
            }
            // A backslash takes the next byte with it, even a delimiter.
            escapes = true;
            at += 2;
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<Cow<'a, [u8]>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (raw, escapes) = self.next_raw()?;
        // As in COPY, the null string is compared before anything is decoded.
        if raw == self.null {
            return Some(None);
        }
        if !escapes {
            return Some(Some(Cow::Borrowed(raw)));
        }
        let mut value = Vec::with_capacity(raw.len());
        unescape(raw, &mut value);
        Some(Some(Cow::Owned(value)))
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        for _ in 0..n {
            self.next_raw()?;
        }
        self.next()
    }
}

/// The fields of `line`, for a reader that keeps its buffers.
pub(super) fn split(line: &[u8], delimiter: u8, null: &[u8], fields: &mut Vec<Field>, decoded: &mut Vec<u8>) {
    let mut raws = split_row(line, delimiter, null);
    let mut at = 0;
    while let Some((raw, escapes)) = raws.next_raw() {
        fields.push(if raw == null {
            Field::Null
        } else if escapes {
            let start = decoded.len();
            unescape(raw, decoded);
            Field::Decoded(start..decoded.len())
        } else {
            Field::InLine(at..at + raw.len())
        });
        if fields.len() > MAX_FIELDS {
            return;
        }
        at += raw.len() + 1;
    }
}

/// Place of the line feed that ends the row; one behind a backslash belongs to a value.
pub(super) fn row_end(state: &mut Boundary, bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let ahead = bytes.get(from..)?;
        let found = memchr(b'\n', ahead);
        let before = ahead.get(..found.unwrap_or(ahead.len()))?;
        let backslashes = before.iter().rev().take_while(|&&b| b == b'\\').count();
        let carried = backslashes == before.len() && state.escaped;
        state.escaped = (backslashes % 2 == 1) != carried;
        let found = found?;
        if !state.escaped {
            return Some(from + found);
        }
        state.escaped = false;
        from += found + 1;
    }
}

/// Appends the value of a field written with backslash escapes (CopyReadAttributesText): `\b \f \n \r \t \v`, up to three
/// octal digits, `\x` and up to two hexadecimal ones; any other byte behind a backslash stands for itself.
fn unescape(mut raw: &[u8], value: &mut Vec<u8>) {
    while let Some(at) = memchr(b'\\', raw) {
        let (plain, escape) = raw.split_at_checked(at).unwrap_or((raw, &[]));
        value.extend_from_slice(plain);
        let Some((&code, after)) = escape.get(1..).and_then(<[u8]>::split_first) else { return };
        raw = after;
        value.push(match code {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => number(&mut raw, code - b'0', 8, 2),
            b'x' if after.first().is_some_and(u8::is_ascii_hexdigit) => number(&mut raw, 0, 16, 2),
            other => other,
        });
    }
    value.extend_from_slice(raw);
}

/// Goes on reading digits of a number, at most `digits`; only the low eight bits count, as in COPY.
fn number(raw: &mut &[u8], first: u8, base: u8, digits: usize) -> u8 {
    let mut value = first;
    for _ in 0..digits {
        let Some((&byte, after)) = raw.split_first() else { break };
        let Some(digit) = char::from(byte).to_digit(u32::from(base)).and_then(|d| u8::try_from(d).ok()) else { break };
        value = value.wrapping_mul(base).wrapping_add(digit);
        *raw = after;
    }
    value
}

/// Appends a row as COPY writes it with its default options (CopyAttributeOutText).
pub fn write_row<'a>(fields: impl IntoIterator<Item = Option<&'a [u8]>>, out: &mut Vec<u8>) {
    for (i, field) in fields.into_iter().enumerate() {
        if i > 0 {
            out.push(b'\t');
        }
        match field {
            Some(value) => escape(value, out),
            None => out.extend_from_slice(b"\\N"),
        }
    }
    out.push(b'\n');
}

fn escape(mut value: &[u8], out: &mut Vec<u8>) {
    let letter = |byte: u8| match byte {
        0x08 => Some(b'b'),
        0x0c => Some(b'f'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        0x0b => Some(b'v'),
        b'\\' => Some(b'\\'),
        _ => None,
    };
    while let Some((at, letter)) = value.iter().enumerate().find_map(|(at, byte)| Some((at, letter(*byte)?))) {
        let (plain, rest) = value.split_at_checked(at).unwrap_or((value, &[]));
        out.extend_from_slice(plain);
        out.extend_from_slice(&[b'\\', letter]);
        value = rest.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(value);
}
