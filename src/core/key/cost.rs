//! What the workload costs under a layout.
//!
//! The unit is the single-shard statement: 1.0 is a table on which every statement visits one shard, alone. All that
//! goes beyond is added as a named part, so that the parts of a candidate add up to its cost and two candidates can be
//! compared part by part.

use super::access::writes_table;
use super::because::{DELETED_ONE_BY_ONE, INSERTS_AT_THE_END};
use super::context::Weighed;
use super::cut::{Cutting, Level};
use super::skew::load_skew;
use super::subject::{Basis, Subject};
use super::tie::APART;
use super::values::KeyValues;
use super::visits::visits;
use super::{HashShares, access, because, candidates, reject, remedies, retention, scan};
use crate::model::config::UniquePolicy;
use crate::model::plan::Evidence;
use crate::model::words::round4;
use crate::model::workload::TableUse;
use crate::model::{Candidate, KeyColumns, Method};

/// Text bytes below which a table is not worth cutting for its own sake. Assumed: a table of 8 MB is read from end to
/// end in a tenth of a second (70 MB/s of a plain disk, measured), and fits into any cache.
pub const MIN_SHARDED_BYTES: u64 = 8 << 20;
/// Text bytes up to which a copy on every node is sensible: about a second of COPY (50–100 MB/s a core, measured).
pub(super) const REFERENCE_BYTES: u64 = 64 << 20;

/// A further shard visited by a read, in single-shard statements: half, since the visits overlap. Assumed; locally an
/// unpruned plan over 8 and 32 shards was measured at 0.1 and 0.5 ms against 0.13 ms for a point look-up.
const READ_SHARD: f64 = 0.5;
/// A further shard visited by a write: a whole statement; it locks there, and its commit waits for all.
const WRITE_SHARD: f64 = 1.0;
/// Capacity lost to uneven shards: half of it, since a full shard can be split or moved later. Assumed.
const UNEVEN: f64 = 0.5;
/// Fullest shard over the mean where nothing is known of the values of a key that is not unique. Assumed.
const UNKNOWN_SKEW: f64 = 1.2;
/// Moving a row to another shard, in single-shard statements: a delete, an insert and their indexes on two nodes.
/// Assumed.
const KEY_UPDATE: f64 = 10.0;
/// Losing the global uniqueness of values that are unique by construction (identity, uuid), and of values that people
/// choose (an e-mail address). Assumed.
const LOST_GENERATED: f64 = 0.02;
const LOST_NATURAL: f64 = 0.3;
/// The same for a table that the log shows as read only: where nobody inserts, nothing can collide. Assumed.
const LOST_UNWRITTEN: f64 = 0.05;
/// Being partitioned at all. Measured: 144 µs for a point look-up over 8 partitions against 127 µs without.
const PARTITIONED: f64 = 0.1;
/// Being partitioned once more. Measured: 20 µs on top of a point look-up, over 4 times 4 partitions against 4.
const SECOND_LEVEL: f64 = 0.14;
/// A further inner partition that a statement cannot leave out, without its shards. Measured: between 11 and 50 µs.
const INNER_PART: f64 = 0.2;
/// Each further column of a key: every statement to come must name it as well, and unique constraints grow by it. Assumed:
/// little, so that it only decides where nothing is gained.
const FURTHER_COLUMN: f64 = 0.02;
/// Bytes below which a shard would not fill a page of its own: PostgreSQL's block size. And what shards without rows cost:
/// files, indexes and statistics for nothing. Assumed: as much as being hard to balance.
const PAGE_BYTES: f64 = 8192.0;
const EMPTY_SHARDS: f64 = 0.3;
/// Bounds that someone must keep up with: values to come all fall into an outer range, or into DEFAULT. Assumed.
const RANGE_UPKEEP: f64 = 0.15;
const LIST_UPKEEP: f64 = 0.15;
/// All INSERTs into the last range, for a key that always grows, as far as the other nodes then have none: at most what
/// [`ONE_PLACE`] costs, and nothing where there is one node only. Assumed.
const HOT_TAIL: f64 = ONE_PLACE;
/// Too few shards to balance the nodes, for a table that falls short of it altogether. Assumed.
const HARD_TO_BALANCE: f64 = 0.3;
/// All data and load in one place, for a table that is not small. Assumed: as much again as the statements.
const ONE_PLACE: f64 = 1.0;
/// Keeping the copies of a reference table in step, for writes that the log did not show; and for a table that the log
/// shows as read only. Assumed.
const COPIES: f64 = 0.2;
const COPIES_UNWRITTEN: f64 = 0.05;
/// Room for the copies of a table of unknown size, against [`REFERENCE_BYTES`]. Assumed: as likely nothing as all of it.
const UNKNOWN_ROOM: f64 = 0.5;

