//! On how many shards a run of a statement works: what is to be expected of many runs.
//!
//! The log has no constants, so a condition says which way a reference goes ([`Reach`]) and the log's numbers say how far: the
//! values of a list fall on shards by chance; a condition on an order takes a part of it that the rows returned and the time
//! taken speak for; rows wanted up to a LIMIT are taken from shard after shard until there are enough.

use super::access::{Reach, reach};
use super::cut::Level;
use super::subject::Subject;
use crate::model::plan::Fanout;
use crate::model::workload::{ColumnLoad, Limit, StatementUse, TableUse};
use crate::model::{Method, TableName};

/// Values of an IN list or array parameter whose length neither the log nor a watcher tells. Assumed.
const LISTED_VALUES: u32 = 4;
/// Part of the key's order that a condition on one or both sides of it takes, where nothing tells. Assumed: most such conditions
/// ask for the newest rows, few for half of the table.
const RANGE_SPAN: f64 = 0.25;
/// The same for a time that is limited from below only (`ts > now() - …`), and so asks for the newest rows. Assumed: a tenth
/// of what is kept.
const RECENT_SPAN: f64 = 0.1;
/// The same for values in a list layout, where neighbours need not share a shard. Assumed.
const LIST_SPAN: f64 = 0.5;
/// Milliseconds that reading a row takes at the least. Measured: 200,000 rows counted in 7.7 ms.
pub(super) const ROW_MS: f64 = 0.000_04;
/// Rows up to which a subquery's LIMIT goes. Assumed: a page of a list, or a batch of a queue.
const PAGE_ROWS: f64 = 100.0;
/// Part of the matching rows that a LIMIT has to leave behind to be known as what ends the reading. Assumed.
const LEFT_BEHIND: f64 = 0.1;

/// Shares of a statement's runs by the shards that they visit, and how many of these there are beyond the first, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Visits {
    pub(super) runs: Fanout,
    pub(super) further: f64,
    /// Inner partitions of two levels beyond the first.
    pub(super) parts: f64,
}

impl Visits {
    const ONE: Self = Self { runs: Fanout { single: 1.0, multi: 0.0, scatter: 0.0 }, further: 0.0, parts: 0.0 };

    fn all(count: u32) -> Self {
        Self::some(0.0, 1.0, f64::from(count.saturating_sub(1)))
    }

    /// `single` and `scatter` of the runs visit one and all of the shards, the others some.
    fn some(single: f64, scatter: f64, further: f64) -> Self {
        Self { runs: Fanout { single, multi: (1.0 - single - scatter).max(0.0), scatter }, further, parts: 0.0 }
    }

    /// Values that fall on `count` shards by chance.
    pub(super) fn of_values(values: u32, count: u32) -> Self {
        let (k, n) = (f64::from(values.max(1)), f64::from(count));
        let visited = n * (1.0 - (1.0 - 1.0 / n).powf(k));
        Self::some(n.powf(1.0 - k), all_hit(values, count), visited - 1.0)
    }

    /// A part of the key's order, at any place of it, cut into `count` equal shards: it crosses so many bounds, more or less one.
    fn of_span(span: f64, count: u32) -> Self {
        let bounds = span.clamp(0.0, 1.0) * f64::from(count - 1);
        let (fewest, more) = (bounds.floor(), bounds.fract());
        let at = |crossed: f64| if fewest == crossed { 1.0 - more } else { 0.0 } + if fewest + 1.0 == crossed { more } else { 0.0 };
        Self::some(at(0.0), at(f64::from(count - 1)), bounds)
    }

    /// The upper end of the key's order.
    fn of_end(span: f64, count: u32) -> Self {
        let further = ((span.clamp(0.0, 1.0) * f64::from(count)).ceil() - 1.0).max(0.0);
        let is = |wanted: f64| if further == wanted { 1.0 } else { 0.0 };
        Self::some(is(0.0), is(f64::from(count - 1)), further)
    }

    /// The shards that a second level leaves of each part that this first one leaves.
    fn within(self, second: Self) -> Self {
        let further = (1.0 + self.further) * (1.0 + second.further) - 1.0;
        let both = Self::some(self.runs.single * second.runs.single, self.runs.scatter * second.runs.scatter, further);
        Self { parts: self.further, ..both }
    }

    /// Shards visited one after another until `wanted` rows of `matching` are found, which lie on them by chance.
    fn until(wanted: f64, matching: f64, count: u32) -> Self {
        let lacking = |shards: u32| chance_of_less(wanted, matching * f64::from(shards) / f64::from(count));
        let further = (1..count).map(lacking).sum();
        Self::some(1.0 - lacking(1), lacking(count - 1), further)
    }
}

