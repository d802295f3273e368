//! Atoms as kinds of transactions: which of them are, and which are loops and branches of those.
//!
//! Where the BEGINs do not suffice for all atoms of several statements, those are taken that use them up and explain most of
//! the others.
//! The heaviest are tried in all combinations; the rest are taken as long as they fit, most calls first.

use super::atoms::Atom;
use std::collections::BTreeMap;

/// Atoms that are tried in all combinations, and atoms that a combination is judged by.
const TRIED: usize = 10;
const JUDGED: usize = 64;
/// A loop that runs more often per transaction is not recognised by its number. Assumed.
const LONGEST_LOOP: f64 = 100.0;
/// Next to a small number every other one is about a multiple of it: a match must be less likely than this by chance.
const BY_CHANCE: f64 = 0.05;
/// Share of the BEGINs that may be left without a reason: of other programs, or of transactions without statements. Assumed.
const UNEXPLAINED: f64 = 0.01;
/// Share of a loop's runs from which a statement on its table is taken to be a part of the loop that does not always run.
/// Assumed.
const MOST_RUNS: f64 = 0.9;
/// Runs per transaction up to which a statement may belong to transactions that no numbers tell apart. Assumed: the other
/// account of a transfer.
const FEW_TIMES: f64 = 2.0;

/// A kind of transaction in the making; `parts` are atoms with their runs per transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Kind {
    pub(super) calls: f64,
    pub(super) parts: Vec<(usize, f64)>,
    /// Some statements run once in each.
    pub(super) once: bool,
    /// Only their number makes some of its statements belong together.
    pub(super) counts_only: bool,
    pub(super) linked: bool,
    pub(super) loops: bool,
    pub(super) branches: bool,
    pub(super) shared: bool,
    pub(super) ambiguous: bool,
    /// The BEGINs left for what no numbers tell apart.
    pub(super) rest: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Fit {
    pub(super) kinds: Vec<Kind>,
    /// Atoms that no kind explains.
    pub(super) left: Vec<usize>,
}

impl Fit {
    /// `bound`: the number of BEGINs, where it is known. `slack`: how far the calls of one transaction's statements may be
    /// apart. `telling`: calls from which equal numbers are evidence.
    pub(super) fn find(atoms: &[Atom<'_>], bound: Option<f64>, slack: f64, telling: f64) -> Self {
        let search = Search { atoms, bound, slack, telling };
        let several = |at: &usize| {
            let fits = |a: &Atom<'_>| a.calls >= telling && bound.is_none_or(|b| a.calls <= b + slack);
            atoms.get(*at).is_some_and(|a| a.statements.len() > 1 && fits(a))
        };
        let several: Vec<usize> = (0..atoms.len()).filter(several).collect();
        search.complete(&search.roots(&several))
    }
}

#[derive(Debug, Clone, Copy)]
struct Search<'s> {
    atoms: &'s [Atom<'s>],
    bound: Option<f64>,
    slack: f64,
    telling: f64,
}

