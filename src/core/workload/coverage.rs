//! Every entry of the log is counted, also those that are not understood: entries of one id become one, then each is
//! booked as understood, not understood with its reason, or left out by the user's wish.

use crate::model::statement::Query;
use crate::model::workload::{Coverage, LogEntry, NotUnderstood};
use std::cmp::Reverse;
use std::collections::BTreeMap;

const UNCOUNTED: &str = "calls are negative or no number";
/// Calls, milliseconds and rows that a log can mean: what a bigint holds, and a billionth for those who keep averages. Beyond,
/// shares of them would overflow or vanish.
const LARGEST: f64 = 1e18;
const SMALLEST: f64 = 1e-9;

/// All entries of one id.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) id: i64,
    pub(super) text: &'a str,
    pub(super) calls: f64,
    pub(super) total_ms: f64,
    pub(super) rows: f64,
    pub(super) parsed: Result<&'a [Query], &'a str>,
    /// What the log says of its calls cannot be.
    uncounted: bool,
}

impl Entry<'_> {
    /// Why nothing can be learnt of it, whatever its text says.
    pub(super) fn is_damaged(&self) -> Option<&'static str> {
        (self.uncounted && self.calls == 0.0).then_some(UNCOUNTED)
    }
}

/// Sums the entries of each id; of several texts the longest that could be parsed stands for all, since a text that was cut
/// off can still be one. Sorted by id, and summed in an order that does not depend on that of `log`.
pub(super) fn merge(log: &[LogEntry]) -> Vec<Entry<'_>> {
    let mut sorted: Vec<&LogEntry> = log.iter().collect();
    sorted.sort_by(|a, b| {
        let rank = |e: &LogEntry| (e.id, e.parsed.is_err(), Reverse(e.text.len()));
        rank(a)
            .cmp(&rank(b))
            .then_with(|| a.text.cmp(&b.text))
            // Texts are cut: what they were parsed to may still differ.
            .then_with(|| {
                let tree = |e: &LogEntry| format!("{:?}", e.parsed);
                let (a, b) = (tree(a), tree(b));
                b.len().cmp(&a.len()).then(a.cmp(&b))
            })
            .then(a.calls.total_cmp(&b.calls))
            .then(a.total_ms.total_cmp(&b.total_ms))
            .then(a.rows.total_cmp(&b.rows))
    });
    let mut merged: Vec<Entry<'_>> = Vec::new();
    for entry in sorted {
        let (calls, total_ms, rows) = (amount(entry.calls), amount(entry.total_ms), amount(entry.rows));
        let uncounted = !(0.0..=LARGEST).contains(&entry.calls);
        match merged.last_mut().filter(|last| last.id == entry.id) {
            Some(last) => {
                last.calls += calls;
                last.total_ms += total_ms;
                last.rows += rows;
                last.uncounted |= uncounted;
            }
            None => merged.push(Entry {
                id: entry.id,
                text: &entry.text,
                calls,
                total_ms,
                rows,
                parsed: entry.parsed.as_deref().map_err(String::as_str),
                uncounted,
            }),
        }
    }
    merged
}

fn amount(value: f64) -> f64 {
    if (SMALLEST..=LARGEST).contains(&value) { value } else { 0.0 }
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
        self.reasons.entry(NotUnderstood::LEFT_OUT.to_owned()).or_default().add(entry);
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
