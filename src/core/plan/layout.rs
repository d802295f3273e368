//! The chosen candidate as shards with bounds, expected shares and nodes.

use crate::key::{HashShares, Subject, pieces};
use crate::model::words::round4;
use crate::model::{Candidate, Layout, Node, Problem, Shard};
use crate::place::place;

/// The layout of a candidate; without shards for `none` and `reference`.
pub(super) fn lay_out(
    subject: &Subject<'_>,
    candidate: &Candidate,
    nodes: &[Node],
    exact: &HashShares<'_>,
) -> Result<Layout, Vec<Problem>> {
    let mut layout = Layout { method: candidate.method, key: candidate.key.clone(), shards: Vec::new() };
    if !candidate.method.shards() {
        return Ok(layout);
    }
    let cut = pieces(subject, &candidate.key, candidate.method, candidate.shard_count, exact).ok_or_else(|| {
        let (method, count) = (candidate.method.name(), candidate.shard_count);
        vec![
            Problem::new("22023", format!("{count} shards by {method} cannot be cut from the known values"))
                .detail("The profile of the backup does not tell enough of the key's values.")
                .hint("Use method hash, or another number of shards."),
        ]
    })?;
    let shares: Vec<f64> = cut.iter().map(|p| p.1).collect();
    let placement = place(&shares, nodes);
    for (ordinal, ((bound, share), at)) in (0..).zip(cut.into_iter().zip(placement)) {
        let node = nodes.get(at).map(|n| n.name.clone()).unwrap_or_default();
        layout.shards.push(Shard { ordinal, bound, node, share: round4(share) });
    }
    Ok(layout)
}
