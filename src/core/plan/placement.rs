//! The shards of a layout onto nodes: what each of them weighs, who uses it, where it has to be.
//!
//! What is placed as one is a shard of the level that spreads the rows (with two levels all shards with that bound: so the
//! newest period is on all nodes, and what is found by that key is on one). Bytes follow the rows; the load follows
//! them too, but for new rows of a key that always grows, which all come to the last range.

use super::PlanInput;
use super::whereabouts::Whereabouts;
use crate::capacity::{bears, relative};
use crate::count::{Demand, bytes_on_disk};
use crate::key::{KeyValues, Subject};
use crate::model::plan::{NodeShare, Note, PlacementDecision};
use crate::model::words::{bytes, counted, list, round4};
use crate::model::{Bound, Candidate, Layout, Method, Node, Plan, Problem};
use crate::place::{Homes, Item, Rules, Spot, place_items};

/// Gives every shard its node; one that has a node already keeps it, as far as the config does not pin it elsewhere.
///
/// # Errors
/// 22023 where a pin or an application cannot be followed, 53100 where the nodes have no room, 55000 without a node.
pub(super) fn settle(
    layout: &mut Layout,
    subject: &Subject<'_>,
    candidate: &Candidate,
    demand: &Demand,
    input: &PlanInput<'_>,
) -> Result<(PlacementDecision, Vec<Note>), Vec<Problem>> {
    let size = bytes_on_disk(&Demand { growth: 1.0, ..*demand });
    let whole = |share: f64| size.map(|s| (s * share).round() as u64);
    let capacities = relative(input.nodes, subject.written);
    if !layout.method.shards() {
        let because = "The table is not sharded, and lies in the database's own tablespace.".to_owned();
        let pinned = input.config.pin.iter().flatten().next();
        if input.config.replicas.is_some_and(|n| n > 0) {
            return Err(vec![
                Problem::new("0A000", "a plain table has no replicas")
                    .detail("The chosen layout is one plain table, which lies on this server.")
                    .hint("Leave out \"replicas\" and give this server a standby, or name a \"shard_key\"."),
            ]);
        }
        let decision = PlacementDecision {
            bytes: whole(1.0),
            nodes: Vec::new(),
            evenness: 1.0,
            lower_bound: 1.0,
            near: None,
            because,
        };
        return match pinned {
            None => Ok((decision, Vec::new())),
            Some(_) => Err(vec![
                Problem::new("22023", "no value can be pinned to a node")
                    .detail("The chosen layout is one plain table.")
                    .hint("Leave out \"pin\", or name a \"shard_key\"."),
            ]),
        };
    }
    let spread = layout.spread();
    let loads = loads(&spread, subject, candidate);
    let mut places = Whereabouts::new(&spread, subject, input)?;
    let items: Vec<Item> = (spread.shards.iter().zip(&loads).enumerate())
        .map(|(at, (shard, load))| Item {
            // Without a size the shares are as good, but cannot be held against free bytes.
            bytes: size.unwrap_or(1.0) * shard.share,
            load: *load,
            used_by: places.used_by(at),
            only: places.only(at),
            never: Vec::new(),
            now: Homes::new(),
        })
        .collect();
    let spot = |(node, capacity): (&Node, &f64)| Spot {
        room: *capacity,
        speed: *capacity,
        free_bytes: size.and(node.free_bytes).map(|b| b as f64),
        ..Spot::from(node)
    };
    let spots: Vec<Spot> = input.nodes.iter().zip(&capacities.capacities).map(spot).collect();
    let placed = place_items(&items, &spots, Rules::default())?;
    let homes: Vec<usize> = placed.homes.iter().filter_map(|h| h.first().copied()).collect();
    let free = |at: usize| spread.shards.get(at).is_some_and(|s| s.node.is_empty());
    let copies = copies(&items, &spots, &homes, free, input.config.replicas.unwrap_or(0))?;
    let name = |spot: &usize| input.nodes.get(*spot).map(|n| n.name.clone()).unwrap_or_default();
    for ((piece, home), copies) in spread.shards.iter().zip(&homes).zip(&copies) {
        let of_piece = |s: &&mut crate::model::Shard| s.bound == piece.bound || s.within.as_ref() == Some(&piece.bound);
        for shard in layout.shards.iter_mut().filter(of_piece) {
            (shard.node, shard.copies) = (name(home), copies.iter().map(name).collect());
        }
    }
    let shares = spread.shards.iter().map(|s| s.share);
    let total = |values: &mut dyn Iterator<Item = (usize, f64)>, at: usize| -> f64 {
        values.filter(|(home, _)| *home == at).map(|v| v.1).sum()
    };
    let nodes = input.nodes.iter().zip(&capacities.capacities).enumerate();
    let nodes = nodes.map(|(at, (node, capacity))| {
        let share = total(&mut homes.iter().copied().zip(shares.clone()), at);
        let load = total(&mut homes.iter().copied().zip(loads.iter().copied()), at);
        let shards = layout.shards.iter().filter(|s| s.node == node.name).count();
        let copied = layout.shards.iter().filter(|s| s.copies.contains(&node.name));
        let kept = share + copied.clone().map(|s| s.share).sum::<f64>();
        NodeShare {
            node: node.name.clone(),
            zone: node.zone.clone(),
            serves: node.serves.clone(),
            capacity: *capacity,
            bears: bears(node),
            shards: u32::try_from(shards).unwrap_or(u32::MAX),
            copies: u32::try_from(copied.count()).unwrap_or(u32::MAX),
            bytes: whole(kept),
            share: round4(share),
            load: round4(load),
        }
    });
    let decision = PlacementDecision {
        bytes: whole(1.0),
        nodes: nodes.collect(),
        evenness: round4(placed.ratio),
        lower_bound: round4(placed.lower_bound),
        near: input.config.affinity.as_ref().map(|_| round4(placed.near)),
        because: capacities.because,
    };
    Ok((decision, places.notes()))
}