/// The cost's part for rows that are read from end to end for a few of them.
const READ_IN_VAIN: &str = "rows read in vain";

/// What a candidate is judged against besides the subject.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    pub unique: UniquePolicy,
    /// Shards that data and load ask for.
    pub needed: u32,
    /// Shards with which the nodes can be balanced.
    pub balanced: u32,
    pub nodes: usize,
    /// What a statement is charged for a further shard on this server, where all rows are and stay on one node: so much, over
    /// its own time with so much added, in milliseconds. None where the rows are, or will be, on more than one.
    pub one_node: Option<(f64, f64)>,
    /// Factor by which the table is expected to grow.
    pub growth: f64,
    pub exact: &'a HashShares<'a>,
}

impl std::fmt::Debug for Setting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("needed", &self.needed).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// What a candidate costs because of where the other tables are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ties {
    pub joins: f64,
    pub apart: f64,
    /// What the other tables pay for this choice, against the one that suits them best.
    pub others: f64,
}

/// The parts of the cost of a cut that do not depend on the keys of other tables.
fn own_cost(subject: &Subject<'_>, cutting: &Cutting, setting: &Setting<'_>) -> Parts {
    let (levels, columns, spread) = (cutting.levels(), cutting.columns(), cutting.spread());
    let mut parts = Parts::new();
    let by = |method: Method| levels.iter().filter(move |l| l.method == method);
    let ranges: Vec<&str> = by(Method::Range).flat_map(|l| l.key.first()).map(String::as_str).collect();
    let (further_reads, further_writes) = further(subject, &levels, &ranges, setting.one_node);
    parts.add("reads on further shards", further_reads);
    parts.add("writes on further shards", further_writes);
    parts.add(READ_IN_VAIN, in_vain(subject, &levels, setting));
    let unique = subject.table.unique_keys.iter().any(|k| k.columns.iter().all(|c| spread.key.contains(c)));
    let assumed_skew = if unique { 1.0 } else { UNKNOWN_SKEW };
    let by_rows = cutting.cut.skew.unwrap_or(assumed_skew);
    let by_load = load_skew(KeyValues::of(subject, spread.key).hottest_load, spread.count).unwrap_or(1.0);
    parts.add("uneven shards", UNEVEN * (by_rows.max(by_load) - 1.0));
    parts.add("key updates", KEY_UPDATE * key_updates(subject, &columns));
    let lost = constraints_lost(subject, &columns);
    parts.add("constraints lost", lost.iter().map(|(_, natural)| price_of_loss(subject, *natural)).sum());
    parts.add("partitioning", PARTITIONED + SECOND_LEVEL * (levels.len() - 1) as f64);
    parts.add(
        "further columns",
        FURTHER_COLUMN * levels.iter().map(|l| l.key.len().saturating_sub(1)).sum::<usize>() as f64,
    );
    parts.add("upkeep of the ranges", RANGE_UPKEEP * by(Method::Range).count() as f64);
    if spread.method == Method::Range {
        let inserts = subject.insert_calls / (subject.insert_calls + subject.calls).max(1.0);
        let growth = KeyValues::of(subject, spread.key).growth.unwrap_or(0.0);
        let idle = 1.0 - 1.0 / setting.nodes.max(1) as f64;
        parts.add(INSERTS_AT_THE_END, HOT_TAIL * idle * inserts * growth);
    }
    parts.add("upkeep of the list", LIST_UPKEEP * by(Method::List).count() as f64);
    parts.add(DELETED_ONE_BY_ONE, retention::cost(subject, &ranges, cutting.shards()));
    parts.add("fewer shards than needed", f64::from(setting.needed) / f64::from(cutting.shards().max(1)) - 1.0);
    let balance = f64::from(spread.count) / f64::from(setting.balanced.max(1));
    parts.add("hard to balance", HARD_TO_BALANCE * (1.0 - balance));
    let pages = subject.text_bytes().map(|b| b as f64 * setting.growth / PAGE_BYTES);
    let filled = pages.map_or(1.0, |pages| pages / f64::from(cutting.shards().max(1)));
    parts.add("shards without a page of rows", EMPTY_SHARDS * (1.0 - filled));
    parts
}

