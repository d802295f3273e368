//! Known values cut into shards: bounds with the share of the rows that each is expected to hold.
//!
//! Hash needs no values. Range cuts them, in the type's order, where the weights are evenest; list packs them, largest
//! first, onto the least filled shard, with one more shard for values that are not known yet.

use crate::model::plan::Bound;
use crate::model::{ColumnProfile, Method};
use std::cmp::Ordering;

/// A shard's bound and the share of the rows expected in it.
pub type Piece = (Bound, f64);

/// Values that a list layout names at most: past this a list is a long way of writing a hash.
pub const MAX_LISTED_VALUES: usize = 256;

/// What shards are to have as much of as the others: rows; or values, so that tables with the same values in other
/// numbers are cut alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Even {
    Rows,
    Values,
}

/// Every value with its share of the non-null rows, in the type's order; or cuts at the quantiles.
#[derive(Debug, Clone, PartialEq)]
struct Cuts {
    /// Where a shard may begin, first value apart: text, and share of the rows below it. Ascending.
    at: Vec<(String, f64)>,
}

/// Shards that `method` can make of the column's known values; None where they are not known well enough.
pub fn pieces(method: Method, profile: &ColumnProfile, type_name: &str) -> Option<u32> {
    let count = match method {
        Method::Range => Cuts::of(profile, type_name)?.at.len() + 1,
        Method::List => listed(profile).len() + 1,
        _ => return None,
    };
    u32::try_from(count).ok()
}

/// The values are few and all known, so that a list can name them.
pub fn listable(profile: &ColumnProfile) -> bool {
    profile.distinct_exact && profile.distinct == profile.heavy.len() as u64 && profile.heavy.len() <= MAX_LISTED_VALUES
}

pub fn hash(count: u32) -> Vec<Piece> {
    let share = 1.0 / f64::from(count.max(1));
    (0..count).map(|remainder| (Bound::Hash { modulus: count, remainder }, share)).collect()
}

/// `count` ranges over one column. The first has no lower and the last no upper bound, so that every value fits. None
/// where the values are not known or cannot be cut into so many.
pub fn range(profile: &ColumnProfile, type_name: &str, count: u32, even: Even) -> Option<Vec<Piece>> {
    let cuts = Cuts::of(profile, type_name)?.choose(count, even)?;
    let mut pieces = Vec::with_capacity(cuts.len() + 1);
    let mut from: Option<(String, f64)> = None;
    for cut in cuts.into_iter().map(Some).chain([None]) {
        let below = from.as_ref().map_or(0.0, |f| f.1);
        let share = cut.as_ref().map_or(1.0, |c| c.1) - below;
        let text = |c: &(String, f64)| vec![c.0.clone()];
        pieces.push((Bound::Range { from: from.as_ref().map(text), to: cut.as_ref().map(text) }, share));
        from = cut;
    }
    Some(pieces)
}

/// `count` shards, the last of them DEFAULT. NULLs are packed as a value of their own; where there are none yet, DEFAULT
/// takes them. None where fewer values are known than shards asked for.
pub fn list(profile: &ColumnProfile, rows: u64, count: u32, even: Even) -> Option<Vec<Piece>> {
    let bins = usize::try_from(count).ok()?.checked_sub(1).filter(|b| *b > 0)?;
    let mut values = listed(profile);
    if rows == 0 || values.len() < bins {
        return None;
    }
    match even {
        Even::Rows => values.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0))),
        Even::Values => values.sort(),
    }
    let mut shards: Vec<(Vec<Option<String>>, u64)> = vec![(Vec::new(), 0); bins];
    for (value, weight) in values {
        let fill = |s: &(Vec<Option<String>>, u64)| (if even == Even::Rows { s.1 } else { 0 }, s.0.len());
        let least = shards.iter_mut().min_by_key(|s| fill(s))?;
        least.0.push(value);
        least.1 += weight;
    }
    let known: u64 = shards.iter().map(|s| s.1).sum();
    let share = |n: u64| n as f64 / rows as f64;
    let mut out: Vec<Piece> = shards
        .into_iter()
        .map(|(mut values, weight)| {
            values.sort();
            (Bound::List { values }, share(weight))
        })
        .collect();
    out.push((Bound::Default, share(rows.saturating_sub(known))));
    Some(out)
}

/// Fullest shard over the mean of the shards that are meant to hold rows (a DEFAULT that expects none is a spare).
pub fn skew(pieces: &[Piece]) -> f64 {
    let held: Vec<f64> = pieces.iter().filter(|p| p.0 != Bound::Default || p.1 > 0.0).map(|p| p.1).collect();
    let total: f64 = held.iter().sum();
    let fullest = held.iter().copied().fold(0.0, f64::max);
    if total > 0.0 { fullest * held.len() as f64 / total } else { 1.0 }
}

/// The share of the rows that each of the given ranges or lists takes; None where the values are not all known.
pub fn shares(bounds: &[&Bound], profile: &ColumnProfile, rows: u64, type_name: &str) -> Option<Vec<f64>> {
    if !listable(profile) || rows == 0 {
        return None;
    }
    let order = TextOrder::of_type(type_name);
    let takes = |bound: &Bound, value: Option<&str>| match (bound, value) {
        (Bound::List { values }, value) => values.iter().any(|v| v.as_deref() == value),
        (Bound::Range { from, to }, Some(value)) => order.is_some_and(|order| {
            let first = |b: &Option<Vec<String>>| b.as_ref().and_then(|b| b.first()).cloned();
            first(from).is_none_or(|f| order.compare(&f, value).is_le())
                && first(to).is_none_or(|t| order.compare(value, &t).is_lt())
        }),
        _ => false,
    };
    let default = bounds.iter().position(|b| **b == Bound::Default);
    let mut out = vec![0.0; bounds.len()];
    let known = profile.heavy.iter().map(|h| (Some(h.value.as_str()), h.count)).chain([(None, profile.nulls)]);
    for (value, count) in known {
        let at = bounds.iter().position(|b| takes(b, value)).or(default);
        if let Some(share) = at.and_then(|at| out.get_mut(at)) {
            *share += count as f64 / rows as f64;
        }
    }
    Some(out)
}

