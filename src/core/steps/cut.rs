//! Which bounds take the place of which.

use crate::model::{Bound, Problem};
use serde::{Deserialize, Serialize};

/// A shard that is to be made: its bound, or the bound of an inner partition and, within it, its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    pub bound: Bound,
    /// Of a shard that is cut out of its place by LIST on the same key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Bound>,
}

impl From<Bound> for Piece {
    fn from(bound: Bound) -> Self {
        Self { bound, within: None }
    }
}

/// Parts of one split at most: more are made by splitting again. Assumed.
pub const MOST_PARTS: u32 = 64;
/// PostgreSQL's largest modulus.
const MOST_MODULUS: u32 = i32::MAX as u32;

/// (m, r) into (pm, r), (pm, r + m), …: the others stay as they are, as PostgreSQL demands that every modulus divides the next larger one.
///
/// # Errors
/// 22023 for parts that are no power of two, 54000 for a modulus that is too large.
pub fn split_hash(modulus: u32, remainder: u32, parts: u32) -> Result<Vec<Piece>, Problem> {
    if !(2..=MOST_PARTS).contains(&parts) || !parts.is_power_of_two() {
        return Err(Problem::new("22023", format!("a hash shard cannot be split into {parts} parts"))
            .detail("Every modulus of a table must divide the next larger one.")
            .hint(format!("Split it into 2, 4, 8 … {MOST_PARTS} parts.")));
    }
    match modulus.checked_mul(parts).filter(|m| *m <= MOST_MODULUS) {
        Some(larger) => {
            Ok((0..parts).map(|n| Bound::Hash { modulus: larger, remainder: remainder + n * modulus }.into()).collect())
        }
        None => Err(Problem::new("54000", "the shard cannot be split any more")
            .detail(format!("{parts} times the modulus {modulus} is more than PostgreSQL takes."))),
    }
}

/// At the values of `at`, in ascending order: each begins a shard.
///
/// # Errors
/// 22023 without a value.
pub fn split_range(
    from: Option<Vec<String>>,
    to: Option<Vec<String>>,
    at: &[Vec<String>],
) -> Result<Vec<Piece>, Problem> {
    if at.is_empty() {
        return Err(
            Problem::new("22023", "a range is split at one value or more").hint("Give them as {\"at\": [\"…\"]}.")
        );
    }
    let mut pieces = Vec::new();
    let mut begin = from;
    for value in at {
        pieces.push(Bound::Range { from: begin, to: Some(value.clone()) }.into());
        begin = Some(value.clone());
    }
    pieces.push(Bound::Range { from: begin, to }.into());
    Ok(pieces)
}

/// `own` go into a shard of their own, the rest stays together.
///
/// # Errors
/// 22023 where one of the two would have no value, or `own` has a value that the shard does not have.
pub fn split_list(values: &[Option<String>], own: &[Option<String>]) -> Result<Vec<Piece>, Problem> {
    let show = |v: &Option<String>| v.clone().unwrap_or_else(|| "NULL".to_owned());
    if let Some(other) = own.iter().find(|v| !values.contains(v)) {
        return Err(Problem::new("22023", format!("value {} is not one of the shard's", show(other)))
            .detail(format!("It has {}.", values.iter().map(show).collect::<Vec<_>>().join(", "))));
    }
    let rest: Vec<Option<String>> = values.iter().filter(|v| !own.contains(v)).cloned().collect();
    if own.is_empty() || rest.is_empty() {
        return Err(Problem::new("22023", "a list shard of one value cannot be split")
            .detail("Each part needs a value at least.")
            .hint("Cut the table by another column, or move the shard."));
    }
    Ok(vec![Bound::List { values: rest }.into(), Bound::List { values: own.to_vec() }.into()])
}

/// The same bound elsewhere.
pub fn moved(bound: &Bound) -> Vec<Piece> {
    vec![bound.clone().into()]
}

