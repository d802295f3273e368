//! Dates and timestamps in ISO style, as `pg_dump` writes them, to PostgreSQL's own counts.
//!
//! Days or microseconds since 2000-01-01 in the proleptic Gregorian calendar; the infinities are the ends of the
//! integer that stores them. A local time without its offset is not a point in time, and gives None.

use super::types::MAX_PRECISION;
use std::ops::{Range, RangeInclusive};

/// Days from 0000-03-01 to 2000-01-01.
const EPOCH: i64 = 730_425;

/// From Julian day 0 (4714-11-24 BC) to the end of 5874897, in days.
const DATES: Range<i64> = -2_451_545..2_145_031_949;

/// From Julian day 0 to the end of 294276, in microseconds.
const TIMESTAMPS: Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Largest hour of an offset from UTC that PostgreSQL takes.
const MAX_OFFSET_HOUR: i64 = 15;

pub(super) fn date(text: &[u8]) -> Option<i64> {
    match text {
        b"infinity" => return Some(i32::MAX.into()),
        b"-infinity" => return Some(i32::MIN.into()),
        _ => {}
    }
    let (mut rest, before_christ) = era(text);
    let days = rest.days(before_christ)?;
    (rest.0.is_empty() && DATES.contains(&days)).then_some(days)
}

pub(super) fn timestamp(text: &[u8], precision: u32) -> Option<i64> {
    point(text, precision, |rest| rest.0.is_empty().then_some(0))
}

pub(super) fn timestamptz(text: &[u8], precision: u32) -> Option<i64> {
    point(text, precision, |rest| rest.offset())
}

/// `offset` reads what is left after the time of day, all of it: seconds east of UTC.
fn point(text: &[u8], precision: u32, offset: fn(&mut Unread<'_>) -> Option<i64>) -> Option<i64> {
    match text {
        b"infinity" => return Some(i64::MAX),
        b"-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (mut rest, before_christ) = era(text);
    let days = rest.days(before_christ)?;
    let _separator = rest.one_of(b" T")?;
    let time = rest.time_of_day()?;
    if time % 10_i64.pow(MAX_PRECISION.saturating_sub(precision)) != 0 {
        return None;
    }
    let shift = time - offset(&mut rest)? * MICROS_PER_SECOND;
    days.checked_mul(MICROS_PER_DAY)?.checked_add(shift).filter(|micros| TIMESTAMPS.contains(micros))
}

fn era(text: &[u8]) -> (Unread<'_>, bool) {
    text.strip_suffix(b" BC").map_or((Unread(text), false), |rest| (Unread(rest), true))
}

/// The part of a text that has not been read yet.
struct Unread<'a>(&'a [u8]);

impl Unread<'_> {
    /// `YYYY-MM-DD`, the year of up to seven digits.
    fn days(&mut self, before_christ: bool) -> Option<i64> {
        let year = self.number(4..=7).filter(|y| *y > 0)?;
        let month = self.after(b'-')?.filter(|m| (1..=12).contains(m))?;
        let day = self.after(b'-')?.filter(|d| *d > 0)?;
        let year = if before_christ { 1 - year } else { year };
        let from = days_before(year, month);
        let next = if month == 12 { days_before(year + 1, 1) } else { days_before(year, month + 1) };
        let days = from + day - 1;
        (days < next).then_some(days)
    }

    /// `HH:MM:SS[.ffffff]`, in microseconds.
    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.number(2..=2).filter(|h| *h < 24)?;
        let minute = self.after(b':')?.filter(|m| *m < 60)?;
        let second = self.after(b':')?.filter(|s| *s < 60)?;
        let fraction = match self.one_of(b".") {
            Some(_) => self.fraction()?,
            None => 0,
        };
        Some(((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + fraction)
    }

    fn fraction(&mut self) -> Option<i64> {
        let before = self.0.len();
        let number = self.number(1..=MAX_PRECISION as usize)?;
        let digits = u32::try_from(before - self.0.len()).ok()?;
        Some(number * 10_i64.pow(MAX_PRECISION.saturating_sub(digits)))
    }

    /// `Z` or `±HH[:MM[:SS]]` and nothing after it, in seconds.
    fn offset(&mut self) -> Option<i64> {
        let seconds = match self.one_of(b"+-Z")? {
            b'Z' => 0,
            sign => {
                let hours = self.number(2..=2).filter(|h| *h <= MAX_OFFSET_HOUR)?;
                let minutes = self.after(b':').map_or(Some(0), |m| m.filter(|m| *m < 60))?;
                let seconds = self.after(b':').map_or(Some(0), |s| s.filter(|s| *s < 60))?;
                let size = (hours * 60 + minutes) * 60 + seconds;
                if sign == b'-' { -size } else { size }
            }
        };
        self.0.is_empty().then_some(seconds)
    }

    /// Two digits behind a separator: None if the separator is not there, Some(None) if the digits are not.
    fn after(&mut self, separator: u8) -> Option<Option<i64>> {
        self.one_of(&[separator])?;
        Some(self.number(2..=2))
    }

    fn number(&mut self, digits: RangeInclusive<usize>) -> Option<i64> {
        let length = self.0.iter().take(*digits.end()).take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(length).filter(|_| digits.contains(&length))?;
        self.0 = rest;
        Some(number.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0')))
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first().filter(|(first, _)| bytes.contains(first))?;
        self.0 = rest;
        Some(*first)
    }
}

/// Days from 2000-01-01 to the first of a month. Years run from March here, so that a leap day comes last; the months
/// since March then begin on day (153 m + 2) / 5.
fn days_before(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 - EPOCH
}