/// The values that a list can name, with their rows; NULL among them where there are any.
fn listed(profile: &ColumnProfile) -> Vec<(Option<String>, u64)> {
    let values = profile.heavy.iter().take(MAX_LISTED_VALUES).map(|h| (Some(h.value.clone()), h.count));
    values.chain((profile.nulls > 0).then_some((None, profile.nulls))).collect()
}

impl Cuts {
    fn of(profile: &ColumnProfile, type_name: &str) -> Option<Self> {
        let cuts = Self::exact(profile, type_name).or_else(|| Self::from_quantiles(&profile.quantiles))?;
        (!cuts.at.is_empty()).then_some(cuts)
    }

    /// From a full count of few values, where their order can be told from the text.
    fn exact(profile: &ColumnProfile, type_name: &str) -> Option<Self> {
        if !profile.distinct_exact || profile.distinct != profile.heavy.len() as u64 {
            return None;
        }
        let order = TextOrder::of_type(type_name)?;
        let mut values: Vec<(&str, u64)> = profile.heavy.iter().map(|h| (h.value.as_str(), h.count)).collect();
        if values.iter().any(|v| !order.reads(v.0)) {
            return None;
        }
        values.sort_by(|a, b| order.compare(a.0, b.0));
        let total: u64 = values.iter().map(|v| v.1).sum();
        let mut below = 0;
        let mut at = Vec::with_capacity(values.len());
        for (value, count) in values {
            at.push((value.to_owned(), below as f64 / total.max(1) as f64));
            below += count;
        }
        // The first value begins the first shard, which has no lower bound.
        Some(Self { at: at.split_off(at.len().min(1)) })
    }

    /// From equi-depth bounds: a value that is several quantiles at once begins where it first appears.
    fn from_quantiles(quantiles: &[String]) -> Option<Self> {
        let steps = quantiles.len().checked_sub(1).filter(|s| *s > 0)?;
        let first = quantiles.first()?;
        let mut at: Vec<(String, f64)> = Vec::with_capacity(steps);
        for (i, value) in quantiles.iter().enumerate().take(steps) {
            if value != first && at.last().is_none_or(|last| last.0 != *value) {
                at.push((value.clone(), i as f64 / steps as f64));
            }
        }
        Some(Self { at })
    }

    /// The `count - 1` cuts nearest to equal weights, in order and without duplicates.
    fn choose(self, count: u32, even: Even) -> Option<Vec<(String, f64)>> {
        let wanted = usize::try_from(count).ok()?.checked_sub(1)?;
        let spare = self.at.len().checked_sub(wanted)?;
        let mut chosen = Vec::with_capacity(wanted);
        let mut next = 0;
        let mut done = 0.0;
        let values = (self.at.len() + 1) as f64;
        let below = |at: usize| match even {
            Even::Rows => self.at.get(at).map_or(f64::INFINITY, |c| c.1),
            Even::Values => (at + 1) as f64 / values,
        };
        for i in 0..wanted {
            // Equal parts of what is left: one heavy value early on does not make the later shards uneven.
            let ideal = done + (1.0 - done) / (wanted - i + 1) as f64;
            let window = next..=spare + i;
            let off = |at: &usize| (below(*at) - ideal).abs();
            let best = window.min_by(|a, b| off(a).total_cmp(&off(b)))?;
            chosen.push(self.at.get(best)?.clone());
            done = below(best);
            next = best + 1;
        }
        Some(chosen)
    }
}

/// Types whose order the text of a value shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextOrder {
    Integer,
    Number,
    /// ISO dates and timestamps without time zone of the years 1 to 9999, and uuids.
    Bytes,
}

impl TextOrder {
    fn of_type(type_name: &str) -> Option<Self> {
        match type_name {
            "smallint" | "integer" | "bigint" => Some(Self::Integer),
            "real" | "double precision" => Some(Self::Number),
            _ if type_name.starts_with("numeric") => Some(Self::Number),
            "date" | "uuid" => Some(Self::Bytes),
            _ if type_name.starts_with("timestamp") && type_name.ends_with("without time zone") => Some(Self::Bytes),
            _ => None,
        }
    }

    /// The text is one whose order is known here: no `infinity`, no years before Christ or beyond four digits.
    fn reads(self, text: &str) -> bool {
        match self {
            Self::Integer => text.parse::<i128>().is_ok(),
            Self::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Bytes => text.len() > 8 && !text.ends_with("BC") && !text.contains("infinity") && !year_is_long(text),
        }
    }

    fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::Integer => a.parse::<i128>().ok().cmp(&b.parse::<i128>().ok()),
            Self::Number => {
                a.parse().unwrap_or(0.0_f64).total_cmp(&b.parse().unwrap_or(0.0_f64)).then_with(|| a.cmp(b))
            }
            Self::Bytes => a.cmp(b),
        }
    }
}

fn year_is_long(text: &str) -> bool {
    text.find('-').is_some_and(|at| at == 5 || at == 6)
}
