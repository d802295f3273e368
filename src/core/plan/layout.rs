//! The chosen candidate as shards with bounds, expected shares and nodes.

use super::PlanInput;
use super::options::Scored;
use crate::key::{Cutting, HashShares, Level, Subject, pieces, split};
use crate::model::words::round4;
use crate::model::{Bound, Layout, Method, Node, Problem, Shard};
use crate::place::place;

/// The layout of a candidate; without shards for `none` and `reference`. Where it copies a placed table's, shards of one
/// number are on one node, as far as that node still takes shards.
pub(super) fn lay_out(
    subject: &Subject<'_>,
    choice: &Scored,
    input: &PlanInput<'_>,
    exact: &HashShares<'_>,
) -> Result<Layout, Vec<Problem>> {
    let (candidate, nodes) = (&choice.candidate, input.nodes);
    let within = candidate.within.clone();
    let mut layout = Layout { method: candidate.method, key: candidate.key.clone(), within, shards: Vec::new() };
    if !candidate.method.shards() {
        return Ok(layout);
    }
    if let Some(placed) = choice.like.and_then(|at| input.placed.get(at)) {
        layout.shards = copy(subject, &placed.layout, &candidate.key, nodes, exact);
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
        layout.shards.push(Shard { ordinal, bound, within, node: String::new(), share: round4(share) });
    }
    settle(&mut layout, nodes);
    Ok(layout)
}

/// Gives every shard its node. With two levels shards that share a bound of the level that spreads the rows stay together:
/// so the newest period is on all nodes, and what is found by that key is on one.
fn settle(layout: &mut Layout, nodes: &[Node]) {
    let spread = layout.spread();
    let shares: Vec<f64> = spread.shards.iter().map(|s| s.share).collect();
    for (piece, at) in spread.shards.iter().zip(place(&shares, nodes)) {
        let node = nodes.get(at).map(|n| n.name.as_str()).unwrap_or_default();
        let of_piece = |s: &&mut Shard| s.bound == piece.bound || s.within.as_ref() == Some(&piece.bound);
        layout.shards.iter_mut().filter(of_piece).for_each(|s| node.clone_into(&mut s.node));
    }
}

/// The shards of a placed layout for this table: same ordinals, bounds and nodes; shares by the table's own rows where
/// these are known, else equal. Shards of a node that takes none any more are placed anew.
fn copy(subject: &Subject<'_>, from: &Layout, key: &[String], nodes: &[Node], exact: &HashShares<'_>) -> Vec<Shard> {
    let count = from.shards.len();
    let shares = shares(subject, from, key, exact).unwrap_or_else(|| vec![1.0 / count.max(1) as f64; count]);
    let usable = |name: &str| nodes.iter().any(|n| n.name == name && n.active && n.capacity > 0.0);
    let homeless: Vec<f64> =
        from.shards.iter().zip(&shares).filter(|(s, _)| !usable(&s.node)).map(|(_, x)| *x).collect();
    let mut anew = place(&homeless, nodes).into_iter();
    let shards = from.shards.iter().zip(shares);
    shards
        .map(|(shard, share)| {
            let node = if usable(&shard.node) {
                shard.node.clone()
            } else {
                anew.next().and_then(|at| nodes.get(at)).map(|n| n.name.clone()).unwrap_or_default()
            };
            Shard { ordinal: shard.ordinal, bound: shard.bound.clone(), within: None, node, share: round4(share) }
        })
        .collect()
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