/// The same for one plain table (`none`), or one with a copy on every foreign node (`reference`).
fn own_cost_unsharded(subject: &Subject<'_>, method: Method, setting: &Setting<'_>) -> Parts {
    let mut parts = Parts::new();
    let bytes = subject.text_bytes();
    if method == Method::Reference {
        let copies = setting.nodes.max(2) as f64;
        parts.add("writes to every copy", subject.written * copies * APART);
        let read_only = subject.basis == Basis::Log && subject.written == 0.0;
        parts.add("copies kept in step", if read_only { COPIES_UNWRITTEN } else { COPIES });
        let room = |b: u64| b as f64 * setting.growth / REFERENCE_BYTES as f64;
        parts.add("room for the copies", bytes.map_or(UNKNOWN_ROOM, room));
        parts.add("read whole for every shard", read_whole(subject, setting.balanced));
    } else {
        let small = bytes.is_some_and(|b| b as f64 * setting.growth < MIN_SHARDED_BYTES as f64);
        parts.add("all in one place", if small || setting.one_node.is_some() { 0.0 } else { ONE_PLACE });
        parts.add("fewer shards than needed", f64::from(setting.needed) - 1.0);
    }
    parts.add(DELETED_ONE_BY_ONE, retention::cost(subject, &[], 1));
    parts.add(READ_IN_VAIN, in_vain(subject, &[], setting));
    parts
}

/// A statement that works on all shards of a large table works through the whole copy of a small one for each of them,
/// instead of a shard of it: the copy's size in shards of the largest table of the statement, where time counts.
fn read_whole(subject: &Subject<'_>, shards: u32) -> f64 {
    let of = |w: &Weighed<'_>| {
        let size = subject.context.relative_size(&subject.table.name, &w.statement);
        let others = w.statement.tables.iter().any(|u| u.table != subject.table.name);
        if others { w.weight * (1.0 - w.overhead) * size * f64::from(shards) } else { 0.0 }
    };
    subject.statements.iter().map(of).sum()
}

/// A key cut into shards by hash, range or list, with its figures, its cost and its reasons.
/// Ties are added by [`tied`].
pub fn assess(subject: &Subject<'_>, cutting: &Cutting, setting: &Setting<'_>) -> Candidate {
    let (levels, columns, spread) = (cutting.levels(), cutting.columns(), cutting.spread());
    let values = KeyValues::of(subject, spread.key);
    let (reads, writes) = access::fanouts(subject, &levels);
    let lost = constraints_lost(subject, &columns);
    let parts = own_cost(subject, cutting, setting);
    let mut evidence = figures(subject, reads, writes, parts);
    let family = spread.key.first().and_then(|c| subject.context.families.of(&subject.table.name, c));
    evidence.family_tables = family.map(|f| subject.context.families.tables(f).to_vec()).unwrap_or_default();
    evidence.family_calls = round4(subject.home(spread.key));
    evidence.key_updates = round4(key_updates(subject, &columns));
    evidence.distinct = values.distinct;
    evidence.null_share = values.null_share.map(round4);
    evidence.hottest_value = values.hottest.map(round4);
    evidence.skew = cutting.cut.skew.map(round4);
    evidence.hottest_load = values.hottest_load.map(round4);
    evidence.load_skew = load_skew(values.hottest_load, cutting.spread().count).map(round4);
    evidence.monotonicity = values.monotonicity.map(round4);
    evidence.constraints_lost = lost.into_iter().map(|(name, _)| name).collect();
    evidence.statements = access::classes(subject, &levels);
    evidence.remedies = remedies::of(subject, &columns, &evidence.constraints_lost);
    let mut candidate = with(cutting.cut.method, cutting.key.clone(), cutting.shards(), evidence);
    candidate.within = cutting.within.clone();
    candidate.rejected = reject::reason(subject, &candidate, &values, setting.unique);
    candidate.because = because::sharded(subject, &candidate, setting.unique);
    candidate
}

/// One plain table (`none`), or one with a copy on every foreign node (`reference`).
pub fn assess_unsharded(subject: &Subject<'_>, method: Method, setting: &Setting<'_>) -> Candidate {
    let parts = own_cost_unsharded(subject, method, setting);
    let (reads, writes) = access::fanouts(subject, &[Level { key: &[], method: Method::Hash, count: 1 }]);
    let evidence = figures(subject, reads, writes, parts);
    let mut candidate = with(method, KeyColumns::new(), 1, evidence);
    candidate.rejected = reject::unsharded(subject, method, setting.growth);
    candidate.because = because::unsharded(subject, &candidate, setting.growth, setting.one_node.is_some());
    candidate
}

/// A candidate with what it costs because of where the other tables are.
pub fn tied(mut candidate: Candidate, ties: Ties) -> Candidate {
    let mut parts = Parts(candidate.evidence.cost_parts);
    parts.add("joins between shards", ties.joins);
    parts.add("apart from its transactions", ties.apart);
    parts.add("dearer for other tables", ties.others);
    candidate.cost = round4(parts.sum());
    candidate.evidence.cost_parts = parts.0;
    candidate
}

