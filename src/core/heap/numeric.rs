//! `numeric` as it is stored: a header with sign, display scale and weight, then digits of base 10,000 (`numeric.c`).

use smallvec::SmallVec;

/// Decimal digits of one stored digit.
const PER_DIGIT: usize = 4;
/// Decimal digits that are read here; more are left to the server.
const MAX_DIGITS: usize = 1000;
/// Marks and bounds of the short header.
const SHORT: u16 = 0x8000;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_SCALE_SHIFT: u32 = 7;
const SHORT_MAX_SCALE: usize = 63;
const SHORT_WEIGHTS: std::ops::RangeInclusive<i32> = -64..=63;
const SHORT_NEGATIVE_WEIGHT: u16 = 0x0040;
const SHORT_WEIGHT: u16 = 0x003F;
/// Mark of the long header.
const LONG_NEGATIVE: u16 = 0x4000;
const LONG_SCALE: u16 = 0x3FFF;
/// Both bits: infinity, or not a number.
const SPECIAL: u16 = 0xC000;
/// NUMERIC_NEG, by which a negative value is told when it travels.
const SENT_NEGATIVE: u16 = 0x4000;

/// Appends the stored form of a plain decimal literal. `limits`: digits in all and behind the point. None where the server would round,
/// for the special values, and for what is no such literal.
pub(super) fn encode(text: &[u8], limits: Option<(u32, u32)>, out: &mut Vec<u8>) -> Option<()> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let point = memchr::memchr(b'.', unsigned);
    let (whole, fraction) = match point {
        Some(at) => (unsigned.get(..at)?, unsigned.get(at + 1..)?),
        None => (unsigned, &[] as &[u8]),
    };
    let digits = whole.len() + fraction.len();
    let plain = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    if digits == 0 || digits > MAX_DIGITS || !plain || point.is_some() && fraction.is_empty() {
        return None;
    }
    let zeros = whole.iter().take_while(|d| **d == b'0').count();
    let whole = whole.get(zeros..)?;
    let scale = match limits {
        None => fraction.len(),
        Some((precision, scale)) => {
            let (precision, scale) = (precision as usize, scale as usize);
            let fits = fraction.len() <= scale && whole.len() <= precision - scale;
            fits.then_some(scale)?
        }
    };
    let mut stored: SmallVec<[u16; 16]> = SmallVec::new();
    let (first, rest) = whole.split_at_checked(whole.len() % PER_DIGIT)?;
    if !first.is_empty() {
        stored.push(digit(first, first.len()));
    }
    stored.extend(rest.chunks(PER_DIGIT).map(|d| digit(d, PER_DIGIT)));
    let mut weight = i32::try_from(stored.len()).ok()? - 1;
    stored.extend(fraction.chunks(PER_DIGIT).map(|d| digit(d, PER_DIGIT)));
    let leading = stored.iter().take_while(|d| **d == 0).count();
    let end = stored.iter().rposition(|d| *d != 0).map_or(leading, |last| last + 1);
    weight -= i32::try_from(leading).ok()?;
    let stored = stored.get(leading..end)?;
    let (negative, weight) = if stored.is_empty() { (false, 0) } else { (negative, weight) };
    if scale <= SHORT_MAX_SCALE && SHORT_WEIGHTS.contains(&weight) {
        let sign = if negative { SHORT_NEGATIVE } else { 0 };
        let below = if weight < 0 { SHORT_NEGATIVE_WEIGHT } else { 0 };
        let header = SHORT | sign | (scale as u16) << SHORT_SCALE_SHIFT | below | weight as u16 & SHORT_WEIGHT;
        out.extend(header.to_le_bytes());
    } else {
        let sign = if negative { LONG_NEGATIVE } else { 0 };
        out.extend((sign | u16::try_from(scale).ok()?).to_le_bytes());
        out.extend(i16::try_from(weight).ok()?.to_le_bytes());
    }
    stored.iter().for_each(|d| out.extend(d.to_le_bytes()));
    Some(())
}

/// Appends the form in which `numeric_send` has a stored value: the number of digits, weight, sign, scale, and the digits. None for the
/// special values, which [`encode`] does not make.
pub(super) fn send(stored: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (words, []) = stored.as_chunks::<2>() else { return None };
    let mut words = words.iter().map(|word| u16::from_le_bytes(*word));
    let header = words.next()?;
    let (sign, scale, weight) = if header & SPECIAL == SPECIAL {
        return None;
    } else if header & SHORT != 0 {
        // A negative weight has all bits above it.
        let above = if header & SHORT_NEGATIVE_WEIGHT != 0 { !SHORT_WEIGHT } else { 0 };
        let scale = header >> SHORT_SCALE_SHIFT & SHORT_MAX_SCALE as u16;
        (header & SHORT_NEGATIVE, scale, above | header & SHORT_WEIGHT)
    } else {
        (header & LONG_NEGATIVE, header & LONG_SCALE, words.next()?)
    };
    let sign = if sign == 0 { 0 } else { SENT_NEGATIVE };
    let count = u16::try_from(words.len()).ok()?;
    for word in [count, weight, sign, scale].into_iter().chain(words) {
        out.extend(word.to_be_bytes());
    }
    Some(())
}

/// Up to four decimal digits as one, with zeros behind them up to `width`.
fn digit(decimals: &[u8], width: usize) -> u16 {
    let value = decimals.iter().fold(0_u16, |sum, d| sum * 10 + u16::from(d - b'0'));
    (decimals.len()..width).fold(value, |v, _| v * 10)
}
