//! Primaries come nearer to the applications that use them: by moves, and where there is no room for these by swaps.

use super::state::{EPSILON, State};

/// Pairs that are weighed against each other at the most: some ten milliseconds.
const PAIRS: usize = 1_000_000;

/// Moves primaries to where they are used, where that is worth the bytes and the spot stays under the ceiling.
pub(super) fn bring_near(state: &mut State<'_>, ceiling: f64) {
    let mut wishes: Vec<(f64, usize)> = Vec::new();
    for item in 0..state.items.len() {
        // A copy that is nearer already becomes the primary, without a byte moved.
        let homes = state.homes.get(item).cloned().unwrap_or_default();
        let nearest = (0..homes.len()).rev().max_by(|a, b| {
            let of = |at: &usize| homes.get(*at).map_or(0.0, |s| state.nearness(item, *s));
            of(a).total_cmp(&of(b))
        });
        if let (Some(at), Some(homes)) = (nearest, state.homes.get_mut(item)) {
            homes.swap(0, at);
        }
        if let Some(gain) = homes.first().and_then(|_| nearer(state, item, ceiling)).map(|n| n.1) {
            wishes.push((gain, item));
        }
    }
    wishes.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, item) in wishes {
        let from = state.homes.get(item).and_then(|h| h.first()).copied();
        if let Some((from, (to, _))) = from.zip(nearer(state, item, ceiling)) {
            state.shift(item, from, to, true);
        }
    }
    let mut pairs = PAIRS;
    for item in 0..state.items.len() {
        trade(state, item, ceiling, &mut pairs);
    }
}

/// Swaps a primary with the one on a nearer spot that loses least by it.
fn trade(state: &mut State<'_>, item: usize, ceiling: f64, pairs: &mut usize) {
    let Some(&from) = state.homes.get(item).and_then(|h| h.first()) else { return };
    let coming = state.weight(item);
    let mut best: Option<(f64, usize, usize)> = None;
    for to in 0..state.spots.len() {
        let gained = gain(state, item, from, to);
        if to == from || gained <= EPSILON || !state.may(item, to, Some(from)) {
            continue;
        }
        for &other in state.on.get(to).into_iter().flatten() {
            let Some(rest) = pairs.checked_sub(1) else { return };
            *pairs = rest;
            // Only primaries are near something.
            let primary = state.homes.get(other).and_then(|h| h.first()) == Some(&to);
            let together = gained + gain(state, other, to, from);
            let better = |b: (f64, usize, usize)| {
                together > b.0 + EPSILON || (together > b.0 - EPSILON && b.2 == to && other < b.1)
            };
            if !primary || together <= EPSILON || !best.is_none_or(better) {
                continue;
            }
            let going = state.weight(other);
            let fits = state.fullness(to, [coming[0] - going[0], coming[1] - going[1]]) <= ceiling + EPSILON
                && state.fullness(from, [going[0] - coming[0], going[1] - coming[1]]) <= ceiling + EPSILON;
            if fits && state.may(other, from, Some(to)) {
                best = Some((together, other, to));
            }
        }
    }
    if let Some((_, other, to)) = best {
        state.shift(item, from, to, true);
        state.shift(other, to, from, true);
    }
}

/// The spot that a primary is worth moving to, with what is gained.
fn nearer(state: &State<'_>, item: usize, ceiling: f64) -> Option<(usize, f64)> {
    let from = *state.homes.get(item)?.first()?;
    let weight = state.weight(item);
    let gain = |to: usize| gain(state, item, from, to);
    let fits = |to: &usize| state.may(item, *to, Some(from)) && state.fullness(*to, weight) <= ceiling + EPSILON;
    (0..state.spots.len())
        .filter(|to| *to != from && gain(*to) > EPSILON)
        .filter(fits)
        .map(|to| (to, gain(to)))
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
}

/// The share of the load that gets nearer by moving a primary, beyond the price of its bytes; what is new has none to move.
fn gain(state: &State<'_>, item: usize, from: usize, to: usize) -> f64 {
    let weight = state.weight(item);
    let there = state.items.get(item).is_some_and(|i| i.now.contains(&from));
    let price = if there { state.rules.move_price * weight[0] } else { 0.0 };
    (state.nearness(item, to) - state.nearness(item, from)) * weight[1] - price
}
