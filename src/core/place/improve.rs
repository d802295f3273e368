//! From a placement to a better one by single moves and swaps, each of which takes from the fullest spot without making
//! another as full: so stopping half-way is safe, and it ends.

use super::state::{Amount, EPSILON, State};

/// Pairs of items that are weighed against each other at the most, for all swaps together: about a tenth of a second.
const PAIRS: usize = 4_000_000;

/// Takes from the fullest spot until it is under the ceiling, or nothing helps any more.
pub(super) fn balance(state: &mut State<'_>, ceiling: f64) {
    let mut pairs = PAIRS;
    // Each step makes the list of fullnesses, fullest first, smaller; the limit only guards against rounding.
    for _ in 0..state.items.len() * state.rules.copies * 4 + 64 {
        let order = state.fullest_first();
        let Some(&from) = order.first() else { return };
        if state.fullness(from, [0.0; 2]) <= ceiling + EPSILON {
            return;
        }
        if !relieve(state, from, &order, ceiling) && !exchange(state, from, &order, &mut pairs) {
            return;
        }
    }
}

/// Fills spots that are emptier than the tolerance allows, a new one first of all, from those that are fuller than the mean.
pub(super) fn fill_up(state: &mut State<'_>) {
    let floor = 1.0 - state.rules.tolerance.max(0.0);
    for _ in 0..state.items.len() * state.rules.copies {
        let order = state.fullest_first();
        // What it has least of, 0 for bytes and 1 for load.
        let lack = |spot: usize| {
            let [bytes, load] = state.fullnesses(spot, [0.0; 2]);
            if bytes <= load { (bytes, 0) } else { (load, 1) }
        };
        let step = order.iter().rev().copied().filter(|to| lack(*to).0 < floor).find_map(|to| {
            let above = |from: &usize| state.fullness(*from, [0.0; 2]) > 1.0 + EPSILON;
            let mut high = order.iter().copied().take_while(above);
            high.find_map(|from| most_that_fits(state, from, to, lack(to).1).map(|item| (item, from, to)))
        });
        let Some((item, from, to)) = step else { return };
        state.shift(item, from, to, false);
    }
}

/// The item with most of what is lacking whose going does not take the one spot above the mean, and makes the other less full.
fn most_that_fits(state: &State<'_>, from: usize, to: usize, lacking: usize) -> Option<usize> {
    let amount = |item: usize| state.weight(item).get(lacking).copied().unwrap_or_default();
    let fits = |item: &usize| {
        let weight = state.weight(*item);
        amount(*item) > 0.0
            && state.fullness(to, weight) <= 1.0 + EPSILON
            && state.fullness(from, minus(weight)) < state.fullness(from, [0.0; 2]) - EPSILON
            && state.may(*item, to, Some(from))
    };
    let items = state.on.get(from).into_iter().flatten().copied().filter(fits);
    items.max_by(|a, b| amount(*a).total_cmp(&amount(*b)).then(b.cmp(a)))
}

/// Moves the copy whose going helps most for its bytes.
fn relieve(state: &mut State<'_>, from: usize, order: &[usize], ceiling: f64) -> bool {
    let before = state.fullness(from, [0.0; 2]);
    let mut best: Option<(f64, f64, usize, usize)> = None;
    for &item in state.on.get(from).into_iter().flatten() {
        let weight = state.weight(item);
        let left = state.fullness(from, minus(weight));
        // Least full first: the first that may take it is the best for it.
        let Some(&to) = order.iter().rev().find(|to| **to != from && state.may(item, **to, Some(from))) else {
            continue;
        };
        let after = left.max(state.fullness(to, weight));
        let gain = before - after.max(ceiling);
        if after >= before - EPSILON || gain <= EPSILON {
            continue;
        }
        // What is new has no bytes to move.
        let there = state.items.get(item).is_some_and(|i| i.now.contains(&from));
        let bytes = if there { weight[0].max(EPSILON) } else { EPSILON };
        let worth = gain / bytes;
        let better = best.is_none_or(|(known, gained, known_item, _)| {
            let (a, b) = (worth / known, gain / gained);
            a > 1.0 + EPSILON || (a > 1.0 - EPSILON && (b > 1.0 + EPSILON || b > 1.0 - EPSILON && item < known_item))
        });
        if better {
            best = Some((worth, gain, item, to));
        }
    }
    best.inspect(|(_, _, item, to)| state.shift(*item, from, *to, false)).is_some()
}

/// Swaps two copies of unlike size, with the least full spot for which that helps.
fn exchange(state: &mut State<'_>, from: usize, order: &[usize], pairs: &mut usize) -> bool {
    let before = state.fullness(from, [0.0; 2]);
    for &to in order.iter().rev().filter(|to| **to != from) {
        let mut best: Option<(f64, usize, usize)> = None;
        for &given in state.on.get(from).into_iter().flatten() {
            if !state.may(given, to, Some(from)) {
                continue;
            }
            let out = state.weight(given);
            for &taken in state.on.get(to).into_iter().flatten() {
                let Some(rest) = pairs.checked_sub(1) else { return false };
                *pairs = rest;
                let back = state.weight(taken);
                let after = state
                    .fullness(from, [back[0] - out[0], back[1] - out[1]])
                    .max(state.fullness(to, [out[0] - back[0], out[1] - back[1]]));
                let improves = after < before - EPSILON && best.is_none_or(|b| after < b.0 - EPSILON);
                if improves && state.may(taken, from, Some(to)) {
                    best = Some((after, given, taken));
                }
            }
        }
        if let Some((_, given, taken)) = best {
            state.shift(given, from, to, false);
            state.shift(taken, to, from, false);
            return true;
        }
    }
    false
}

fn minus(weight: Amount) -> Amount {
    weight.map(|w| -w)
}
