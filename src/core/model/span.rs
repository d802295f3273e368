//! A length of time as people write it: `"7 days"`, `"12 hours"`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whole seconds, read from a text with a unit or from a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Span(pub i64);

/// Longest first.
const UNITS: [(&str, i64); 5] = [("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Value::deserialize(d)? {
            Value::Number(n) => {
                n.as_i64().map(Span).ok_or_else(|| D::Error::custom("a time is a whole number of seconds"))
            }
            Value::String(s) => parse(&s).map(Span).ok_or_else(|| {
                D::Error::custom(format!(
                    "\"{s}\" is not a time; write a whole number with minutes, hours, days or weeks"
                ))
            }),
            _ => Err(D::Error::custom("a time is a text such as \"7 days\", or a number of seconds")),
        }
    }
}

fn parse(text: &str) -> Option<i64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let unit = unit.trim().to_ascii_lowercase();
    let seconds = UNITS.iter().find(|(name, _)| unit.strip_suffix('s').unwrap_or(&unit) == *name)?.1;
    number.parse::<i64>().ok()?.checked_mul(seconds)
}

/// `7 days`, `12 hours`, `5 minutes`: days are the largest unit, as one speaks of a horizon.
impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fits = |(name, seconds): &&(&str, i64)| *name != "week" && self.0 >= *seconds && self.0 % seconds == 0;
        let (name, seconds) = UNITS.iter().find(fits).copied().unwrap_or(("second", 1));
        let number = self.0 / seconds;
        write!(f, "{number} {name}{}", if number == 1 { "" } else { "s" })
    }
}
