//! Every entry of the log is counted, also those that are not understood: entries of one id become one, then each is
//! booked as understood, not understood with its reason, or left out by the user's wish.

use crate::model::statement::Query;
use crate::model::workload::{Coverage, LogEntry, NotUnderstood};
use std::collections::BTreeMap;

const LEFT_OUT: &str = "called less often than min_calls";

/// All entries of one id.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) id: i64,
    pub(super) text: &'a str,
    pub(super) calls: f64,
    pub(super) total_ms: f64,
    pub(super) rows: f64,
    pub(super) parsed: Result<&'a [Query], &'a str>,
}

/// Sums the entries of each id; of several texts the first that could be parsed stands for all. Sorted by id, and summed
/// in an order that does not depend on that of `log`.
pub(super) fn merge(log: &[LogEntry]) -> Vec<Entry<'_>> {
    let mut sorted: Vec<&LogEntry> = log.iter().collect();
    sorted.sort_by(|a, b| {
        (a.id, a.parsed.is_err(), &a.text, a.parsed.as_ref().err())
            .cmp(&(b.id, b.parsed.is_err(), &b.text, b.parsed.as_ref().err()))
            .then(a.calls.total_cmp(&b.calls))
            .then(a.total_ms.total_cmp(&b.total_ms))
            .then(a.rows.total_cmp(&b.rows))
    });
    let mut merged: Vec<Entry<'_>> = Vec::new();
    for entry in sorted {
        let (calls, total_ms, rows) = (amount(entry.calls), amount(entry.total_ms), amount(entry.rows));
        match merged.last_mut().filter(|last| last.id == entry.id) {
            Some(last) => {
                last.calls += calls;
                last.total_ms += total_ms;
                last.rows += rows;
            }
            None => merged.push(Entry {
                id: entry.id,
                text: &entry.text,
                calls,
                total_ms,
                rows,
                parsed: entry.parsed.as_deref().map_err(String::as_str),
            }),
        }
    }
    merged
}

fn amount(value: f64) -> f64 {
    if value.is_finite() && value > 0.0 { value } else { 0.0 }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    statements: u64,
    calls: f64,
    total_ms: f64,
}

impl Sum {
    fn add(&mut self, entry: &Entry<'_>) {
        self.statements += 1;
        self.calls += entry.calls;
        self.total_ms += entry.total_ms;
    }
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    total: Sum,
    /// What was to be read: the total without what the user left out.
    wanted: Sum,
    understood: Sum,
    reasons: BTreeMap<String, Sum>,
}

impl Tally {
    pub(super) fn left_out(&mut self, entry: &Entry<'_>) {
        self.total.add(entry);
        self.reasons.entry(LEFT_OUT.to_owned()).or_default().add(entry);
    }

    pub(super) fn not_understood(&mut self, entry: &Entry<'_>, reason: &str) {
        self.total.add(entry);
        self.wanted.add(entry);
        self.reasons.entry(reason.to_owned()).or_default().add(entry);
    }

    pub(super) fn understood(&mut self, entry: &Entry<'_>) {
        self.total.add(entry);
        self.wanted.add(entry);
        self.understood.add(entry);
    }

    pub(super) fn coverage(self) -> Coverage {
        let mut not_understood: Vec<NotUnderstood> = self
            .reasons
            .into_iter()
            .map(|(reason, sum)| NotUnderstood { reason, statements: sum.statements, calls: sum.calls })
            .collect();
        // Stable: reasons of equal calls stay in the order of their texts.
        not_understood.sort_by(|a, b| b.calls.total_cmp(&a.calls));
        Coverage {
            statements: self.total.statements,
            calls: self.total.calls,
            total_ms: self.total.total_ms,
            understood_calls: share(self.understood.calls, self.wanted.calls),
            understood_ms: share(self.understood.total_ms, self.wanted.total_ms),
            not_understood,
        }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 1.0 }
}