impl Search<'_> {
    fn calls(&self, at: usize) -> f64 {
        self.atoms.get(at).map_or(0.0, |a| a.calls)
    }

    /// One statement, and it writes nothing.
    fn is_question(&self, at: usize) -> bool {
        self.atoms.get(at).is_some_and(|a| a.statements.len() == 1 && !a.writes)
    }

    /// The atoms that are transactions by themselves.
    fn roots(&self, several: &[usize]) -> Vec<usize> {
        let sum: f64 = several.iter().map(|at| self.calls(*at)).sum();
        let Some(bound) = self.bound.filter(|b| sum > b + self.slack) else { return several.to_vec() };
        let tried = several.len().min(TRIED);
        let mut best: Option<((bool, usize), Vec<usize>)> = None;
        // From all of them down to none, so that of equal choices the one with the heaviest stays.
        for choice in (0..1_u32 << tried).rev() {
            let taken = several.iter().take(tried).enumerate().filter(|(bit, _)| choice >> (tried - 1 - bit) & 1 == 1);
            let mut roots: Vec<usize> = taken.map(|(_, at)| *at).collect();
            let mut left = bound + self.slack - roots.iter().map(|at| self.calls(*at)).sum::<f64>();
            if left < 0.0 {
                continue;
            }
            for at in several.iter().skip(tried) {
                if self.calls(*at) <= left {
                    left -= self.calls(*at);
                    roots.push(*at);
                }
            }
            // What a choice explains by the BEGINs that it leaves may be an accident: one that leaves none comes first.
            let all_begins = self.rest(roots.iter().map(|at| self.calls(*at)).sum()).is_none();
            let explained = (all_begins, self.explained(&roots));
            if best.as_ref().is_none_or(|b| explained > b.0) {
                best = Some((explained, roots));
            }
        }
        best.map(|b| b.1).unwrap_or_default()
    }

    /// Statements that are in the roots or follow from them.
    fn explained(&self, roots: &[usize]) -> usize {
        let rest = self.rest(roots.iter().map(|at| self.calls(*at)).sum());
        let follows = |root: &Atom<'_>, atom: &Atom<'_>| {
            linked(root, atom) || atom.meets(root) && self.times(atom.calls, root.calls).is_some_and(|t| t > 1.0)
        };
        let explained = |(at, atom): &(usize, &Atom<'_>)| {
            roots.contains(at)
                || rest.is_some_and(|r| self.times(atom.calls, r).is_some())
                || roots.iter().filter_map(|r| self.atoms.get(*r)).any(|r| follows(r, atom))
        };
        let judged = self.atoms.iter().enumerate().take(JUDGED);
        judged.filter(explained).map(|(_, atom)| atom.statements.len()).sum()
    }

    /// BEGINs that are left.
    fn rest(&self, taken: f64) -> Option<f64> {
        self.bound.map(|b| b - taken).filter(|r| *r > self.slack.max(0.5))
    }

    /// How often in each of `of` transactions, where that is a whole number and no likely accident.
    fn times(&self, calls: f64, of: f64) -> Option<f64> {
        let times = (calls / of).round();
        let near = times * self.slack + 0.5;
        let whole = (1.0..=LONGEST_LOOP).contains(&times) && (calls - times * of).abs() <= near;
        (whole && 2.0 * near <= BY_CHANCE * of).then_some(times)
    }

    fn complete(&self, roots: &[usize]) -> Fit {
        let kind = |at: &usize| Kind { calls: self.calls(*at), parts: vec![(*at, 1.0)], once: true, ..Kind::default() };
        let mut kinds: Vec<Kind> = roots.iter().map(kind).collect();
        let taken: std::collections::BTreeSet<usize> = roots.iter().copied().collect();
        let mut left: Vec<usize> = (0..self.atoms.len()).filter(|at| !taken.contains(at)).collect();
        left.retain(|at| !self.is_loop(*at, &mut kinds));
        self.add_branches(&mut kinds, &mut left);
        self.add_rest(&mut kinds, &mut left);
        left.retain(|at| !self.is_in_loop(*at, &mut kinds));
        let open = self.rest(kinds.iter().map(|k| k.calls).sum()).unwrap_or(0.0);
        match self.bound {
            Some(bound) if open <= (UNEXPLAINED * bound).max(self.slack) => {
                left.retain(|at| !self.is_twin(*at, &mut kinds));
                // A question that is asked oftener than all transactions together shows that some run outside of them.
                let outside = left.iter().any(|at| self.is_question(*at) && self.calls(*at) > bound + self.slack);
                left.retain(|at| outside || !self.is_spread(*at, &mut kinds));
            }
            Some(_) => self.share(open, &mut kinds, &mut left),
            None => {}
        }
        Fit { kinds, left }
    }

    /// Inserted with the rows that it refers to, or run a whole number of times with what it has something in common. A
    /// question by itself may as well be asked outside of transactions: of those some number is always a multiple.
    fn is_loop(&self, at: usize, kinds: &mut [Kind]) -> bool {
        let Some(atom) = self.atoms.get(at) else { return false };
        let first = |kind: &Kind| kind.parts.first().and_then(|p| self.atoms.get(p.0));
        let numbered = kinds.iter().enumerate();
        let by_link: Vec<usize> =
            numbered.clone().filter(|(_, k)| first(k).is_some_and(|a| linked(a, atom))).map(|(k, _)| k).collect();
        let alone = self.is_question(at);
        let whole = |(k, kind): (usize, &Kind)| {
            let times = self.times(atom.calls, kind.calls).filter(|t| *t > 1.0)?;
            first(kind).is_some_and(|a| atom.meets(a)).then_some((k, times))
        };
        let (k, times, linked, ambiguous) = if let [one] = by_link.as_slice() {
            (*one, atom.calls / kinds.get(*one).map_or(1.0, |k| k.calls), true, false)
        } else {
            let whole: Vec<(usize, f64)> = numbered.filter(|_| !alone).filter_map(whole).collect();
            match whole.as_slice() {
                [] => return false,
                [(k, times), others @ ..] => (*k, *times, false, !others.is_empty()),
            }
        };
        if let Some(kind) = kinds.get_mut(k) {
            kind.parts.push((at, times));
            kind.linked |= linked;
            kind.loops |= !linked;
            kind.ambiguous |= ambiguous;
        }
        true
    }

    /// Statements that do the same on the same table and add up to a kind: one or the other runs.
    fn add_branches(&self, kinds: &mut [Kind], left: &mut Vec<usize>) {
        let mut alike: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for at in left.iter() {
            if let Some(atom) = self.atoms.get(*at).filter(|a| !a.shape.is_empty()) {
                alike.entry(&atom.shape).or_default().push(*at);
            }
        }
        for branches in alike.into_values().filter(|b| b.len() > 1) {
            let sum: f64 = branches.iter().map(|at| self.calls(*at)).sum();
            let adds_up = |kind: &Kind| (sum - kind.calls).abs() <= self.slack + 0.5 && kind.calls >= self.telling;
            let mut fitting: Vec<&mut Kind> =
                kinds.iter_mut().filter(|k| adds_up(k) && branches.iter().all(|at| self.meets(k, *at))).collect();
            let several = fitting.len() > 1;
            let Some(kind) = fitting.first_mut() else { continue };
            kind.parts.extend(branches.iter().map(|at| (*at, self.calls(*at) / sum)));
            kind.branches = true;
            kind.ambiguous |= several;
            left.retain(|at| !branches.contains(at));
        }
    }

    /// A kind that no statement runs just once, known by the BEGINs that are left.
    fn add_rest(&self, kinds: &mut Vec<Kind>, left: &mut Vec<usize>) {
        let taken = kinds.iter().map(|k| k.calls).sum();
        let Some(rest) = self.rest(taken).filter(|r| *r >= self.telling) else { return };
        let whole: Vec<(usize, f64)> =
            left.iter().filter_map(|at| Some((*at, self.times(self.calls(*at), rest)?))).collect();
        let size = |at: usize| self.atoms.get(at).map_or(0, |a| a.statements.len());
        let Some(first) = whole.iter().max_by(|a, b| size(a.0).cmp(&size(b.0)).then(b.0.cmp(&a.0))) else { return };
        let met = |at: usize| self.atoms.get(first.0).zip(self.atoms.get(at)).is_some_and(|(a, b)| a.meets(b));
        let parts: Vec<(usize, f64)> = whole.iter().filter(|w| w.0 == first.0 || met(w.0)).copied().collect();
        left.retain(|at| !parts.iter().any(|p| p.0 == *at));
        kinds.push(Kind { calls: rest, once: parts.iter().any(|p| p.1 == 1.0), loops: true, parts, ..Kind::default() });
    }

    /// On a table of a loop, and not always run with it.
    fn is_in_loop(&self, at: usize, kinds: &mut [Kind]) -> bool {
        let Some(atom) = self.atoms.get(at) else { return false };
        let fits = |part: &(usize, f64)| {
            let looped = self.atoms.get(part.0).filter(|l| part.1 > 1.0 && l.shares_a_table(atom));
            looped.is_some_and(|l| atom.calls <= l.calls + self.slack && atom.calls >= MOST_RUNS * l.calls)
        };
        let Some(kind) = kinds.iter_mut().find(|k| k.parts.iter().any(fits)) else { return false };
        kind.parts.push((at, atom.calls / kind.calls));
        kind.branches = true;
        true
    }

    /// The BEGINs that are left: one for each run of what is left, where they suffice; else all of it shares them, and what
    /// runs oftener than that also belongs to kinds that do nothing of the sort yet.
    fn share(&self, open: f64, kinds: &mut Vec<Kind>, left: &mut Vec<usize>) {
        let (within, beyond): (Vec<usize>, Vec<usize>) =
            left.iter().partition(|at| self.calls(**at) <= open + self.slack);
        if within.iter().map(|at| self.calls(*at)).sum::<f64>() <= open + self.slack {
            kinds.extend(within.iter().map(|at| Kind {
                calls: self.calls(*at),
                parts: vec![(*at, 1.0)],
                ..Kind::default()
            }));
            *left = beyond;
            return;
        }
        let parts = within.iter().map(|at| (*at, self.calls(*at) / open)).collect();
        kinds.push(Kind { calls: open, parts, rest: true, ..Kind::default() });
        *left = beyond;
        left.retain(|at| {
            let Some(atom) = self.atoms.get(*at) else { return false };
            let may = |k: &&mut Kind| {
                let mut parts = k.parts.iter().filter_map(|p| self.atoms.get(p.0));
                k.rest || self.meets(k, *at) && !parts.any(|p| !p.uses.is_disjoint(&atom.uses))
            };
            let mut may: Vec<&mut Kind> = kinds.iter_mut().filter(may).collect();
            let sum: f64 = may.iter().map(|k| k.calls).sum();
            let few = atom.calls <= FEW_TIMES * sum;
            for kind in may.iter_mut().filter(|_| few) {
                kind.parts.push((*at, atom.calls / sum));
                kind.shared |= !kind.rest;
            }
            !few
        });
    }

    /// Of equal calls with a kind or its loop, though with nothing in common: there are no BEGINs for it by itself.
    fn is_twin(&self, at: usize, kinds: &mut [Kind]) -> bool {
        let calls = self.calls(at);
        let near = |other: f64| (other - calls).abs() <= self.slack + 0.5 && calls >= self.telling;
        let mut twins: Vec<(&mut Kind, f64)> = Vec::new();
        for kind in kinds.iter_mut() {
            let looped = kind.parts.iter().find(|p| p.1 > 1.0 && near(self.calls(p.0))).map(|p| p.1);
            if let Some(times) = near(kind.calls).then_some(1.0).or(looped) {
                twins.push((kind, times));
            }
        }
        let several = twins.len() > 1;
        let Some((kind, times)) = twins.first_mut() else { return false };
        kind.parts.push((at, *times));
        kind.counts_only = true;
        kind.ambiguous |= several;
        true
    }

    /// Run by some of the transactions that use its tables; where it writes, by some of those that write.
    fn is_spread(&self, at: usize, kinds: &mut [Kind]) -> bool {
        let Some(atom) = self.atoms.get(at) else { return false };
        let parts = |kind: &Kind| kind.parts.iter().filter_map(|p| self.atoms.get(p.0)).collect::<Vec<_>>();
        let may = |kind: &&mut Kind| {
            let parts = parts(kind);
            parts.iter().any(|p| p.shares_a_table(atom)) && (!atom.writes || parts.iter().any(|p| p.writes))
        };
        let mut may: Vec<&mut Kind> = kinds.iter_mut().filter(may).collect();
        let sum: f64 = may.iter().map(|k| k.calls).sum();
        if may.is_empty() || sum + self.slack < atom.calls {
            return false;
        }
        let several = may.len() > 1;
        for kind in &mut may {
            kind.parts.push((at, atom.calls / sum));
            kind.shared |= several;
            kind.branches |= !several;
        }
        true
    }

    fn meets(&self, kind: &Kind, at: usize) -> bool {
        self.atoms.get(at).is_some_and(|a| kind.parts.iter().filter_map(|p| self.atoms.get(p.0)).any(|p| p.meets(a)))
    }
}

/// `atom` inserts rows that refer to rows that `kind` inserts.
fn linked(kind: &Atom<'_>, atom: &Atom<'_>) -> bool {
    atom.calls > kind.calls && !atom.parents.is_disjoint(&kind.inserts)
}
