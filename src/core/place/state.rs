//! A placement in the making: which copy is where, and how full that makes each spot.

use super::check::allows;
use super::{Homes, Item, Move, Placement, Rules, Spot, usable, zones};
use std::rc::Rc;

/// Differences below this are none: sums of the same amounts in another order differ in the last bits.
pub(super) const EPSILON: f64 = 1e-9;

/// Bytes and load, as shares.
pub(super) type Amount = [f64; 2];

#[derive(Debug, Clone)]
pub(super) struct State<'a> {
    pub(super) items: &'a [Item],
    pub(super) spots: &'a [Spot],
    pub(super) rules: Rules,
    pub(super) homes: Vec<Homes>,
    /// Of each item, as shares of all copies.
    pub(super) weight: Vec<Amount>,
    /// Of each spot, as shares of all usable spots; 0 for one that takes nothing.
    capacity: Vec<Amount>,
    used: Vec<Amount>,
    /// Items on each spot, in no order.
    pub(super) on: Vec<Vec<usize>>,
    free: Vec<f64>,
    zone: Vec<usize>,
    /// Share of an item's load that its applications find near, for each item one for each spot; empty where nobody wishes.
    near: Rc<[f64]>,
    /// In the order in which they were done: item, from, to, and whether for nearness.
    moved: Vec<(usize, usize, usize, bool)>,
}

impl<'a> State<'a> {
    pub(super) fn new(items: &'a [Item], spots: &'a [Spot], rules: Rules) -> Self {
        let amounts = |item: &Item| [item.bytes, item.load];
        let total = items.iter().map(amounts).fold([0.0; 2], add);
        let copies = rules.copies.max(1) as f64;
        let share = |amount: Amount, total: Amount| {
            [0, 1].map(|d: usize| if at(total, d) > 0.0 { at(amount, d) / at(total, d) } else { 0.0 })
        };
        let all = [total[0] * copies, total[1] * copies];
        let room = |s: &Spot| if usable(s) { [s.room, s.speed] } else { [0.0; 2] };
        let rooms = spots.iter().map(room).fold([0.0; 2], add);
        Self {
            items,
            spots,
            rules,
            homes: vec![Homes::new(); items.len()],
            weight: items.iter().map(|i| share(amounts(i), all)).collect(),
            capacity: spots.iter().map(|s| share(room(s), rooms)).collect(),
            used: vec![[0.0; 2]; spots.len()],
            on: vec![Vec::new(); spots.len()],
            free: spots.iter().map(|s| s.free_bytes.unwrap_or(f64::INFINITY)).collect(),
            zone: zones(spots),
            near: nearness(items, spots),
            moved: Vec::new(),
        }
    }

    pub(super) fn weight(&self, item: usize) -> Amount {
        self.weight.get(item).copied().unwrap_or_default()
    }

    fn bytes(&self, item: usize) -> f64 {
        self.items.get(item).map_or(0.0, |i| i.bytes)
    }

    fn was_on(&self, item: usize, spot: usize) -> bool {
        self.items.get(item).is_some_and(|i| i.now.contains(&spot))
    }

    /// Puts a copy of an item on a spot. What was there before takes none of its free bytes.
    pub(super) fn put(&mut self, item: usize, spot: usize) {
        let weight = self.weight(item);
        let bytes = if self.was_on(item, spot) { 0.0 } else { self.bytes(item) };
        if let (Some(homes), Some(used), Some(on), Some(free)) =
            (self.homes.get_mut(item), self.used.get_mut(spot), self.on.get_mut(spot), self.free.get_mut(spot))
        {
            homes.push(spot);
            *used = add(*used, weight);
            on.push(item);
            *free -= bytes;
        }
    }

    /// Moves a copy, which keeps its place among the item's copies.
    pub(super) fn shift(&mut self, item: usize, from: usize, to: usize, for_nearness: bool) {
        let weight = self.weight(item);
        let back = if self.was_on(item, from) { 0.0 } else { self.bytes(item) };
        let taken = if self.was_on(item, to) { 0.0 } else { self.bytes(item) };
        if let Some(home) = self.homes.get_mut(item).and_then(|h| h.iter_mut().find(|h| **h == from)) {
            *home = to;
        }
        if let Some(used) = self.used.get_mut(from) {
            *used = [used[0] - weight[0], used[1] - weight[1]];
        }
        if let Some(on) = self.on.get_mut(from)
            && let Some(place) = on.iter().position(|i| *i == item)
        {
            on.swap_remove(place);
        }
        if let Some(free) = self.free.get_mut(from) {
            *free += back;
        }
        if let Some(used) = self.used.get_mut(to) {
            *used = add(*used, weight);
        }
        if let Some(on) = self.on.get_mut(to) {
            on.push(item);
        }
        if let Some(free) = self.free.get_mut(to) {
            *free -= taken;
        }
        self.moved.push((item, from, to, for_nearness));
    }

    /// Copies stay where they may: on a permitted spot, no two in a zone, no more than asked for.
    pub(super) fn keep_what_may_stay(&mut self) {
        for (at, item) in self.items.iter().enumerate() {
            for &spot in &item.now {
                if self.may(at, spot, None) && self.homes.get(at).is_some_and(|h| h.len() < self.rules.copies) {
                    self.put(at, spot);
                }
            }
        }
    }

    /// The spot may take a copy of the item, in place of the copy on `instead` if one is named.
    pub(super) fn may(&self, item: usize, spot: usize, instead: Option<usize>) -> bool {
        let Some((known, homes)) = self.items.get(item).zip(self.homes.get(item)) else { return false };
        let zone = |s: usize| self.zone.get(s).copied();
        let fits = self.was_on(item, spot) || self.free.get(spot).is_some_and(|f| known.bytes <= *f);
        allows(known, self.spots, spot)
            && fits
            && homes.iter().filter(|h| Some(**h) != instead).all(|h| zone(*h) != zone(spot))
    }

