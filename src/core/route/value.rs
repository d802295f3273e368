//! A key value, read from its text into the form that is hashed and compared.
//!
//! Reading is strict: what `COPY … TO` writes, and little more. Whatever the server might read in another way than
//! literally (rounding to a scale, a session's time zone, cut blanks) gives None, never a guess.

use super::decimal::Decimal;
use super::time;
use super::types::HashType;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Values of one column are all of one variant; their order is that of PostgreSQL's default btree operators, for
/// types which [have a known one](HashType::has_known_order).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value<'a> {
    /// Integers, booleans, oids; days or microseconds since 2000-01-01.
    Int(i64),
    Float(Float),
    Decimal(Decimal),
    Bytes(Cow<'a, [u8]>),
}

/// Never -0, and one NaN only: then the bits' total order is PostgreSQL's, NaN last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Float(pub(super) f64);

/// Longest name that type `name` takes uncut, in bytes (NAMEDATALEN - 1).
const MAX_NAME: usize = 63;

impl<'a> Value<'a> {
    pub(super) fn read(hash_type: HashType, text: &'a [u8]) -> Option<Self> {
        let str = || std::str::from_utf8(text).ok();
        Some(match hash_type {
            HashType::SmallInt => Self::Int(str()?.parse::<i16>().ok()?.into()),
            HashType::Integer => Self::Int(str()?.parse::<i32>().ok()?.into()),
            HashType::BigInt => Self::Int(str()?.parse().ok()?),
            HashType::Oid => Self::Int(str()?.parse::<u32>().ok()?.into()),
            HashType::Boolean => Self::Int(boolean(text)?.into()),
            HashType::Char => Self::Int(char(text)?.into()),
            HashType::Real => Self::Float(Float::new(float::<f32>(str()?)?.into())),
            HashType::Double => Self::Float(Float::new(float::<f64>(str()?)?)),
            HashType::Numeric { scale } => Self::Decimal(Decimal::read(text, scale)?),
            HashType::Text { limit } => Self::Bytes(Cow::Borrowed(varchar(text, limit)?)),
            HashType::Bpchar => Self::Bytes(Cow::Borrowed(without_trailing_blanks(text))),
            HashType::Name => Self::Bytes(Cow::Borrowed(Some(text).filter(|t| t.len() <= MAX_NAME)?)),
            HashType::Uuid => Self::Bytes(Cow::Owned(uuid(text)?)),
            HashType::Bytea => Self::Bytes(Cow::Owned(hexadecimal(text.strip_prefix(b"\\x")?)?)),
            HashType::Date => Self::Int(time::date(text)?),
            HashType::Timestamp { precision } => Self::Int(time::timestamp(text, precision)?),
            HashType::TimestampTz { precision } => Self::Int(time::timestamptz(text, precision)?),
        })
    }

    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Int(int) => Value::Int(int),
            Self::Float(float) => Value::Float(float),
            Self::Decimal(decimal) => Value::Decimal(decimal),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
        }
    }
}

/// A value of a type that fits a machine word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    Int(i64),
    /// As it was written: -0 is not 0.
    Float(f64),
}

/// The value that is stored, read as strictly as for routing; None for types of another kind as well.
pub fn scalar(hash_type: HashType, text: &[u8]) -> Option<Scalar> {
    let str = || std::str::from_utf8(text).ok();
    match hash_type {
        HashType::Real => Some(Scalar::Float(float::<f32>(str()?)?.into())),
        HashType::Double => Some(Scalar::Float(float::<f64>(str()?)?)),
        _ => match Value::read(hash_type, text)? {
            Value::Int(int) => Some(Scalar::Int(int)),
            Value::Float(_) | Value::Decimal(_) | Value::Bytes(_) => None,
        },
    }
}

impl Float {
    fn new(value: f64) -> Self {
        if value.is_nan() {
            Self(f64::NAN)
        } else if value == 0.0 {
            Self(0.0)
        } else {
            Self(value)
        }
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Float {}

fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"t" | b"true" => Some(true),
        b"f" | b"false" => Some(false),
        _ => None,
    }
}

/// ASCII only: whether a higher byte is negative depends on the server's machine.
fn char(text: &[u8]) -> Option<u8> {
    match text {
        [] => Some(0),
        [byte] if byte.is_ascii() => Some(*byte),
        _ => None,
    }
}

/// A decimal literal or one of PostgreSQL's three words. What overflows or underflows is an error on the server.
fn float<F: std::str::FromStr + Into<f64> + Copy>(text: &str) -> Option<F> {
    let value: F = text.parse().ok()?;
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return Some(value);
    }
    let literal = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let mantissa = text.split(['e', 'E']).next()?;
    let lost = value.into() == 0.0 && mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    (literal && value.into().is_finite() && !lost).then_some(value)
}

/// The server drops blanks that exceed the limit. Counted in bytes, which are at least as many as the characters in
/// every encoding: better to ask once too often.
fn varchar(text: &[u8], limit: Option<u32>) -> Option<&[u8]> {
    let over = limit.is_some_and(|limit| text.len() > limit as usize);
    (!over || !text.ends_with(b" ")).then_some(text)
}

fn without_trailing_blanks(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

/// Sixteen bytes in the form `8-4-4-4-12`.
fn uuid(text: &[u8]) -> Option<Vec<u8>> {
    let groups = text.split(|b| *b == b'-');
    let bytes = groups.clone().map(hexadecimal).collect::<Option<Vec<_>>>()?.concat();
    groups.map(<[u8]>::len).eq([8, 4, 4, 4, 12]).then_some(bytes)
}

fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| u8::try_from(nibble(*high)? << 4 | nibble(*low)?).ok()).collect()
}
