//! How the values of a type sort, by its usual operators.

use super::numeric;
use crate::heap::Kind;
use crate::route::HashType;
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fmt::Debug;
use std::sync::Arc;

/// A collation that is not that of the bytes. Texts that it finds alike sort by their bytes.
pub trait Collate: Debug + Send + Sync {
    fn compare(&self, a: &CStr, b: &CStr) -> Ordering;
}

#[derive(Debug, Clone)]
pub enum Order {
    /// Little-endian words of so many bytes.
    Signed,
    Unsigned,
    /// NaN is above all others, and equal to itself; zero has no sign.
    Float,
    Bytes,
    Numeric,
    /// Labels by their rank.
    Labels(BTreeMap<Vec<u8>, u64>),
    Text {
        /// Blanks at the end mean nothing.
        trimmed: bool,
        /// None: byte by byte.
        collation: Option<Arc<dyn Collate>>,
    },
}

impl Order {
    /// Of the types that need neither a collation nor a list of labels. None for the others, and for those without an order.
    pub fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Scalar(HashType::Oid | HashType::Boolean | HashType::Char) => Self::Unsigned,
            Kind::Scalar(HashType::Real | HashType::Double) => Self::Float,
            Kind::Scalar(_) => Self::Signed,
            Kind::Uuid | Kind::Bytea => Self::Bytes,
            Kind::Numeric { .. } => Self::Numeric,
            Kind::Name | Kind::Text { .. } | Kind::Bpchar { .. } | Kind::Json | Kind::Enum(_) => return None,
        })
    }

    /// The places of the values in their order, equal ones by place, in groups of equal ones. None where a value is not understood.
    pub(super) fn sort(&self, values: &[&[u8]]) -> Option<Sorted> {
        match self {
            Self::Signed => words(values, signed),
            Self::Unsigned => words(values, |value| word(value).map(u64::from_le_bytes)),
            Self::Float => words(values, float),
            Self::Labels(ranks) => words(values, |value| ranks.get(value).copied()),
            Self::Bytes => Some(bytes(values)),
            Self::Numeric => {
                let keys: Option<Vec<SmallVec<[u8; 24]>>> = values.iter().map(|value| numeric::key(value)).collect();
                Some(bytes(&keys?))
            }
            Self::Text { trimmed, collation } => {
                let values: Vec<&[u8]> = values.iter().map(|v| if *trimmed { trim(v) } else { *v }).collect();
                match collation {
                    None => Some(bytes(&values)),
                    Some(collation) => collated(&values, collation.as_ref()),
                }
            }
        }
    }
}

/// Places of values in order; and for each group of equal ones, where it starts there.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) places: Vec<u32>,
    pub(super) groups: Vec<usize>,
}

/// Sorts by words, and by `compare` where these are equal.
fn sort(mut items: Vec<(u64, u32)>, compare: impl Fn(u32, u32) -> Ordering) -> Sorted {
    items.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| compare(a.1, b.1)).then(a.1.cmp(&b.1)));
    let begins = |(before, this): (&(u64, u32), &(u64, u32))| before.0 != this.0 || compare(before.1, this.1).is_ne();
    let pairs = items.iter().zip(items.iter().skip(1));
    let starts = pairs.zip(1..).filter(|(pair, _)| begins(*pair)).map(|(_, start)| start);
    let groups = std::iter::once(0).filter(|_| !items.is_empty()).chain(starts).collect();
    Sorted { places: items.iter().map(|item| item.1).collect(), groups }
}

fn words(values: &[&[u8]], word: impl Fn(&[u8]) -> Option<u64>) -> Option<Sorted> {
    let items: Option<Vec<(u64, u32)>> =
        values.iter().map(|value| word(value)).zip(0..).map(|(w, n)| Some((w?, n))).collect();
    Some(sort(items?, |_, _| Ordering::Equal))
}

fn bytes<T: AsRef<[u8]>>(values: &[T]) -> Sorted {
    let value = |n: u32| values.get(n as usize).map(AsRef::as_ref);
    let first = |value: &T| {
        let mut first = [0; 8];
        first.iter_mut().zip(value.as_ref()).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(first)
    };
    sort(values.iter().map(first).zip(0..).collect(), |a, b| value(a).cmp(&value(b)))
}

fn collated(values: &[&[u8]], collation: &dyn Collate) -> Option<Sorted> {
    let texts: Option<Vec<CString>> = values.iter().map(|value| CString::new(*value).ok()).collect();
    let texts = texts?;
    let compare = |a: u32, b: u32| {
        let (Some(a), Some(b)) = (texts.get(a as usize), texts.get(b as usize)) else { return Ordering::Equal };
        if a == b { Ordering::Equal } else { collation.compare(a, b).then_with(|| a.cmp(b)) }
    };
    Some(sort((0..).take(values.len()).map(|n| (0, n)).collect(), compare))
}

fn word(value: &[u8]) -> Option<[u8; 8]> {
    let mut word = [0; 8];
    word.get_mut(..value.len())?.copy_from_slice(value);
    Some(word)
}

fn signed(value: &[u8]) -> Option<u64> {
    let unused = u64::BITS.checked_sub(8 * value.len() as u32)?;
    // Shifted to the top, where the sign is.
    Some(u64::from_le_bytes(word(value)?).checked_shl(unused)? ^ 1 << 63)
}

fn float(value: &[u8]) -> Option<u64> {
    let float = match value.len() {
        4 => f32::from_le_bytes(value.try_into().ok()?).into(),
        _ => f64::from_le_bytes(value.try_into().ok()?),
    };
    if float.is_nan() {
        return Some(u64::MAX);
    }
    // Adding zero takes the sign from zero.
    let bits = (float + 0.0).to_bits();
    Some(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
}

fn trim(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    value.get(..end).unwrap_or(value)
}
