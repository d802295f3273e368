//! CSV by COPY's rules.
//!
//! They differ from those of common CSV readers in two ways that matter here: whether a value was quoted decides whether it
//! is NULL (`""` is an empty string, nothing at all is NULL by default), and quotes may open and close anywhere in a field
//! (`a"b,c"d` is one field). Hence this small splitter after CopyReadLineText and CopyReadAttributesCSV.

use super::{Boundary, Field, MAX_FIELDS};
use memchr::memchr2;

/// The bytes with a meaning of their own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    pub(super) escape: u8,
}

impl Marks {
    /// Place of the line feed that ends the row: the first one outside quotes.
    pub(super) fn row_end(self, state: &mut Boundary, bytes: &[u8]) -> Option<usize> {
        let Self { quote, escape, .. } = self;
        let mut at = 0;
        loop {
            let from = at;
            let ahead = bytes.get(from..)?;
            let found = if state.in_quote { memchr2(quote, escape, ahead) } else { memchr2(quote, b'\n', ahead) };
            // An escape reaches one byte far.
            let escaped = state.escaped && found == Some(0);
            if !ahead.is_empty() {
                state.escaped = false;
            }
            at += found?;
            match *bytes.get(at)? {
                _ if escaped => {}
                b if state.in_quote && b == escape && escape != quote => state.escaped = true,
                b if b == quote => state.in_quote = !state.in_quote,
                _ => return Some(at),
            }
            at += 1;
        }
    }

    /// The fields of `line`. A quote left open ends with the line: [`Self::row_end`] does not let one through.
    pub(super) fn split(self, line: &[u8], null: &[u8], fields: &mut Vec<Field>, decoded: &mut Vec<u8>) {
        let mut at = 0;
        loop {
            let (field, end) = self.field(line, at, null, decoded);
            fields.push(field);
            if end >= line.len() || fields.len() > MAX_FIELDS {
                return;
            }
            at = end + 1;
        }
    }

    /// The field that starts at `start`, and where its delimiter is (the line's length for the last one).
    fn field(self, line: &[u8], start: usize, null: &[u8], decoded: &mut Vec<u8>) -> (Field, usize) {
        let Self { delimiter, quote, escape } = self;
        let find = |at: usize, b: u8, c: u8| {
            line.get(at..).and_then(|ahead| memchr2(b, c, ahead)).map_or(line.len(), |found| at + found)
        };
        let first = find(start, delimiter, quote);
        let plain = line.get(start..first).unwrap_or_default();
        if line.get(first) != Some(&quote) {
            return (if plain == null { Field::Null } else { Field::InLine(start..first) }, first);
        }
        // The usual quoted field has nothing in it to decode, and lies in the line as it is.
        if plain.is_empty() {
            let close = find(first + 1, quote, escape);
            let after = line.get(close + 1);
            if line.get(close) == Some(&quote) && (after.is_none() || after == Some(&delimiter)) {
                return (Field::InLine(first + 1..close), close + 1);
            }
        }
        let value = decoded.len();
        let mut at = start;
        loop {
            let open = find(at, delimiter, quote);
            decoded.extend_from_slice(line.get(at..open).unwrap_or_default());
            if line.get(open) != Some(&quote) {
                return (Field::Decoded(value..decoded.len()), open);
            }
            at = self.quoted(line, open + 1, decoded);
        }
    }

    /// Decodes from behind an opening quote; returns the place behind the closing one.
    fn quoted(self, line: &[u8], mut at: usize, decoded: &mut Vec<u8>) -> usize {
        let Self { quote, escape, .. } = self;
        while let Some(found) = line.get(at..).and_then(|ahead| memchr2(quote, escape, ahead)) {
            let mark = at + found;
            decoded.extend_from_slice(line.get(at..mark).unwrap_or_default());
            let byte = line.get(mark).copied().unwrap_or(quote);
            match line.get(mark + 1) {
                Some(&next) if byte == escape && (next == escape || next == quote) => {
                    decoded.push(next);
                    at = mark + 2;
                }
                _ if byte == quote => return mark + 1,
                _ => {
                    decoded.push(byte);
                    at = mark + 1;
                }
            }
        }
        decoded.extend_from_slice(line.get(at..).unwrap_or_default());
        line.len()
    }
}