    /// How full a spot is against an even placement, with `more` on it: the worse of bytes and load.
    pub(super) fn fullness(&self, spot: usize, more: Amount) -> f64 {
        let [bytes, load] = self.fullnesses(spot, more);
        bytes.max(load)
    }

    /// The same of bytes and of load.
    pub(super) fn fullnesses(&self, spot: usize, more: Amount) -> Amount {
        let (used, capacity) = self.of(spot);
        [0, 1].map(|d| {
            let held = at(used, d) + at(more, d);
            if at(capacity, d) > 0.0 {
                held / at(capacity, d)
            } else if held > EPSILON {
                f64::INFINITY
            } else {
                0.0
            }
        })
    }

    /// Items held against the capacity, to settle ties.
    pub(super) fn crowd(&self, spot: usize) -> f64 {
        let held = self.on.get(spot).map_or(0, Vec::len) as f64 + 1.0;
        held / self.of(spot).1[0].max(EPSILON)
    }

    fn of(&self, spot: usize) -> (Amount, Amount) {
        let of = |list: &[Amount]| list.get(spot).copied().unwrap_or_default();
        (of(&self.used), of(&self.capacity))
    }

    /// Share of an item's load that its application finds near on a spot.
    pub(super) fn nearness(&self, item: usize, spot: usize) -> f64 {
        self.near.get(item * self.spots.len() + spot).copied().unwrap_or_default()
    }

    pub(super) fn ratio(&self) -> f64 {
        (0..self.spots.len()).map(|s| self.fullness(s, [0.0; 2])).fold(0.0, f64::max)
    }

    /// All copies are where they may stay, and that is even enough not to begin anything.
    pub(super) fn is_settled(&self, lower_bound: f64) -> bool {
        let start = self.rules.start;
        let even = |spot: usize| {
            let full = self.fullness(spot, [0.0; 2]);
            full >= 1.0 - start && full <= lower_bound * (1.0 + start)
        };
        start > 0.0
            && self.homes.iter().all(|h| h.len() == self.rules.copies)
            && self.fullest_first().into_iter().all(even)
    }

    /// The spots that take items, fullest first; of equally full ones the first.
    pub(super) fn fullest_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.spots.len()).filter(|s| self.spots.get(*s).is_some_and(usable)).collect();
        order.sort_by(|a, b| self.fullness(*b, [0.0; 2]).total_cmp(&self.fullness(*a, [0.0; 2])).then(a.cmp(b)));
        order
    }

    pub(super) fn into_placement(self, lower_bound: f64) -> Placement {
        let (mut near, mut wished) = (0.0, 0.0);
        for (item, known) in self.items.iter().enumerate() {
            let served = |name: &String| self.spots.iter().any(|s| usable(s) && s.serves.contains(name));
            wished += known.load * known.used_by.iter().filter(|(name, _)| served(name)).map(|u| u.1).sum::<f64>();
            let primary = self.homes.get(item).and_then(|h| h.first());
            near += known.load * primary.map_or(0.0, |spot| self.nearness(item, *spot));
        }
        let moves = self.moves();
        let all: f64 = self.items.iter().map(|i| i.bytes).sum::<f64>() * self.rules.copies as f64;
        let moved = moves.iter().map(|m| m.bytes).sum::<f64>();
        Placement {
            ratio: if self.items.is_empty() { 1.0 } else { self.ratio() },
            lower_bound,
            near: if wished > 0.0 { near / wished } else { 1.0 },
            moved: if all > 0.0 { moved / all } else { 0.0 },
            moves,
            homes: self.homes,
        }
    }

    /// From where copies were to where they are: first those that had to leave, then in the order of the improvement.
    fn moves(&self) -> Vec<Move> {
        let reason = |item: usize, to: usize| {
            let last = self.moved.iter().rev().find(|m| m.0 == item && m.2 == to);
            match last {
                Some((_, _, _, true)) => "It is nearer to the application that uses it there.",
                Some(_) => "The fullest node gets nearer to the mean by it.",
                None => "It may not stay where it is.",
            }
        };
        let mut out: Vec<(usize, Move)> = Vec::new();
        for (item, known) in self.items.iter().enumerate() {
            let Some(homes) = self.homes.get(item) else { continue };
            let left = known.now.iter().filter(|s| !homes.contains(s));
            let come = homes.iter().filter(|s| !known.now.contains(s));
            for (&from, &to) in left.zip(come) {
                let order = self.moved.iter().rposition(|m| m.0 == item && m.2 == to).map_or(0, |at| at + 1);
                let because = reason(item, to).to_owned();
                out.push((order, Move { item, from, to, bytes: known.bytes, because }));
            }
        }
        out.sort_by_key(|m| (m.0, m.1.item));
        out.into_iter().map(|m| m.1).collect()
    }
}

fn nearness(items: &[Item], spots: &[Spot]) -> Rc<[f64]> {
    if items.iter().all(|i| i.used_by.is_empty()) || spots.iter().all(|s| s.serves.is_empty()) {
        return Rc::default();
    }
    let of = |item: &Item, spot: &Spot| {
        item.used_by.iter().filter(|(name, _)| spot.serves.contains(name)).fold(0.0, |sum, u| sum + u.1)
    };
    items.iter().flat_map(|item| spots.iter().map(move |spot| of(item, spot))).collect()
}

fn add(a: Amount, b: Amount) -> Amount {
    [a[0] + b[0], a[1] + b[1]]
}

fn at(amount: Amount, dimension: usize) -> f64 {
    amount.get(dimension).copied().unwrap_or_default()
}