fn with(method: Method, key: KeyColumns, shard_count: u32, evidence: Evidence) -> Candidate {
    let cost = round4(evidence.cost_parts.iter().map(|p| p.1).sum());
    Candidate { method, key, within: None, shard_count, cost, because: String::new(), rejected: None, evidence }
}

fn figures(
    subject: &Subject<'_>,
    reads: crate::model::plan::Fanout,
    writes: crate::model::plan::Fanout,
    parts: Parts,
) -> Evidence {
    Evidence {
        reads,
        writes,
        calls: round4(subject.calls),
        insert_calls: round4(subject.insert_calls),
        cost_parts: parts.0,
        ..Evidence::default()
    }
}

/// Named parts of a cost, nothing among them that does not count.
#[derive(Debug, Clone, PartialEq)]
struct Parts(Vec<(String, f64)>);

impl Parts {
    fn sum(&self) -> f64 {
        self.0.iter().map(|p| p.1).sum()
    }

    fn new() -> Self {
        Self(vec![("statements".to_owned(), 1.0)])
    }

    fn add(&mut self, name: &str, cost: f64) {
        let cost = round4(cost.max(0.0));
        if cost > 0.0 {
            self.0.push((name.to_owned(), cost));
        }
    }
}

/// Cost of the shards visited beyond the first: by reads, and by writes. What dropping a range does instead is priced with it.
fn further(subject: &Subject<'_>, levels: &[Level<'_>], ranges: &[&str], one_node: Option<(f64, f64)>) -> (f64, f64) {
    let mut both = (0.0, 0.0);
    let runs = |w: &&Weighed<'_>| !retention::is_spared(subject, &w.statement, ranges);
    for Weighed { statement, weight, overhead } in subject.statements.iter().filter(runs) {
        let visits = visits(subject, statement, levels);
        let parts = visits.parts * INNER_PART;
        if let Some((visit_ms, statement_ms)) = one_node {
            let mean_ms = if statement.calls > 0.0 { statement.total_ms / statement.calls } else { 0.0 };
            let cost = weight * visits.further * visit_ms / (statement_ms + mean_ms);
            let sum = if writes_table(subject, statement) { &mut both.1 } else { &mut both.0 };
            *sum += cost;
        } else if writes_table(subject, statement) {
            both.1 += weight * overhead * (visits.further * WRITE_SHARD + parts);
        } else {
            both.0 += weight * overhead * (visits.further * READ_SHARD + parts);
        }
    }
    both
}

/// What statements read that could be left out, in one-shard statements, where that is all that a cut is good for: on one node.
fn in_vain(subject: &Subject<'_>, levels: &[Level<'_>], setting: &Setting<'_>) -> f64 {
    let reads = |w: &&Weighed<'_>| setting.one_node.is_some() && scan::reads_all(subject, &w.statement);
    let left = |w: &Weighed<'_>| {
        let part = if levels.is_empty() { 1.0 } else { scan::left(&visits(subject, &w.statement, levels), levels) };
        w.weight * part
    };
    subject.statements.iter().filter(reads).map(left).sum()
}

pub(super) fn price_of_loss(subject: &Subject<'_>, natural: bool) -> f64 {
    match natural {
        false => LOST_GENERATED,
        true if subject.basis == Basis::Log && subject.written == 0.0 => LOST_UNWRITTEN,
        true => LOST_NATURAL,
    }
}

/// A reference sets a column of the key to another value. A row that is written whole seldom goes to another owner: a column
/// that other tables share is then taken to keep its value.
pub fn moves(subject: &Subject<'_>, found: &TableUse, key: &[String]) -> bool {
    let shared = |c: &String| candidates::is_shared(subject, std::slice::from_ref(c));
    found.updated.iter().any(|c| key.contains(c) && !(found.rewritten && shared(c)))
}

/// Share of the calls by condition that set a column of the key.
fn key_updates(subject: &Subject<'_>, key: &[String]) -> f64 {
    if subject.basis == Basis::Assumed || subject.calls <= 0.0 {
        return 0.0;
    }
    let sets = |s: &&Weighed<'_>| subject.uses(&s.statement).any(|u| moves(subject, u, key));
    subject.statements.iter().filter(sets).map(|s| s.statement.calls).sum::<f64>() / subject.calls
}

/// Unique constraints that do not contain the key, and whether people choose their values.
pub(super) fn constraints_lost(subject: &Subject<'_>, key: &[String]) -> Vec<(String, bool)> {
    let keeps = |columns: &[String]| key.iter().all(|c| columns.contains(c));
    let generated =
        |columns: &[String]| columns.iter().any(|c| subject.table.column(c).is_some_and(|c| c.unique_by_default));
    let lost = subject.table.unique_keys.iter().filter(|k| !keeps(&k.columns));
    lost.map(|k| (k.name.clone(), !generated(&k.columns))).collect()
}
