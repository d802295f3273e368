//! Which shards a statement must visit under a key, and how the reads and writes of a table divide by it.

use super::context::Weighed;
use super::cut::Level;
use super::subject::{Basis, Subject};
use super::visits::visits;
use crate::model::Method;
use crate::model::plan::{Class, Evidence, Fanout, StatementClass};
use crate::model::words::round4;
use crate::model::workload::{StatementUse, TableUse};

/// Which shards a statement visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    Single,
    /// As many as the list has items, at most.
    Few,
    /// Neighbours in the key's order.
    Span,
    All,
}

/// Where one reference to the table goes: pruning as PostgreSQL does it. Hash needs every key column fixed.
pub fn reach(found: &TableUse, key: &[String], method: Method) -> Reach {
    let pinned = |c: &String| found.pinned.contains(c);
    let listed = |c: &String| found.listed.contains(c);
    if key.iter().all(pinned) {
        Reach::Single
    } else if key.iter().all(|c| pinned(c) || listed(c)) {
        Reach::Few
    } else if method != Method::Hash && key.first().is_some_and(|c| pinned(c) || listed(c) || found.ranged.contains(c))
    {
        Reach::Span
    } else {
        Reach::All
    }
}

/// Shares of the reads and of the writes by reach; each adds up to 1, or is all 0 where there are none.
pub(super) fn fanouts(subject: &Subject<'_>, levels: &[Level<'_>]) -> (Fanout, Fanout) {
    let mut both = [(Fanout::default(), 0.0), (Fanout::default(), 0.0)];
    for weighed in &subject.statements {
        let [reads, writes] = &mut both;
        let (fanout, total) = if writes_table(subject, &weighed.statement) { writes } else { reads };
        *total += weighed.weight;
        let runs = visits(subject, &weighed.statement, levels).runs;
        fanout.single += weighed.weight * runs.single;
        fanout.multi += weighed.weight * runs.multi;
        fanout.scatter += weighed.weight * runs.scatter;
    }
    let [reads, writes] = both.map(|(f, total)| {
        let of = |w: f64| if total > 0.0 { round4(w / total) } else { 0.0 };
        Fanout { single: of(f.single), multi: of(f.multi), scatter: of(f.scatter) }
    });
    (reads, writes)
}

/// Where most runs of each statement go, heaviest first.
pub(super) fn classes(subject: &Subject<'_>, levels: &[Level<'_>]) -> Vec<StatementClass> {
    if subject.basis == Basis::Assumed {
        return Vec::new();
    }
    let of = |w: &Weighed<'_>| {
        let visits = visits(subject, &w.statement, levels);
        let runs = visits.runs;
        let class = match () {
            () if runs.single >= runs.multi.max(runs.scatter) => Class::Single,
            () if runs.multi >= runs.scatter => Class::Multi,
            () => Class::Scatter,
        };
        let shards = round4(1.0 + visits.further);
        StatementClass { id: w.statement.id, class, shards, share: round4(w.weight) }
    };
    let mut out: Vec<StatementClass> = subject.statements.iter().map(of).collect();
    out.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.id.cmp(&b.id)));
    out.truncate(Evidence::STATEMENTS);
    out
}

pub(super) fn writes_table(subject: &Subject<'_>, statement: &StatementUse) -> bool {
    subject.uses(statement).any(|u| u.written)
}
