//! Copies that have no spot yet, largest first, each to the spot that is then the least full.

use super::state::State;

/// Amounts are compared without the last bits, so that a tie is one; and so are 0 and -0.
fn tidy(amount: f64) -> f64 {
    (amount * 1e9).round() + 0.0
}

/// False where some copy finds no spot. With `near`, a spot that its application is near to goes first, up to the ceiling.
pub(super) fn fill(state: &mut State<'_>, ceiling: f64, near: bool) -> bool {
    let size = |state: &State<'_>, item: usize| {
        let weight = state.weight(item);
        weight[0].max(weight[1])
    };
    let mut order: Vec<usize> = (0..state.items.len()).collect();
    order.sort_by(|a, b| tidy(size(state, *b)).total_cmp(&tidy(size(state, *a))).then(a.cmp(b)));
    for item in order {
        while state.homes.get(item).is_some_and(|h| h.len() < state.rules.copies) {
            let weight = state.weight(item);
            let primary = state.homes.get(item).is_some_and(|h| h.is_empty());
            let rank = |spot: usize| {
                let after = state.fullness(spot, weight);
                let near = if near && primary && after <= ceiling { state.nearness(item, spot) } else { 0.0 };
                (tidy(-near), tidy(after), tidy(state.crowd(spot)))
            };
            let fitting = (0..state.spots.len()).filter(|s| state.may(item, *s, None)).map(|s| (rank(s), s));
            let best = fitting.min_by(|(a, x), (b, y)| {
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2)).then(x.cmp(y))
            });
            match best {
                Some((_, spot)) => state.put(item, spot),
                None => return false,
            }
        }
    }
    true
}
