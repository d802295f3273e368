//! How even a placement can be at best.

use super::check::allows;
use super::{Item, Rules, Spot, usable, zones};
use std::collections::BTreeMap;

/// No placement has a smaller ratio. The largest of: an even one; each item alone on the largest spot that it may be on;
/// of the largest items, more than there are spots, some two (three, …) share one; items that are tied to some
/// spots fill these; a zone holds one copy of each item and no more, so that the other zones hold the rest.
pub(super) fn lower(items: &[Item], spots: &[Spot], rules: Rules) -> f64 {
    let of = |amount: fn(&Item) -> f64, room: fn(&Spot) -> f64| Side::new(items, spots, rules, amount, room).lower();
    of(|i| i.bytes, |s| s.room).max(of(|i| i.load, |s| s.speed)).max(1.0)
}

/// Bytes, or load.
struct Side<'a> {
    items: &'a [Item],
    spots: &'a [Spot],
    copies: usize,
    /// Of one copy, as a share of all copies.
    weights: Vec<f64>,
    capacities: Vec<f64>,
}

impl<'a> Side<'a> {
    fn new(
        items: &'a [Item],
        spots: &'a [Spot],
        rules: Rules,
        amount: fn(&Item) -> f64,
        room: fn(&Spot) -> f64,
    ) -> Self {
        let copies = rules.copies.max(1);
        let total: f64 = items.iter().map(amount).sum::<f64>() * copies as f64;
        let rooms: f64 = spots.iter().filter(|s| usable(s)).map(room).sum();
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        Self {
            items,
            spots,
            copies,
            weights: items.iter().map(|i| share(amount(i), total)).collect(),
            capacities: spots.iter().map(|s| if usable(s) { share(room(s), rooms) } else { 0.0 }).collect(),
        }
    }

    fn lower(&self) -> f64 {
        self.alone().max(self.crowded()).max(self.tied()).max(self.zoned())
    }

    fn capacity(&self, spot: usize) -> f64 {
        self.capacities.get(spot).copied().unwrap_or_default()
    }

    /// Every copy is somewhere.
    fn alone(&self) -> f64 {
        let widest = self.capacities.iter().copied().fold(0.0, f64::max);
        let of = |(item, weight): (&Item, &f64)| {
            let allowed = |s: &usize| allows(item, self.spots, *s);
            let free = item.only.is_empty() && item.never.is_empty();
            let room = if free {
                widest
            } else {
                (0..self.spots.len()).filter(allowed).map(|s| self.capacity(s)).fold(0.0, f64::max)
            };
            ratio(*weight, room)
        };
        self.items.iter().zip(&self.weights).map(of).fold(0.0, f64::max)
    }

    /// Of k * m + 1 copies on m spots, k + 1 are on one.
    fn crowded(&self) -> f64 {
        let spots = self.capacities.iter().filter(|c| **c > 0.0).count();
        let widest = self.capacities.iter().copied().fold(0.0, f64::max);
        let mut weights: Vec<f64> = self.weights.iter().flat_map(|w| std::iter::repeat_n(*w, self.copies)).collect();
        weights.sort_by(|a, b| b.total_cmp(a));
        let of = |(k, weight): (usize, &f64)| ratio((k + 1) as f64 * weight, widest);
        weights.iter().step_by(spots.max(1)).enumerate().map(of).fold(0.0, f64::max)
    }

    /// Items with the same few spots.
    fn tied(&self) -> f64 {
        let mut groups: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
        for (item, weight) in self.items.iter().zip(&self.weights).filter(|i| !i.0.only.is_empty()) {
            let mut only = item.only.clone();
            only.sort_unstable();
            only.dedup();
            *groups.entry(only).or_default() += weight * self.copies as f64;
        }
        let of = |(only, weight): (&Vec<usize>, &f64)| ratio(*weight, only.iter().map(|s| self.capacity(*s)).sum());
        groups.iter().map(of).fold(0.0, f64::max)
    }

    /// The largest zones hold a whole copy of everything at the most; the others share what is left.
    fn zoned(&self) -> f64 {
        let mut zones_of: BTreeMap<usize, f64> = BTreeMap::new();
        for (spot, zone) in zones(self.spots).into_iter().enumerate() {
            *zones_of.entry(zone).or_default() += self.capacity(spot);
        }
        let mut rooms: Vec<f64> = zones_of.into_values().collect();
        rooms.sort_by(|a, b| b.total_cmp(a));
        let one = 1.0 / self.copies as f64;
        let total: f64 = self.weights.iter().sum::<f64>() * self.copies as f64;
        let mut full = 0.0;
        for (at, room) in rooms.iter().enumerate() {
            let rest: f64 = rooms.iter().skip(at).sum();
            let needed = ratio(total - full, rest);
            if needed * room <= one * total + 1e-12 {
                return needed;
            }
            full += one * total;
        }
        0.0
    }
}

fn ratio(amount: f64, room: f64) -> f64 {
    if amount > 0.0 && room > 0.0 { amount / room } else { 0.0 }
}