/// Where a statement's references to the subject's table go under a key: the one that goes farthest (INSERTs apart).
pub(super) fn visits(subject: &Subject<'_>, statement: &StatementUse, levels: &[Level<'_>]) -> Visits {
    let uses = subject.uses(statement).filter(|u| !u.inserted);
    let asked = |found, level: &Level<'_>| {
        let Level { key, method, count } = *level;
        Asked { subject, statement, found, key, method, count }.visits()
    };
    let each = uses.map(|found| {
        let mut by_level = levels.iter().map(|level| asked(found, level));
        let first = by_level.next().unwrap_or(Visits::ONE);
        by_level.fold(first, Visits::within)
    });
    let all = Visits::all(levels.iter().fold(1, |n, l| n.saturating_mul(l.count)));
    each.max_by(|a, b| a.further.total_cmp(&b.further)).unwrap_or(all)
}

/// Where the runs of one reference of a statement to the subject's table go, by one level of a layout.
pub fn runs(subject: &Subject<'_>, statement: &StatementUse, found: &TableUse, level: Level<'_>) -> Fanout {
    let Level { key, method, count } = level;
    Asked { subject, statement, found, key, method, count }.visits().runs
}

/// One reference, and the layout that is asked about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    subject: &'a Subject<'a>,
    statement: &'a StatementUse,
    found: &'a TableUse,
    key: &'a [String],
    method: Method,
    count: u32,
}

impl<'a> Asked<'a> {
    fn visits(self) -> Visits {
        if self.count <= 1 {
            return Visits::ONE;
        }
        match reach(self.found, self.key, self.method) {
            Reach::Single => Visits::ONE,
            _ if self.looked_up() => Visits::ONE,
            Reach::Few => Visits::of_values(self.values(), self.count),
            Reach::Span if self.method == Method::List => Visits::some(0.0, 0.0, f64::from(self.count - 1) * LIST_SPAN),
            Reach::Span if self.newest() => Visits::of_end(self.span(RECENT_SPAN), self.count),
            Reach::Span => Visits::of_span(self.span(RANGE_SPAN), self.count),
            Reach::All => self.limited().unwrap_or(Visits::all(self.count)),
        }
    }

    /// Values of the list: as the text has them, as they were watched, or the usual number.
    fn values(self) -> u32 {
        let watched = || self.watched().and_then(|load| load.items).map(|items| items.round().max(1.0) as u32);
        self.found.list_values.or_else(watched).unwrap_or(LISTED_VALUES)
    }

    /// The watched load on the key's first column.
    fn watched(self) -> Option<&'a ColumnLoad> {
        self.key.first().and_then(|c| self.subject.context.load(&self.subject.table.name, c))
    }

    /// One row, found by a unique key, whose columns of the shard key are pinned or equal to those of another such row: the
    /// executor looks it up by index, and prunes by that row's values. Several rows it may rather read with all others.
    fn looked_up(self) -> bool {
        let joined = |c: &String| self.found.joined.iter().any(|e| e.column == *c);
        if !self.key.iter().all(|c| self.found.pinned.contains(c) || joined(c)) {
            return false;
        }
        if !one_row(self.subject, self.statement, None).contains(&&self.found.table) {
            return false;
        }
        // A row that is found through this table is not there yet when its shards are to be left out.
        let before = one_row(self.subject, self.statement, Some(&self.found.table));
        let by_row = |c: &String| self.found.joined.iter().any(|e| e.column == *c && before.contains(&&e.other));
        self.key.iter().all(|c| self.found.pinned.contains(c) || by_row(c))
    }

    /// A time is limited from below only.
    fn newest(self) -> bool {
        self.key.first().is_some_and(|c| self.found.above.contains(c) && self.subject.is_time(c))
    }

    /// The part of the first key column's order that one run goes through; `unknown` where nothing tells.
    fn span(self, unknown: f64) -> f64 {
        let usual = self.watched().and_then(|load| load.passing).unwrap_or(unknown);
        let Some((first, rows)) = self.key.first().zip(self.left_by_pins(self.key.first())) else { return usual };
        let by_rows = self.rows_gone_through(first).map_or(usual, |seen| seen / rows);
        let ms = per_call(self.statement, self.statement.total_ms);
        if ms > 0.0 { by_rows.min(ms / ROW_MS / rows) } else { by_rows }
    }

    /// As far as the rows that the statement returns or changes tell. None where other conditions leave rows out.
    fn rows_gone_through(self, first: &str) -> Option<f64> {
        let found = self.found;
        let returned = per_call(self.statement, self.statement.rows);
        if found.ordered.iter().all(|c| c == first)
            && let Some(wanted) = self.wanted()
        {
            return Some(wanted);
        }
        if found.limited.is_some() {
            return None;
        }
        let others = !found.matched.is_empty() || !found.listed.is_empty() || found.ranged.iter().any(|c| c != first);
        if others || self.statement.tables.len() > 1 {
            return None;
        }
        match found.grouped.as_slice() {
            _ if found.written => Some(returned),
            // One row for each call may be an aggregate of many.
            [] => Some(returned).filter(|r| (r - 1.0).abs() > 0.001),
            [column] => rows_behind(returned, self.distinct(column)?),
            _ => None,
        }
    }

    /// Shards in their order until a LIMIT is reached, where there are matching rows enough for it to be reached.
    fn limited(self) -> Option<Visits> {
        let wanted = self.wanted().filter(|_| self.found.ordered.is_empty())?;
        let listed = f64::from(self.found.list_values.unwrap_or(LISTED_VALUES));
        let mut matching = self.left_by_pins(None)? * RANGE_SPAN.powi(self.found.ranged.len().min(8) as i32);
        for column in &self.found.listed {
            matching *= (listed / self.distinct(column)?).min(1.0);
        }
        let ends =
            self.found.matched.is_empty() && self.found.joined.is_empty() && wanted < matching * (1.0 - LEFT_BEHIND);
        ends.then(|| Visits::until(wanted, matching, self.count))
    }

    /// Rows that are read until the LIMIT is reached.
    fn wanted(self) -> Option<f64> {
        match self.found.limited? {
            Limit::Statement => Some(per_call(self.statement, self.statement.rows).max(1.0)),
            Limit::Subquery => Some(PAGE_ROWS),
            Limit::Nothing => None,
        }
    }

    /// Rows of the table that have the pinned values; of all columns but one.
    fn left_by_pins(self, except: Option<&String>) -> Option<f64> {
        let rows = self.subject.profile.map(|p| p.rows).filter(|r| *r > 0)? as f64;
        let pinned = self.found.pinned.iter().filter(|c| Some(*c) != except);
        pinned.map(|c| self.distinct(c)).try_fold(rows, |left, distinct| Some((left / distinct?).max(1.0)))
    }

    fn distinct(self, column: &str) -> Option<f64> {
        let known = self.subject.profile.and_then(|p| p.column(column));
        known.map(|c| c.distinct as f64).filter(|d| *d >= 1.0)
    }
}