/// Spots of `count` further copies of each item: each in a zone of its own, and the first copies of all as even among the spots as the
/// items themselves, then the second ones. `free`: the item's wishes are the config's, and hold for its copies as well.
fn copies(
    items: &[Item],
    spots: &[Spot],
    homes: &[usize],
    free: impl Fn(usize) -> bool,
    count: u32,
) -> Result<Vec<Homes>, Vec<Problem>> {
    let mut out = vec![Homes::new(); items.len()];
    let together = |a: usize, b: usize| {
        let zone = |s: usize| spots.get(s).map_or("", |s| s.zone.as_str());
        a == b || !zone(a).is_empty() && zone(a) == zone(b)
    };
    for _ in 0..count {
        let next: Vec<Item> = (items.iter().zip(homes).zip(&out).enumerate())
            .map(|(at, ((item, home), copies))| Item {
                used_by: Vec::new(),
                only: if free(at) { item.only.clone() } else { Vec::new() },
                never: (0..spots.len())
                    .filter(|spot| std::iter::once(home).chain(copies).any(|taken| together(*spot, *taken)))
                    .collect(),
                ..item.clone()
            })
            .collect();
        let placed = place_items(&next, spots, Rules::default())?;
        out.iter_mut().zip(placed.homes).for_each(|(all, new)| all.extend(new));
    }
    Ok(out)
}

/// Expected load of each shard, as shares of the whole.
fn loads(spread: &Layout, subject: &Subject<'_>, candidate: &Candidate) -> Vec<f64> {
    let evidence = &candidate.evidence;
    let inserts = evidence.insert_calls / (evidence.insert_calls + evidence.calls).max(1.0);
    let growth = KeyValues::of(subject, &spread.key).growth.filter(|_| spread.method == Method::Range).unwrap_or(0.0);
    let newest = (inserts * growth).clamp(0.0, 1.0);
    let load = |bound: &Bound, share: f64| {
        let last = matches!(bound, Bound::Range { to: None, .. });
        share * (1.0 - newest) + if last { newest } else { 0.0 }
    };
    spread.shards.iter().map(|s| load(&s.bound, s.share)).collect()
}

/// Nodes that share a disk, with its free bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Disk {
    /// Empty for the database's own tablespace, where plain tables are.
    pub nodes: Vec<String>,
    pub free_bytes: u64,
}

/// What does not fit onto the disks: nodes are planned one by one, but two of them may lie on one disk, and a stored plan is
/// executed when less is free.
pub fn without_room(plan: &Plan, disks: &[Disk]) -> Vec<Problem> {
    let Some(placement) = &plan.placement else { return Vec::new() };
    let plain = !plan.layout.method.shards();
    let full = disks.iter().filter_map(|disk| {
        let of = placement.nodes.iter().filter(|n| disk.nodes.contains(&n.node) && n.shards > 0);
        let names: Vec<&str> = of.clone().map(|n| n.node.as_str()).collect();
        let need = match disk.nodes.is_empty() {
            true => placement.bytes.filter(|_| plain)?,
            false => of.map(|n| n.bytes.unwrap_or(0)).sum(),
        };
        let missing = need.checked_sub(disk.free_bytes).filter(|m| *m > 0)?;
        let what = match names.as_slice() {
            [] => "the database's tablespace has no room for the table".to_owned(),
            [one] => format!("node \"{one}\" has no room for its shards"),
            _ => format!("nodes {} have no room for their shards", list(&names, 4)),
        };
        let disk_of = if names.len() > 1 {
            format!(" on the disk that the {} share", counted(names.len() as u64, "node"))
        } else {
            String::new()
        };
        Some(
            Problem::new("53100", what)
                .detail(format!(
                    "About {} are needed, and {} are free{disk_of}: {} are missing.",
                    bytes(need as f64),
                    bytes(disk.free_bytes as f64),
                    bytes(missing as f64)
                ))
                .hint("Free space there, or name other nodes in the config."),
        )
    });
    full.collect()
}