/// One shard in place of several: two halves of a hash shard, neighbouring ranges, lists.
///
/// # Errors
/// 22023 for those that do not fit together.
pub fn merge(bounds: &[Bound]) -> Result<Piece, Problem> {
    let unfit = |fact: &str| Problem::new("22023", "the shards do not fit together").detail(fact.to_owned());
    match bounds {
        [] | [_] => Err(Problem::new("22023", "merging takes two shards or more")),
        [Bound::Hash { .. }, ..] => merge_hash(bounds).ok_or_else(|| {
            unfit("Hash shards can be merged that one shard could be split into: all remainders r, r + m, r + 2m … of one modulus.")
        }),
        [Bound::Range { .. }, ..] => merge_range(bounds)
            .ok_or_else(|| unfit("Ranges can be merged where each begins where the one before ends; name them in that order.")),
        [Bound::List { .. }, ..] => {
            let mut all = Vec::new();
            for bound in bounds {
                let Bound::List { values } = bound else { return Err(unfit("One of them is no list of values.")) };
                all.extend(values.iter().cloned());
            }
            Ok(Bound::List { values: all }.into())
        }
        [Bound::Default, ..] => Err(unfit("A DEFAULT partition is the rest of all others.")),
    }
}

/// (pm, r), (pm, r + m), … (pm, r + (p-1)m) give (m, r).
fn merge_hash(bounds: &[Bound]) -> Option<Piece> {
    let mut remainders = Vec::new();
    let mut larger = None;
    for bound in bounds {
        let Bound::Hash { modulus, remainder } = bound else { return None };
        if *larger.get_or_insert(*modulus) != *modulus {
            return None;
        }
        remainders.push(*remainder);
    }
    remainders.sort_unstable();
    let parts = u32::try_from(bounds.len()).ok()?;
    let larger = larger?;
    let modulus = larger.checked_div(parts).filter(|m| m * parts == larger)?;
    let first = *remainders.first()?;
    let expected: Vec<u32> = (0..parts).map(|n| first + n * modulus).collect();
    (parts.is_power_of_two() && remainders == expected && first < modulus)
        .then(|| Bound::Hash { modulus, remainder: first }.into())
}

/// One end of a range; None for MINVALUE or MAXVALUE.
type Side = Option<Vec<String>>;

fn merge_range(bounds: &[Bound]) -> Option<Piece> {
    let mut whole: Option<(Side, Side)> = None;
    for bound in bounds {
        let Bound::Range { from, to } = bound else { return None };
        whole = Some(match whole {
            None => (from.clone(), to.clone()),
            Some((begin, end)) if end.is_some() && end == *from => (begin, to.clone()),
            Some(_) => return None,
        });
    }
    let (from, to) = whole?;
    Some(Bound::Range { from, to }.into())
}

/// One value gets a shard of its own. `after`: the least value that is greater, where the key's type has one.
///
/// # Errors
/// 0A000 for a range of a type whose values have no next one, 22023 for a DEFAULT partition or a value that has a shard of its own already.
pub fn isolate(bound: &Bound, value: &str, after: Option<&str>) -> Result<Vec<Piece>, Problem> {
    let one = || vec![Some(value.to_owned())];
    match bound {
        Bound::Hash { .. } => Ok(vec![
            Piece { bound: bound.clone(), within: Some(Bound::List { values: one() }) },
            Piece { bound: bound.clone(), within: Some(Bound::Default) },
        ]),
        Bound::List { values } => split_list(values, &one()),
        Bound::Range { from, to } => {
            let after = after.ok_or_else(|| {
                Problem::new("0A000", "a value of this type cannot be isolated from a range")
                    .detail("Whole numbers and dates have a next value; others have none.")
                    .hint("Split the shard: foreshard.split_shard(shard, '{\"at\": [\"…\"]}').")
            })?;
            let (own, next) = (vec![value.to_owned()], vec![after.to_owned()]);
            let mut at = Vec::new();
            at.extend((from.as_ref() != Some(&own)).then(|| own.clone()));
            at.extend((to.as_ref() != Some(&next)).then(|| next.clone()));
            if at.is_empty() {
                return Err(Problem::new("22023", format!("value {value} has a shard of its own already")));
            }
            split_range(from.clone(), to.clone(), &at)
        }
        Bound::Default => Err(Problem::new("22023", "a value of a DEFAULT partition cannot be isolated")
            .detail("Its rows belong to no bound.")
            .hint("Create a partition for the value, and move its rows.")),
    }
}
