//! How many shards a statement must visit under a key.

use super::context::Weighed;
use super::subject::{Basis, Subject};
use crate::model::Method;
use crate::model::plan::{Class, Evidence, Fanout, StatementClass};
use crate::model::words::round4;
use crate::model::workload::{StatementUse, TableUse};

/// Items of an IN list or array parameter whose length the log does not tell. Assumed.
pub const LISTED_ITEMS: u32 = 4;
/// Part of the shards that a condition on one or both sides of a range key visits; the log has no constants. Assumed:
/// most such conditions ask for the newest rows, few for half of the table.
const RANGE_SPAN: f64 = 0.25;
/// The same for values in a list layout, where neighbours need not share a shard. Assumed.
const LIST_SPAN: f64 = 0.5;

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

/// The worst reach of a statement's references to the table (INSERTs apart).
pub(super) fn statement_reach(
    subject: &Subject<'_>,
    statement: &StatementUse,
    key: &[String],
    method: Method,
) -> Reach {
    let uses = subject.uses(statement).filter(|u| !u.inserted);
    uses.map(|u| reach(u, key, method)).max().unwrap_or(Reach::All)
}

/// Shards visited beyond the first.
pub(super) fn further_shards(reach: Reach, method: Method, count: u32) -> f64 {
    let others = f64::from(count.saturating_sub(1));
    match reach {
        Reach::Single => 0.0,
        Reach::Few => others.min(f64::from(LISTED_ITEMS - 1)),
        Reach::Span if method == Method::List => others * LIST_SPAN,
        Reach::Span => others * RANGE_SPAN,
        Reach::All => others,
    }
}

/// Shares of the reads and of the writes by reach; each adds up to 1, or is all 0 where there are none.
pub(super) fn fanouts(subject: &Subject<'_>, key: &[String], method: Method) -> (Fanout, Fanout) {
    let mut both = [(Fanout::default(), 0.0), (Fanout::default(), 0.0)];
    for weighed in &subject.statements {
        let [reads, writes] = &mut both;
        let (fanout, total) = if writes_table(subject, &weighed.statement) { writes } else { reads };
        *total += weighed.weight;
        match statement_reach(subject, &weighed.statement, key, method) {
            Reach::Single => fanout.single += weighed.weight,
            Reach::Few | Reach::Span => fanout.multi += weighed.weight,
            Reach::All => fanout.scatter += weighed.weight,
        }
    }
    let [reads, writes] = both.map(|(f, total)| {
        let of = |w: f64| if total > 0.0 { round4(w / total) } else { 0.0 };
        Fanout { single: of(f.single), multi: of(f.multi), scatter: of(f.scatter) }
    });
    (reads, writes)
}

/// Where each statement goes, heaviest first.
pub(super) fn classes(subject: &Subject<'_>, key: &[String], method: Method, count: u32) -> Vec<StatementClass> {
    if subject.basis == Basis::Assumed {
        return Vec::new();
    }
    let of = |w: &Weighed<'_>| {
        let reach = statement_reach(subject, &w.statement, key, method);
        let class = match reach {
            Reach::Single => Class::Single,
            Reach::Few | Reach::Span => Class::Multi,
            Reach::All => Class::Scatter,
        };
        let shards = round4(1.0 + further_shards(reach, method, count));
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
