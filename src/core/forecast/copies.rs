//! Successive copies of a whole pg_stat_statements to one set of counters that never fall: what each statement was
//! counted since it was seen last, added up.

use super::counters::CounterCopy;
use std::collections::BTreeMap;

/// Rows whose times lie closer are of one copy. Assumed: some stamp every row by itself, and nobody copies so often.
const COPY_SECONDS: i64 = 10;

/// What a statement was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    pub calls: f64,
    pub total_milliseconds: f64,
    /// Rows of the table that it added and took away.
    pub inserted: f64,
    pub deleted: f64,
}

impl Counts {
    fn all(&self) -> [f64; 4] {
        [self.calls, self.total_milliseconds, self.inserted, self.deleted]
    }

    fn fell_from(&self, before: &Self) -> bool {
        self.all().iter().zip(before.all()).any(|(now, before)| *now < before)
    }

    /// What was added; all of it where there is nothing before, or where the counters fell.
    pub fn since(&self, before: Option<&Self>) -> Self {
        let mut grown = Self::default();
        grown.grow(self, &before.filter(|before| !self.fell_from(before)).copied().unwrap_or_default());
        grown
    }

    fn grow(&mut self, to: &Self, from: &Self) {
        self.calls += to.calls - from.calls;
        self.total_milliseconds += to.total_milliseconds - from.total_milliseconds;
        self.inserted += to.inserted - from.inserted;
        self.deleted += to.deleted - from.deleted;
    }
}

/// Takes the rows of all copies in the order of their times.
#[derive(Debug, Default)]
pub struct Copies<K> {
    /// What each statement was counted when it was seen last.
    seen: BTreeMap<K, Counts>,
    /// Of all statements, by the time of the copy.
    totals: Vec<(i64, Counts)>,
    /// How often a statement's counters fell: a reset, a restart, an entry that was evicted and came back.
    pub resets: usize,
    /// Rows whose counters are no counts.
    pub damaged: usize,
}

impl<K: Ord> Copies<K> {
    /// A statement that is new counted from zero, as does one whose counters fell; one that was missing for a while has
    /// gone on from where it was.
    pub fn add(&mut self, time: i64, statement: K, counts: Counts) {
        if !counts.all().iter().all(|n| n.is_finite() && *n >= 0.0) {
            self.damaged += 1;
            return;
        }
        let before = self.totals.last().copied();
        if before.is_none_or(|copy| time.saturating_sub(copy.0) > COPY_SECONDS) {
            self.totals.push((time, before.map(|b| b.1).unwrap_or_default()));
        }
        let known = self.seen.insert(statement, counts);
        let first_copy = self.totals.len() == 1;
        let Some((_, total)) = self.totals.last_mut().filter(|_| !first_copy) else { return };
        let fell = known.is_some_and(|known| counts.fell_from(&known));
        self.resets += usize::from(fell);
        total.grow(&counts, &known.filter(|_| !fell).unwrap_or_default());
    }

    /// One pair of counters for all statements, ready for [`super::rates`].
    pub fn totals(&self) -> Vec<CounterCopy> {
        let copy = |(time, counts): &(i64, Counts)| CounterCopy {
            time: *time,
            calls: counts.calls,
            total_milliseconds: counts.total_milliseconds,
        };
        self.totals.iter().map(copy).collect()
    }

    /// How many rows the table had at the time of each copy, when it has `now` at that of the last; nothing where no
    /// statement adds or takes away any.
    pub fn rows(&self, now: f64) -> Vec<(i64, f64)> {
        let net = |counts: &Counts| counts.inserted - counts.deleted;
        let Some((_, last)) = self.totals.last().filter(|(_, c)| c.inserted + c.deleted > 0.0) else {
            return Vec::new();
        };
        self.totals.iter().map(|(time, counts)| (*time, (now - net(last) + net(counts)).max(0.0))).collect()
    }
}
