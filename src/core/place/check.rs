//! What is wrong with a request for a placement, all of it at once.

use super::{Item, Rules, Spot, usable, zones};
use crate::model::Problem;
use crate::model::words::{bytes, counted};
use std::collections::BTreeSet;

pub(super) fn all(items: &[Item], spots: &[Spot], rules: Rules) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let wrong = |amount: f64| !amount.is_finite() || amount < 0.0;
    for (at, item) in items.iter().enumerate() {
        if wrong(item.bytes) || wrong(item.load) || item.used_by.iter().any(|u| wrong(u.1)) {
            problems.push(
                Problem::new("22023", format!("shard {at} has an impossible size or load"))
                    .detail(format!("It has {} bytes and a load of {}.", item.bytes, item.load))
                    .hint("Sizes and loads are numbers of at least 0."),
            );
        }
    }
    for spot in spots {
        if wrong(spot.room) || wrong(spot.speed) {
            problems.push(
                Problem::new("22023", "a node has an impossible capacity")
                    .detail(format!("It has the capacities {} and {}.", spot.room, spot.speed))
                    .hint("Set a capacity of at least 0 with foreshard.alter_node."),
            );
        }
    }
    if rules.copies == 0 {
        problems.push(Problem::new("22023", "a shard has at least one copy"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if !spots.iter().any(usable) {
        return Err(vec![
            Problem::new("55000", "no node can take shards")
                .detail("Every node is inactive or has no capacity.")
                .hint("Add a node, or set one active again."),
        ]);
    }
    let zones = zones(spots);
    for (at, item) in items.iter().enumerate() {
        let found: BTreeSet<usize> =
            (0..spots.len()).filter(|s| allows(item, spots, *s)).filter_map(|s| zones.get(s).copied()).collect();
        if found.len() < rules.copies {
            problems.push(
                Problem::new("22023", format!("{} copies of shard {at} do not find as many zones", rules.copies))
                    .detail(format!("It may be on the nodes of {}.", counted(found.len() as u64, "zone")))
                    .hint("Ask for fewer copies, add a node in another zone, or permit more nodes."),
            );
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

pub(super) fn allows(item: &Item, spots: &[Spot], spot: usize) -> bool {
    spots.get(spot).is_some_and(usable)
        && (item.only.is_empty() || item.only.contains(&spot))
        && !item.never.contains(&spot)
}

pub(super) fn no_room(items: &[Item], spots: &[Spot], rules: Rules) -> Problem {
    let wanted = items.iter().map(|i| i.bytes).sum::<f64>() * rules.copies as f64;
    let largest = items.iter().map(|i| i.bytes).fold(0.0, f64::max);
    let free = || spots.iter().filter(|s| usable(s)).map(|s| s.free_bytes.unwrap_or(f64::INFINITY));
    let (all, most) = (free().sum::<f64>(), free().fold(0.0, f64::max));
    Problem::new("53100", "the nodes have not enough free space")
        .detail(if wanted > all {
            format!(
                "The shards need about {}, and {} are free: {} are missing.",
                bytes(wanted),
                bytes(all),
                bytes(wanted - all)
            )
        } else if largest > most {
            format!("The largest shard needs about {}, and no node has more than {} free.", bytes(largest), bytes(most))
        } else {
            format!("The shards need about {}, and no way was found to fit them where they may be.", bytes(wanted))
        })
        .hint("Add a node, or free space on one.")
}
