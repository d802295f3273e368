//! A `numeric` of any length, read from its text: compared by value, hashed as PostgreSQL stores it.

use super::lookup3::hash_bytes;
use smallvec::SmallVec;
use std::cmp::Ordering;

/// In the type's order: NaN is greater than everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decimal {
    NegativeInfinity,
    Finite(Finite),
    Infinity,
    NaN,
}

/// `0.d1d2d3… * 10^exponent`. Without zeros at either end, so that a value has one form only; zero has no digits,
/// exponent 0 and no sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finite {
    negative: bool,
    exponent: i32,
    /// 0..=9 each.
    digits: SmallVec<[u8; 24]>,
}

/// Decimal digits that type numeric takes after the point; before it, it takes more.
const MAX_SCALE: usize = 16_383;

/// Largest exponent read, either way; the type itself ends beyond 131,072 digits.
const MAX_EXPONENT: i32 = 100_000;

/// Decimal digits in one stored digit of base 10,000.
const PER_STORED: i32 = 4;

impl Decimal {
    /// None where the server would round to `scale` digits after the point.
    pub(super) fn read(text: &[u8], scale: Option<i32>) -> Option<Self> {
        match text {
            b"NaN" => Some(Self::NaN),
            b"Infinity" => Some(Self::Infinity),
            b"-Infinity" => Some(Self::NegativeInfinity),
            _ => Finite::read(text)
                .filter(|f| scale.is_none_or(|s| f.lowest_power().saturating_add(s) >= 0))
                .map(Self::Finite),
        }
    }

    /// Sign and display scale do not take part; the special values hash to the seed itself.
    pub(super) fn hash(&self, seed: u64) -> u64 {
        match self {
            Self::Finite(finite) if finite.digits.is_empty() => seed.wrapping_sub(1),
            Self::Finite(finite) => {
                let (weight, bytes) = finite.stored();
                hash_bytes(&bytes, seed) ^ i64::from(weight) as u64
            }
            _ => seed,
        }
    }
}

impl Finite {
    fn read(text: &[u8]) -> Option<Self> {
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let mut parts = unsigned.splitn(2, |b| matches!(b, b'e' | b'E'));
        let mantissa = parts.next()?;
        let power: i32 = parts.next().map_or(Some(0), |e| std::str::from_utf8(e).ok()?.parse().ok())?;
        let mut parts = mantissa.splitn(2, |b| *b == b'.');
        let whole = parts.next()?;
        let fraction = parts.next().unwrap_or_default();
        let all = || whole.iter().chain(fraction);
        if all().next().is_none() || !all().all(u8::is_ascii_digit) {
            return None;
        }
        if !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&power) || fraction.len() > MAX_SCALE {
            return None;
        }
        let zeros = all().take_while(|d| **d == b'0').count();
        let mut digits: SmallVec<[u8; 24]> = all().skip(zeros).map(|d| d - b'0').collect();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Self { negative: false, exponent: 0, digits });
        }
        let exponent = i32::try_from(whole.len()).ok()? - i32::try_from(zeros).ok()? + power;
        Some(Self { negative, exponent, digits }).filter(|f| f.lowest_power() >= -(MAX_SCALE as i32))
    }

    /// Power of ten of the last digit.
    fn lowest_power(&self) -> i32 {
        self.exponent - self.digits.len() as i32
    }

    /// Power of 10,000 of the first stored digit, and the stored digits as little-endian int16.
    fn stored(&self) -> (i32, SmallVec<[u8; 32]>) {
        let first = self.exponent - 1;
        let weight = first.div_euclid(PER_STORED);
        let mut bytes = SmallVec::new();
        let mut stored = 0_u16;
        let mut place = first.rem_euclid(PER_STORED);
        for digit in &self.digits {
            stored += u16::from(*digit) * [1, 10, 100, 1000].get(place as usize).copied().unwrap_or(0);
            place -= 1;
            if place < 0 {
                bytes.extend(std::mem::take(&mut stored).to_le_bytes());
                place = PER_STORED - 1;
            }
        }
        if stored != 0 {
            bytes.extend(stored.to_le_bytes());
        }
        (weight, bytes)
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Finite {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_size = self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        self.sign().cmp(&other.sign()).then(if self.negative { by_size.reverse() } else { by_size })
    }
}

impl PartialOrd for Finite {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