/// Tables of which a statement finds one row: a unique key is pinned, or equal to columns of such a table, not by way of
/// `without`.
fn one_row<'a>(
    subject: &'a Subject<'_>,
    statement: &'a StatementUse,
    without: Option<&TableName>,
) -> Vec<&'a TableName> {
    let mut found: Vec<&TableName> = Vec::new();
    loop {
        let single = |used: &TableUse| {
            let fixed = |c: &String| {
                used.pinned.contains(c) || used.joined.iter().any(|e| e.column == *c && found.contains(&&e.other))
            };
            let table = subject.context.schema.get(&used.table);
            table.is_some_and(|t| t.unique_keys.iter().any(|k| k.columns.iter().all(fixed)))
        };
        let all_single = |table: &TableName| statement.tables.iter().filter(|u| u.table == *table).all(single);
        let next = statement
            .tables
            .iter()
            .map(|u| &u.table)
            .find(|t| Some(*t) != without && !found.contains(t) && all_single(t));
        match next {
            Some(table) => found.push(table),
            None => return found,
        }
    }
}

fn per_call(statement: &StatementUse, total: f64) -> f64 {
    if statement.calls > 0.0 { total / statement.calls } else { 0.0 }
}

/// How many rows it takes, on average, to meet `groups` of `distinct` equally frequent values; None where all are met.
fn rows_behind(groups: f64, distinct: f64) -> Option<f64> {
    (groups <= distinct - 1.0).then(|| (1.0 - groups / distinct).ln() / (1.0 - 1.0 / distinct).ln())
}

/// The chance that `values` of equal chances fall on all of `count` shards: by inclusion and exclusion while that is exact in
/// double precision, then as if the shards were independent.
fn all_hit(values: u32, count: u32) -> f64 {
    let (k, n) = (f64::from(values), f64::from(count));
    if values < count {
        return 0.0;
    }
    if count > 32 {
        return (1.0 - (1.0 - 1.0 / n).powf(k)).powf(n);
    }
    let mut ways = 1.0;
    let mut sum = 0.0;
    for missed in 0..count {
        let m = f64::from(missed);
        sum += ways * (1.0 - m / n).powf(k) * if missed % 2 == 0 { 1.0 } else { -1.0 };
        ways *= (n - m) / (m + 1.0);
    }
    sum.clamp(0.0, 1.0)
}

/// The chance of less than `wanted` where `mean` are expected, by Poisson; certain either way where these are many.
fn chance_of_less(wanted: f64, mean: f64) -> f64 {
    if mean > 100.0 {
        return if wanted > mean { 1.0 } else { 0.0 };
    }
    let mut chance = (-mean).exp();
    let mut sum = 0.0;
    let mut rows = 0.0;
    while rows < wanted.round() && rows < 1000.0 {
        sum += chance;
        rows += 1.0;
        chance *= mean / rows;
    }
    sum.min(1.0)
}
