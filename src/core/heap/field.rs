//! One value: from COPY's text (already unescaped) to the bytes that a tuple holds.
//!
//! Strict, as [`crate::route`] is: what `COPY … TO` writes. Where the server would round, cut, or refuse, the answer is None.

use super::numeric;
use crate::route::{HashType, Scalar, scalar};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// A built-in type whose values are understood, or an enum with the numbers of its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One of fixed length that fits a machine word, as the router reads it.
    Scalar(HashType),
    Uuid,
    Name,
    /// `text` and `character varying(n)`; characters kept, None keeps all.
    Text {
        limit: Option<u32>,
    },
    /// `character(n)`: padded with blanks to so many characters.
    Bpchar {
        length: Option<u32>,
    },
    Bytea,
    /// Digits in all, and behind the point.
    Numeric {
        limits: Option<(u32, u32)>,
    },
    Json,
    Enum(BTreeMap<Vec<u8>, u32>),
}

/// Bytes of a `name`, NAMEDATALEN.
const NAME: usize = 64;

impl Kind {
    /// The type of a column, from its name as `format_type` writes it; None for a type not understood here.
    pub fn of_type(type_name: &str) -> Option<Self> {
        // The name of an array begins like that of its elements, modifier and all.
        if type_name.ends_with("[]") {
            return None;
        }
        let (plain, modifier) = match type_name.split_once('(') {
            Some((plain, rest)) => (plain, Some(rest.split_once(')')?.0)),
            None => (type_name, None),
        };
        let number = |text: Option<&str>| text.map(str::parse::<u32>).transpose().ok();
        Some(match plain.trim_end() {
            "uuid" => Self::Uuid,
            "name" => Self::Name,
            "text" => Self::Text { limit: None },
            "character varying" => Self::Text { limit: number(modifier)? },
            "character" | "bpchar" => Self::Bpchar { length: number(modifier)? },
            "bytea" => Self::Bytea,
            "json" => Self::Json,
            "numeric" => Self::Numeric { limits: modifier.map(limits).transpose().ok()? },
            _ => Self::Scalar(HashType::of_type(type_name)?),
        })
    }

    /// Bytes that a value of fixed length takes in a tuple; None for one with a length of its own.
    pub fn length(&self) -> Option<usize> {
        match self {
            Self::Scalar(kind) => Some(match kind {
                HashType::Boolean | HashType::Char => 1,
                HashType::SmallInt => 2,
                HashType::Integer | HashType::Oid | HashType::Real | HashType::Date => 4,
                _ => 8,
            }),
            Self::Uuid => Some(16),
            Self::Name => Some(NAME),
            Self::Enum(_) => Some(4),
            _ => None,
        }
    }

    /// The canonical form of a value in a tuple.
    pub(super) fn shown<'a>(&'a self, stored: &'a [u8]) -> Option<&'a [u8]> {
        let Self::Enum(labels) = self else { return Some(stored) };
        labels.iter().find(|(_, number)| number.to_le_bytes() == stored).map(|(label, _)| label.as_slice())
    }

    /// Bytes to which a value is aligned.
    pub fn alignment(&self) -> usize {
        match self {
            Self::Uuid | Self::Name => 1,
            _ => self.length().unwrap_or(4),
        }
    }

    /// Appends the value's bytes, without a length: the canonical form that checksums are made of, and what a tuple holds (but for an
    /// enum, of which the former is the label: its number is another one in every database).
    pub fn encode(&self, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Scalar(kind) => match (kind, scalar(*kind, text)?) {
                (HashType::Real, Scalar::Float(float)) => out.extend((float as f32).to_le_bytes()),
                (_, Scalar::Float(float)) => out.extend(float.to_le_bytes()),
                (_, Scalar::Int(int)) => out.extend(int.to_le_bytes().get(..self.length()?)?),
            },
            Self::Uuid => uuid(text, out)?,
            Self::Name => {
                let end = out.len() + NAME;
                out.extend(words(text).filter(|t| t.len() < NAME)?);
                out.resize(end, 0);
            }
            Self::Text { limit: None } => out.extend(words(text)?),
            Self::Text { limit: Some(limit) } => {
                let over = text.len() > *limit as usize && characters(words(text)?) > *limit as usize;
                out.extend(words(text).filter(|_| !over)?);
            }
            Self::Bpchar { length } => {
                let there = words(text)?;
                let missing = length.map_or(Some(0), |n| (n as usize).checked_sub(characters(there)))?;
                out.extend(there);
                out.resize(out.len() + missing, b' ');
            }
            Self::Bytea => hexadecimal(text.strip_prefix(b"\\x")?, out)?,
            Self::Numeric { limits } => numeric::encode(text, *limits, out)?,
            Self::Json => {
                serde_json::from_slice::<IgnoredAny>(text).ok()?;
                out.extend(words(text)?);
            }
            Self::Enum(labels) => out.extend(labels.get_key_value(text)?.0),
        }
        Some(())
    }
}

/// `precision,scale`, each not negative: other scales round before the point, which is left to the server.
fn limits(modifier: &str) -> Result<(u32, u32), ()> {
    let (precision, scale) = modifier.split_once(',').unwrap_or((modifier, "0"));
    let read = |text: &str| text.parse::<u32>().map_err(|_| ());
    Ok((read(precision)?, read(scale)?)).and_then(|(p, s)| if s <= p { Ok((p, s)) } else { Err(()) })
}

/// Text that the server takes: UTF-8 without zero bytes.
fn words(text: &[u8]) -> Option<&[u8]> {
    (memchr::memchr(0, text).is_none() && std::str::from_utf8(text).is_ok()).then_some(text)
}

/// Characters of valid UTF-8.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// Sixteen bytes in the form `8-4-4-4-12`.
fn uuid(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    if text.len() != 36 || !DASHES.iter().all(|at| text.get(*at) == Some(&b'-')) {
        return None;
    }
    [0..8, 9..13, 14..18, 19..23, 24..36].into_iter().try_for_each(|group| hexadecimal(text.get(group)?, out))
}

fn hexadecimal(digits: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().try_for_each(|[high, low]| {
        out.push(nibble(*high)? << 4 | nibble(*low)?);
        Some(())
    })
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
