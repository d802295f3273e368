//! The chosen candidate as shards with bounds and expected shares.

use super::PlanInput;
use super::options::Scored;
use crate::key::{Cutting, HashShares, Level, Subject, pieces, split};
use crate::model::words::round4;
use crate::model::{Bound, Layout, Method, Problem, Shard};

/// The layout of a candidate; without shards for `none` and `reference`. Nodes are named only where it copies a placed
/// table's: shards of one number shall be on one node.
pub(super) fn lay_out(
    subject: &Subject<'_>,
    choice: &Scored,
    input: &PlanInput<'_>,
    exact: &HashShares<'_>,
) -> Result<Layout, Vec<Problem>> {
    let candidate = &choice.candidate;
    let within = candidate.within.clone();
    let mut layout = Layout { method: candidate.method, key: candidate.key.clone(), within, shards: Vec::new() };
    if !candidate.method.shards() {
        return Ok(layout);
    }
    if let Some(placed) = choice.like.and_then(|at| input.placed.get(at)) {
        layout.shards = copy(subject, &placed.layout, &candidate.key, exact);
        return Ok(layout);
    }
    let cutting = Cutting::from(candidate);
    let cut = |level: &Level<'_>| {
        let found = pieces(subject, level.key, level.method, level.count, exact);
        found.ok_or_else(|| {
            vec![
                Problem::new(
                    "22023",
                    format!("{} shards by {} cannot be cut from the known values", level.count, level.method.name()),
                )
                .detail("The profile of the backup does not tell enough of the key's values.")
                .hint("Use method hash, or another number of shards."),
            ]
        })
    };
    // Keys of two levels are taken as independent of each other.
    let mut shards = Vec::new();
    let mut levels = cutting.levels().into_iter();
    let Some(first) = levels.next() else { return Ok(layout) };
    let second = levels.next().map(|l| cut(&l)).transpose()?;
    for (bound, share) in cut(&first)? {
        match &second {
            None => shards.push((bound, None, share)),
            Some(pieces) => {
                shards.extend(pieces.iter().map(|(within, part)| (bound.clone(), Some(within.clone()), share * part)));
            }
        }
    }
    for (ordinal, (bound, within, share)) in (0..).zip(shards) {
        layout.shards.push(Shard { within, share: round4(share), ..Shard::new(ordinal, bound, "") });
    }
    Ok(layout)
}

/// The shards of a placed layout for this table: same ordinals, bounds and nodes; shares by the table's own rows where
/// these are known, else equal.
fn copy(subject: &Subject<'_>, from: &Layout, key: &[String], exact: &HashShares<'_>) -> Vec<Shard> {
    let count = from.shards.len();
    let shares = shares(subject, from, key, exact).unwrap_or_else(|| vec![1.0 / count.max(1) as f64; count]);
    let shards = from.shards.iter().zip(shares);
    shards.map(|(shard, share)| Shard { within: None, share: round4(share), ..shard.clone() }).collect()
}

fn shares(subject: &Subject<'_>, from: &Layout, key: &[String], exact: &HashShares<'_>) -> Option<Vec<f64>> {
    let count = u32::try_from(from.shards.len()).ok()?;
    if from.method == Method::Hash {
        let cut = pieces(subject, key, Method::Hash, count, exact)?;
        let of = |shard: &Shard| cut.iter().find(|p| p.0 == shard.bound).map(|p| p.1);
        return from.shards.iter().map(of).collect();
    }
    let [one] = key else { return None };
    let (profile, column) = (subject.profile?, subject.table.column(one)?);
    let bounds: Vec<&Bound> = from.shards.iter().map(|s| &s.bound).collect();
    split::shares(&bounds, profile.column(one)?, profile.rows, &column.type_name)
}
