//! Where one token of SQL ends.
//!
//! A pure function of the text: it looks at what the text starts with and says what that is and how long it is. It knows
//! just enough of PostgreSQL's lexical rules (scan.l of the server and psqlscan.l of psql) to step over everything in
//! which a semicolon or a dollar sign means nothing: quotes of all kinds and comments. `standard_conforming_strings` is
//! on, as in every dump. A stream is lexed by asking again with more text when a token runs out of it.

use memchr::{memchr, memchr2, memmem};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    /// A keyword or an unquoted identifier.
    Word,
    Number,
    /// `$1`
    Parameter,
    /// `'…'`, `E'…'`, `"…"` or `$tag$…$tag$`; a doubled quote ends one such token and starts the next.
    Quoted,
    /// Any other single byte.
    Byte(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Bytes, at least one.
    pub(super) len: usize,
}

/// The token that `text` starts with. `whole`: no more text follows. None where the text ends before the token does (with
/// `whole`: an open quote or comment), and for an empty text.
pub(super) fn token(text: &[u8], whole: bool) -> Option<Token> {
    let first = *text.first()?;
    let second = text.get(1).copied();
    let (kind, len) = match first {
        // A blank run cut in two is two blank runs: no need to wait for its end.
        _ if is_space(first) => (Kind::Space, run(text, true, is_space)?),
        b'-' | b'/' | b'$' if second.is_none() && !whole => return None,
        b'-' if second == Some(b'-') => {
            (Kind::Comment, memchr2(b'\n', b'\r', text).or_else(|| whole.then_some(text.len()))?)
        }
        b'/' if second == Some(b'*') => (Kind::Comment, block_comment(text)?),
        b'\'' | b'"' => (Kind::Quoted, 2 + memchr(first, text.get(1..)?)?),
        b'e' | b'E' if second == Some(b'\'') => (Kind::Quoted, escape_string(text, whole)?),
        b'$' if second.is_some_and(|b| b.is_ascii_digit()) => {
            (Kind::Parameter, 1 + run(text.get(1..)?, whole, |b| b.is_ascii_digit())?)
        }
        b'$' => dollar_quote(text, whole)?,
        _ if first.is_ascii_digit() => (Kind::Number, run(text, whole, |b| is_name(b) || b.is_ascii_digit())?),
        _ if is_name(first) => (Kind::Word, run(text, whole, |b| is_name(b) || b.is_ascii_digit() || b == b'$')?),
        _ => (Kind::Byte(first), 1),
    };
    Some(Token { kind, len })
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// Length of the bytes that belong to the run; None when it may go on behind the text.
fn run(text: &[u8], whole: bool, belongs: impl Fn(u8) -> bool) -> Option<usize> {
    text.iter().position(|&b| !belongs(b)).or_else(|| whole.then_some(text.len()))
}

/// Comments nest in PostgreSQL.
fn block_comment(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (2, 1_usize);
    while depth > 0 {
        at += memchr2(b'*', b'/', text.get(at..)?)?;
        match (text.get(at)?, text.get(at + 1)?) {
            (b'*', b'/') => depth -= 1,
            (b'/', b'*') => depth += 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    Some(at)
}

/// `E'…'` with all its parts: a string goes on in a further quote when a line end stands between the two, and backslashes
/// keep their meaning there.
fn escape_string(text: &[u8], whole: bool) -> Option<usize> {
    let mut at = 2;
    loop {
        at += memchr2(b'\'', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'\\') {
            at += 2;
            continue;
        }
        at += 1;
        match next_part(text.get(at..)?, whole)? {
            Some(skip) => at += skip,
            None => return Some(at),
        }
    }
}

/// Bytes up to and with the quote that continues a string which has just ended; `Some(None)` where none does.
fn next_part(text: &[u8], whole: bool) -> Option<Option<usize>> {
    let (mut at, mut line_end) = (0, false);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if rest.first() == Some(&b'\'') {
            return Some((at == 0 || line_end).then_some(at + 1));
        }
        match token(rest, whole) {
            Some(Token { kind: Kind::Space, len }) => {
                line_end |= rest.iter().take(len).any(|b| matches!(b, b'\n' | b'\r'));
                at += len;
            }
            Some(Token { kind: Kind::Comment, len }) if rest.starts_with(b"--") => at += len,
            None if !whole && (rest.is_empty() || rest.starts_with(b"-")) => return None,
            _ => return Some(None),
        }
    }
}

/// `$tag$…$tag$`, or a lone dollar sign.
fn dollar_quote(text: &[u8], whole: bool) -> Option<(Kind, usize)> {
    let tag = 1 + run(text.get(1..)?, whole, |b| is_name(b) || b.is_ascii_digit())?;
    if text.get(tag) != Some(&b'$') {
        return Some((Kind::Byte(b'$'), 1));
    }
    let (delimiter, body) = text.split_at_checked(tag + 1)?;
    Some((Kind::Quoted, delimiter.len() + memmem::find(body, delimiter)? + delimiter.len()))
}
