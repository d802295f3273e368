//! Which shard goes where.
//!
//! Items come in (a shard, or the shards of one number of tables that stay together) with bytes, forecast load and wishes, and
//! spots (nodes) with capacities and zones; the spots of every copy of every item go out, with the moves that lead there
//! from where the copies are today. Bytes and load are balanced together: the *ratio* of a placement is the fullest
//! spot's share of either over its share of the capacity, 1.0 when everything is even.
//!
//! The life of a placement: copies that may stay where they are stay ([`place_items`]); the others go, largest first, to the
//! spot that is then the least full ([`greedy`]; for equal spots and one copy never worse than 4/3 of the optimum, Graham 1969,
//! "Bounds on Multiprocessing Timing Anomalies"); then single moves and swaps that each lower the fullest spot bring it
//! under the ceiling ([`improve`]), which [`bound`] keeps within reach of what is possible at all; few items are tried out
//! ([`exact`]).

mod bound;
mod check;
mod exact;
mod greedy;
mod improve;
mod near;
mod state;

use crate::model::{Node, Problem};
use smallvec::SmallVec;
use state::State;
use std::collections::BTreeMap;

/// The spots of one item's copies, the first of them the primary.
pub type Homes = SmallVec<[usize; 2]>;

/// What is placed as one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Item {
    /// On disk, of one copy.
    pub bytes: f64,
    /// Forecast load of one copy, in any unit that all items share.
    pub load: f64,
    /// Applications that use it, with the share of its load that each brings, 0..=1.
    pub used_by: Vec<(String, f64)>,
    /// Spots that may hold it; empty for all.
    pub only: Vec<usize>,
    /// Spots that may not.
    pub never: Vec<usize>,
    /// Where its copies are today, the primary first; empty for an item that is new.
    pub now: Homes,
}

/// Where items can be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spot {
    /// Relative to the other spots; 0 takes nothing. Of bytes, and of load.
    pub room: f64,
    pub speed: f64,
    /// Bytes that it can take beyond what the items hold there today, where known.
    pub free_bytes: Option<f64>,
    /// Copies of one item are in different zones; an empty zone is one of its own.
    pub zone: String,
    /// Applications that are near.
    pub serves: Vec<String>,
    /// False for one that is being drained: nothing goes to it, and what is there has to leave.
    pub takes: bool,
}

impl From<&Node> for Spot {
    fn from(node: &Node) -> Self {
        Self {
            room: node.capacity,
            speed: node.capacity,
            free_bytes: node.free_bytes.map(|b| b as f64),
            zone: node.zone.clone(),
            serves: node.serves.clone(),
            takes: node.active,
        }
    }
}

/// How a placement is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Copies of each item, the primary among them.
    pub copies: usize,
    /// Imbalance that is not worth a move: the ceiling is this much above what is possible.
    pub tolerance: f64,
    /// Where no spot is this much fuller or emptier than even, and everything may stay, nothing moves. Not below `tolerance`, so that what was
    /// made even is left alone until it has become uneven; 0.0 looks at every call.
    pub start: f64,
    /// What moving all bytes once costs, in the load that it must bring nearer to its applications to be worth it (both as
    /// shares of the whole).
    pub move_price: f64,
}

impl Default for Rules {
    /// A node that is 5 % fuller than the mean is even enough: what is measured of a load is hardly better known. A move
    /// pays when it brings as large a part of the load nearer as it moves of the bytes. Both assumed.
    fn default() -> Self {
        Self { copies: 1, tolerance: 0.05, start: 0.0, move_price: 1.0 }
    }
}

/// One copy that changes its spot. Done in order, each leaves the fullest spot no fuller than before.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    pub item: usize,
    pub from: usize,
    pub to: usize,
    pub bytes: f64,
    pub because: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// For each item its copies' spots.
    pub homes: Vec<Homes>,
    /// The fullest spot over the mean, of bytes or load, whichever is worse.
    pub ratio: f64,
    /// No placement by these rules comes below.
    pub lower_bound: f64,
    /// Share of the load that is near the application that brings it, of the load whose application some spot serves; 1.0 without any.
    pub near: f64,
    /// Only of copies that were somewhere before.
    pub moves: Vec<Move>,
    /// Bytes of all moves, as a share of all copies' bytes.
    pub moved: f64,
}

