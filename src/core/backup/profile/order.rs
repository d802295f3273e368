//! How a type's text can be ordered.
//!
//! Each order turns a value's text into a key of bytes whose byte order is the type's order: one way to compare them all.
//! Text that is not of the type's form has no key; PostgreSQL writes dumps with DateStyle ISO, so that form is the one read.

/// The order that the text of a type shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueOrder {
    /// Not told by the text: arrays, intervals, enumerations, network addresses, documents, types of extensions.
    None,
    Integer,
    /// numeric: any number of digits, compared exactly.
    Decimal,
    /// real, double precision.
    Float,
    Date,
    Timestamp,
    /// By bytes: right for text under the collation C, and for types whose text is of that order (uuid, bytea, boolean,
    /// time).
    Text,
}

impl ValueOrder {
    /// The order of a type by its name as `format_type` writes it.
    pub fn of_type(type_name: &str) -> Self {
        if type_name.ends_with("[]") {
            return Self::None;
        }
        let base = type_name.split('(').next().unwrap_or_default().trim_end();
        let zoned = type_name.ends_with(" with time zone");
        match base {
            "smallint" | "integer" | "bigint" | "oid" => Self::Integer,
            "numeric" => Self::Decimal,
            "real" | "double precision" => Self::Float,
            "date" => Self::Date,
            "timestamp" | "timestamp without time zone" | "timestamp with time zone" => Self::Timestamp,
            "time" | "time without time zone" if !zoned => Self::Text,
            "text" | "character varying" | "character" | "name" | "\"char\"" | "uuid" | "bytea" | "boolean" => {
                Self::Text
            }
            _ => Self::None,
        }
    }

    /// Bytes in whose order the values stand; None where the text is not of this form.
    pub(super) fn key(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::None => None,
            Self::Integer => Some(signed(std::str::from_utf8(text).ok()?.parse().ok()?)),
            Self::Float => Some(float(std::str::from_utf8(text).ok()?.parse().ok()?)),
            Self::Decimal => decimal(text),
            Self::Date | Self::Timestamp => Some(signed(moment(std::str::from_utf8(text).ok()?)?)),
            Self::Text => Some(text.to_vec()),
        }
    }
}

fn signed(value: i64) -> Vec<u8> {
    (value ^ i64::MIN).to_be_bytes().to_vec()
}

/// IEEE 754's bits stand in the order of the numbers once negative ones are turned round; NaN is the greatest, as in
/// PostgreSQL.
fn float(value: f64) -> Vec<u8> {
    let value = if value.is_nan() { f64::NAN.abs() } else { value + 0.0 };
    let bits = value.to_bits();
    (if value.is_sign_negative() { !bits } else { bits | 1 << 63 }).to_be_bytes().to_vec()
}

/// Sign, number of digits before the point, digits: for negative numbers with all bits turned round.
fn decimal(text: &[u8]) -> Option<Vec<u8>> {
    const LEAST: u8 = 0;
    const NEGATIVE: u8 = 1;
    const POSITIVE: u8 = 2;
    const INFINITY: u8 = 3;
    const NAN: u8 = 4;
    match text {
        b"-Infinity" => return Some(vec![LEAST]),
        b"Infinity" => return Some(vec![INFINITY]),
        b"NaN" => return Some(vec![NAN]),
        _ => {}
    }
    let (digits, negative) = text.strip_prefix(b"-").map_or((text, false), |digits| (digits, true));
    let point = digits.iter().position(|&b| b == b'.').unwrap_or(digits.len());
    let (integer, fraction) = digits.split_at_checked(point)?;
    let fraction = fraction.strip_prefix(b".").unwrap_or_default();
    if integer.len() + fraction.len() == 0 || !integer.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let integer = integer.get(integer.iter().take_while(|&&b| b == b'0').count()..)?;
    let fraction = fraction.get(..fraction.iter().rposition(|&b| b != b'0').map_or(0, |last| last + 1))?;
    let negative = negative && integer.len() + fraction.len() > 0;
    let mut key = vec![if negative { NEGATIVE } else { POSITIVE }];
    key.extend_from_slice(&u32::try_from(integer.len()).ok()?.to_be_bytes());
    key.extend_from_slice(integer);
    key.extend_from_slice(fraction);
    if negative {
        key.iter_mut().skip(1).for_each(|b| *b = !*b);
        // Fewer digits of the same begin are the greater number here.
        key.push(u8::MAX);
    }
    Some(key)
}

/// Microseconds since 1970 of an ISO date or timestamp, with its zone's offset where one is given.
fn moment(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (text, before_christ) = text.strip_suffix(" BC").map_or((text, false), |text| (text, true));
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-');
    let (year, month, day) = (whole(parts.next()?)?, whole(parts.next()?)?, whole(parts.next()?)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_since_1970(if before_christ { 1 - year } else { year }, month, day);
    let (clock, offset) = match time.find(['+', '-']) {
        Some(at) => {
            let (clock, zone) = time.split_at_checked(at)?;
            let ahead = clock_seconds(zone.get(1..)?)?;
            (clock, if zone.starts_with('-') { -ahead } else { ahead })
        }
        None => (time, 0),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    // PostgreSQL keeps six digits and writes no zeros behind the last.
    let micros =
        whole(fraction)?.checked_mul(10_i64.checked_pow(6_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?)?)?;
    days.checked_mul(86_400)?.checked_add(clock_seconds(clock)? - offset)?.checked_mul(1_000_000)?.checked_add(micros)
}

/// `HH`, `HH:MM` or `HH:MM:SS` in seconds.
fn clock_seconds(text: &str) -> Option<i64> {
    let mut seconds = 0;
    for (part, unit) in text.split(':').zip([3600, 60, 1]) {
        seconds += whole(part).filter(|&n| n < 100)? * unit;
    }
    Some(seconds)
}

/// A number of digits only, small enough to be a year or a fraction of a second.
fn whole(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 7 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days of the Gregorian calendar, counted in years that start in March so that a leap day is the last of its year
/// (Hinnant, chrono-Compatible Low-Level Date Algorithms).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
