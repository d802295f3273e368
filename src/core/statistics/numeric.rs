//! Keys of stored `numeric` values that sort byte by byte as the values do (`numeric.c`).

use smallvec::SmallVec;

/// The bits that tell the forms of a header apart, and the special values.
const FORM: u16 = 0xC000;
const SPECIAL: u16 = 0xC000;
const SPECIAL_KIND: u16 = 0xF000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;
const NEGATIVE: u16 = 0x4000;
const SHORT: u16 = 0x8000;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_NEGATIVE_WEIGHT: u16 = 0x0040;
const SHORT_WEIGHT: u16 = 0x003F;

/// First bytes of keys.
const LOWEST: u8 = 0;
const BELOW_ZERO: u8 = 1;
const ZERO: u8 = 2;
const ABOVE_ZERO: u8 = 3;
const HIGHEST: u8 = 4;
const NOT_A_NUMBER: u8 = 5;

/// None for bytes that are no numeric.
pub(super) fn key(stored: &[u8]) -> Option<SmallVec<[u8; 24]>> {
    let (words, []) = stored.as_chunks::<2>() else { return None };
    let mut words = words.iter().map(|word| u16::from_le_bytes(*word));
    let header = words.next()?;
    let mut out = SmallVec::new();
    if header & FORM == SPECIAL {
        out.push(match header & SPECIAL_KIND {
            INFINITY => HIGHEST,
            MINUS_INFINITY => LOWEST,
            _ => NOT_A_NUMBER,
        });
        return Some(out);
    }
    let (negative, weight) = if header & SHORT != 0 {
        let below = if header & SHORT_NEGATIVE_WEIGHT != 0 { !SHORT_WEIGHT } else { 0 };
        (header & SHORT_NEGATIVE != 0, (header & SHORT_WEIGHT | below) as i16)
    } else {
        (header & FORM == NEGATIVE, words.next()? as i16)
    };
    // Neither the first nor the last digit is zero; zero has none.
    let mut words = words.peekable();
    if words.peek().is_none() {
        out.push(ZERO);
        return Some(out);
    }
    out.push(if negative { BELOW_ZERO } else { ABOVE_ZERO });
    // One more than a digit, so that the end of the shorter number is below everything, and in the mirror above.
    let size = (weight as u16) ^ 0x8000;
    let digits = std::iter::once(size).chain(words.map(|digit| digit.wrapping_add(1))).chain(negative.then_some(0));
    digits.for_each(|word| out.extend(if negative { !word } else { word }.to_be_bytes()));
    Some(out)
}