/// Imbalance that is not worth looking further, where nothing has to be moved. Assumed.
const NEW: f64 = 0.002;

/// Places every copy of every item.
///
/// # Errors
/// 22023 for amounts that are negative or no numbers, for wishes that name no spot, for more copies than zones; 55000 where
/// no spot takes anything; 53100 where the free bytes do not suffice. All at once.
pub fn place_items(items: &[Item], spots: &[Spot], rules: Rules) -> Result<Placement, Vec<Problem>> {
    check::all(items, spots, rules)?;
    let lower_bound = bound::lower(items, spots, rules);
    let tolerance = rules.tolerance.max(0.0);
    let moves = items.iter().any(|i| !i.now.is_empty());
    let ceiling = lower_bound * (1.0 + if moves { tolerance } else { tolerance.min(NEW) });
    let near_ceiling = lower_bound * (1.0 + tolerance);
    let mut kept = State::new(items, spots, rules);
    kept.keep_what_may_stay();
    if kept.is_settled(lower_bound) {
        return Ok(kept.into_placement(lower_bound));
    }
    let wishes = spots.iter().any(|s| !s.serves.is_empty()) && items.iter().any(|i| !i.used_by.is_empty());
    let near = if wishes { run(kept.clone(), near_ceiling, true) } else { None };
    let even = |state: &State<'_>, ceiling: f64| state.ratio() <= ceiling + state::EPSILON;
    let best = match near {
        Some(near) if even(&near, near_ceiling) => Some(near),
        near => {
            let plain = run(kept.clone(), ceiling, false).map(|found| {
                let better = if found.ratio() > ceiling { exact::better(&kept, &found, lower_bound) } else { None };
                better.unwrap_or(found)
            });
            // Nearness may fill spots up to the ceiling, not beyond what plain balance reaches.
            match (plain, near) {
                (Some(plain), Some(near)) => Some(if even(&near, plain.ratio()) { near } else { plain }),
                (plain, near) => plain.or(near),
            }
        }
    };
    let Some(best) = best else { return Err(vec![check::no_room(items, spots, rules)]) };
    Ok(best.into_placement(lower_bound))
}

fn run<'a>(mut state: State<'a>, ceiling: f64, near: bool) -> Option<State<'a>> {
    greedy::fill(&mut state, ceiling, near).then_some(())?;
    improve::balance(&mut state, ceiling);
    improve::fill_up(&mut state);
    if near {
        near::bring_near(&mut state, ceiling);
    }
    Some(state)
}

/// How even a placement is. `ratio` is the fullest node's load per capacity over the mean (1.0 is even); no placement
/// of these shards on these nodes comes below `lower_bound`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Imbalance {
    pub ratio: f64,
    pub lower_bound: f64,
}

/// How even `placement` is, and how even it could be at best.
pub fn imbalance(items: &[Item], spots: &[Spot], placement: &[Homes], rules: Rules) -> Imbalance {
    let mut state = State::new(items, spots, rules);
    for (item, homes) in placement.iter().enumerate() {
        homes.iter().for_each(|spot| state.put(item, *spot));
    }
    Imbalance { ratio: state.ratio(), lower_bound: bound::lower(items, spots, rules) }
}

/// Zones by spot: spots without a zone are zones of their own.
fn zones(spots: &[Spot]) -> Vec<usize> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out = Vec::with_capacity(spots.len());
    for (at, spot) in spots.iter().enumerate() {
        out.push(if spot.zone.is_empty() { at } else { *known.entry(&spot.zone).or_insert(at) });
    }
    out
}

fn usable(spot: &Spot) -> bool {
    spot.takes && [spot.room, spot.speed].iter().all(|c| c.is_finite() && *c > 0.0)
}
