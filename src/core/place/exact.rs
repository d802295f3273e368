//! Few items are placed as evenly as can be: all ways are tried, largest item first, and a way is left as soon as it
//! is no better than the best one known.

use super::state::{EPSILON, State};

/// Copies up to which it is worth a try, and steps after which it stops with the best found: some milliseconds.
const COPIES: usize = 16;
const STEPS: usize = 30_000;

/// A better placement of the copies that `start` has no spot for than `found`, if there is one.
pub(super) fn better<'a>(start: &State<'a>, found: &State<'a>, lower_bound: f64) -> Option<State<'a>> {
    let missing = |item: &usize| start.homes.get(*item).map_or(0, |h| start.rules.copies.saturating_sub(h.len()));
    let mut order: Vec<usize> = (0..start.items.len()).collect();
    let size = |item: &usize| {
        let weight = start.weight(*item);
        weight[0].max(weight[1])
    };
    order.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.cmp(b)));
    let order: Vec<usize> = order.into_iter().flat_map(|item| std::iter::repeat_n(item, missing(&item))).collect();
    if order.len() > COPIES {
        return None;
    }
    let mut search = Search { order, best: found.ratio(), lower_bound, found: None, steps: STEPS };
    search.descend(start, 0);
    search.found
}

struct Search<'a> {
    order: Vec<usize>,
    best: f64,
    lower_bound: f64,
    found: Option<State<'a>>,
    steps: usize,
}

impl<'a> Search<'a> {
    fn descend(&mut self, state: &State<'a>, depth: usize) {
        let Some(&item) = self.order.get(depth) else {
            if state.ratio() < self.best - EPSILON {
                self.best = state.ratio();
                self.found = Some(state.clone());
            }
            return;
        };
        let weight = state.weight(item);
        let mut spots: Vec<(f64, usize)> = (0..state.spots.len())
            .filter(|s| state.may(item, *s, None))
            .map(|s| (state.fullness(s, weight), s))
            .filter(|(after, _)| *after < self.best - EPSILON)
            .collect();
        spots.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (after, spot) in spots {
            if self.best <= self.lower_bound + EPSILON || self.steps == 0 {
                return;
            }
            if after < self.best - EPSILON {
                self.steps -= 1;
                let mut next = state.clone();
                next.put(item, spot);
                self.descend(&next, depth + 1);
            }
        }
    }
}
