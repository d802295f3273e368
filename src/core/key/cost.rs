//! What the workload costs under a layout.
//!
//! The unit is the single-shard statement: 1.0 is a table on which every statement visits one shard, alone. All that
//! goes beyond is added as a named part, so that the parts of a candidate add up to its cost and two candidates can be
//! compared part by part.

use super::access::{further_shards, statement_reach, writes_table};
use super::because::INSERTS_AT_THE_END;
use super::subject::{Basis, Subject, Weighed};
use super::values::KeyValues;
use super::{HashShares, access, because, reject, skew};
use crate::model::config::UniquePolicy;
use crate::model::plan::Evidence;
use crate::model::words::round4;
use crate::model::workload::TableUse;
use crate::model::{Candidate, KeyColumns, Method, TableName};
use std::collections::BTreeMap;

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
/// A row fetched for a join from a shard elsewhere. Measured: a point look-up through postgres_fdw takes 4.7 times a
/// local one.
const FAR_JOIN: f64 = 3.7;
/// Size of a look-up table against the joined one where no profile tells. Assumed.
const LOOKUP_SIZE: f64 = 0.1;
/// A statement whose transaction has its other statements on another shard. Measured: a transaction on two nodes takes
/// 3.2 times as long as on one.
const APART: f64 = 2.2;
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
/// Bounds that someone must keep up with: values to come all fall into an outer range, or into DEFAULT. Assumed.
const RANGE_UPKEEP: f64 = 0.15;
const LIST_UPKEEP: f64 = 0.15;
/// All INSERTs into the last range, for a key that always grows. Assumed.
const HOT_TAIL: f64 = 0.5;
/// Too few shards to balance the nodes, for a table that falls short of it altogether. Assumed.
const HARD_TO_BALANCE: f64 = 0.3;
/// All data and load in one place, for a table that is not small. Assumed: as much again as the statements.
const ONE_PLACE: f64 = 1.0;
/// Keeping the copies of a reference table in step, for writes that the log did not show. Assumed.
const COPIES: f64 = 0.2;

/// What a candidate is judged against besides the subject.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    pub unique: UniquePolicy,
    /// Shards that data and load ask for.
    pub needed: u32,
    /// Shards with which the nodes can be balanced.
    pub balanced: u32,
    pub nodes: usize,
    pub exact: &'a HashShares<'a>,
}

impl std::fmt::Debug for Setting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("needed", &self.needed).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// A key cut into `count` shards by `method` (hash, range or list), with its figures, its cost and its reasons.
pub fn assess(subject: &Subject<'_>, key: &KeyColumns, method: Method, count: u32, setting: &Setting<'_>) -> Candidate {
    let values = KeyValues::of(subject, key);
    let (reads, writes) = access::fanouts(subject, key, method);
    let known_skew = skew::skew(subject, key, method, count, setting.exact);
    let lost = constraints_lost(subject, key);
    let updates = key_updates(subject, key);

    let mut parts = Parts::new();
    let (further_reads, further_writes) = further(subject, key, method, count);
    parts.add("reads on further shards", further_reads);
    parts.add("writes on further shards", further_writes);
    parts.add("joins between shards", if count > 1 { FAR_JOIN * far_joins(subject, Some(key)) } else { 0.0 });
    parts.add("apart from its transactions", APART * (subject.best_home - subject.home(key)).max(0.0));
    let unique = subject.table.unique_keys.iter().any(|k| k.columns.iter().all(|c| key.contains(c)));
    let assumed_skew = if unique { 1.0 } else { UNKNOWN_SKEW };
    parts.add("uneven shards", UNEVEN * (known_skew.unwrap_or(assumed_skew) - 1.0));
    parts.add("key updates", KEY_UPDATE * updates);
    parts.add("constraints lost", lost.iter().map(|(_, natural)| price_of_loss(subject, *natural)).sum());
    parts.add("partitioning", PARTITIONED);
    match method {
        Method::Range => {
            parts.add("upkeep of the ranges", RANGE_UPKEEP);
            let inserts = subject.insert_calls / (subject.insert_calls + subject.calls).max(1.0);
            parts.add(INSERTS_AT_THE_END, HOT_TAIL * inserts * values.growth.unwrap_or(0.0));
        }
        Method::List => parts.add("upkeep of the list", LIST_UPKEEP),
        _ => {}
    }
    parts.add("fewer shards than needed", f64::from(setting.needed) / f64::from(count.max(1)) - 1.0);
    let balance = f64::from(count) / f64::from(setting.balanced.max(1));
    parts.add("hard to balance", HARD_TO_BALANCE * (1.0 - balance));

    let mut evidence = figures(subject, reads, writes, parts);
    let family = key.first().and_then(|c| subject.families.of(&subject.table.name, c));
    evidence.family_tables = family.map(|f| subject.families.tables(f)).unwrap_or_default();
    evidence.family_calls = round4(subject.home(key));
    evidence.key_updates = round4(updates);
    evidence.distinct = values.distinct;
    evidence.null_share = values.null_share.map(round4);
    evidence.hottest_value = values.hottest.map(round4);
    evidence.skew = known_skew.map(round4);
    evidence.monotonicity = values.monotonicity.map(round4);
    evidence.constraints_lost = lost.into_iter().map(|(name, _)| name).collect();
    let mut candidate = with(method, key.clone(), count, evidence);
    candidate.rejected = reject::reason(subject, &candidate, &values, setting.unique);
    candidate.because = because::sharded(subject, &candidate, setting.unique);
    candidate
}

/// One plain table (`none`), or one with a copy on every foreign node (`reference`).
pub fn assess_unsharded(subject: &Subject<'_>, method: Method, setting: &Setting<'_>) -> Candidate {
    let mut parts = Parts::new();
    let bytes = subject.text_bytes();
    if method == Method::Reference {
        let copies = setting.nodes.max(2) as f64;
        parts.add("writes to every copy", subject.written * copies * APART);
        parts.add("copies kept in step", COPIES);
        parts.add("room for the copies", bytes.unwrap_or(0) as f64 / REFERENCE_BYTES as f64);
    } else {
        parts.add("joins between shards", FAR_JOIN * far_joins(subject, None));
        parts.add("apart from its transactions", APART * subject.best_home);
        parts.add("all in one place", if bytes.is_some_and(|b| b < MIN_SHARDED_BYTES) { 0.0 } else { ONE_PLACE });
        parts.add("fewer shards than needed", f64::from(setting.needed) - 1.0);
    }
    let (reads, writes) = access::fanouts(subject, &[], Method::Hash);
    let evidence = figures(subject, reads, writes, parts);
    let mut candidate = with(method, KeyColumns::new(), 1, evidence);
    candidate.rejected = reject::unsharded(subject, method);
    candidate.because = because::unsharded(subject, &candidate);
    candidate
}

fn with(method: Method, key: KeyColumns, shard_count: u32, evidence: Evidence) -> Candidate {
    let cost = round4(evidence.cost_parts.iter().map(|p| p.1).sum());
    Candidate { method, key, shard_count, cost, because: String::new(), rejected: None, evidence }
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
struct Parts(Vec<(String, f64)>);

impl Parts {
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

/// Cost of the shards visited beyond the first: by reads, and by writes.
fn further(subject: &Subject<'_>, key: &[String], method: Method, count: u32) -> (f64, f64) {
    let mut both = (0.0, 0.0);
    for Weighed { statement, weight, overhead } in &subject.statements {
        let shards = further_shards(statement_reach(subject, statement, key, method), method, count);
        if writes_table(subject, statement) {
            both.1 += weight * overhead * shards * WRITE_SHARD;
        } else {
            both.0 += weight * overhead * shards * READ_SHARD;
        }
    }
    both
}

/// Weight of the joins whose other side is not on the same shard, each by the size of what must travel. `key` is None
/// for a table that is not cut: then every join is far, as the other side is somewhere else.
fn far_joins(subject: &Subject<'_>, key: Option<&[String]>) -> f64 {
    let mut sum = 0.0;
    for Weighed { statement, weight, .. } in &subject.statements {
        let mut far: BTreeMap<&TableName, f64> = BTreeMap::new();
        for found in subject.uses(statement).filter(|u| !u.inserted) {
            for edge in found.joined.iter().filter(|e| key.is_some() || e.other != subject.table.name) {
                let others: Vec<&TableUse> = statement.tables.iter().filter(|u| u.table == edge.other).collect();
                let near = key.map_or(0.0, |k| nearness(subject, k, found, &edge.other, &others));
                let size = far.entry(&edge.other).or_default();
                *size = size.max((1.0 - near) * travelling(subject, &edge.column, &edge.other));
            }
        }
        sum += weight * far.values().sum::<f64>();
    }
    sum
}

/// How surely the other side of a join is on the same shard, 0..=1: 1 where both sides are pinned by the key's family;
/// where they are joined on it, the part of the other table's joins that use that column, since the more of them do,
/// the likelier it is that table's key as well.
fn nearness(subject: &Subject<'_>, key: &[String], found: &TableUse, other: &TableName, others: &[&TableUse]) -> f64 {
    let near = |column: &String| {
        let family = subject.families.of(&subject.table.name, column);
        let pins = |u: &&TableUse| u.pinned.iter().any(|c| subject.families.of(other, c) == family);
        if found.pinned.contains(column) && family.is_some() && others.iter().any(pins) {
            return 1.0;
        }
        let on_it = found.joined.iter().filter(|e| e.column == *column && e.other == *other);
        on_it.map(|e| subject.joined_share(other, &e.other_column)).fold(0.0, f64::max)
    };
    key.iter().map(near).fold(1.0, f64::min)
}

/// Size of the smaller side of a join against the table, 0..=1, by its square root: the other side has about as many
/// rows as the joined column has values. Counting joins instead would make a date the best key of every star.
fn travelling(subject: &Subject<'_>, column: &str, other: &TableName) -> f64 {
    match subject.profile.and_then(|p| p.column(column).map(|c| (c.distinct, p.rows))) {
        Some((distinct, rows)) if rows > 0 => (distinct as f64 / rows as f64).min(1.0).sqrt(),
        _ if subject.copyable.contains(other) => LOOKUP_SIZE,
        _ => 1.0,
    }
}

fn price_of_loss(subject: &Subject<'_>, natural: bool) -> f64 {
    match natural {
        false => LOST_GENERATED,
        true if subject.basis == Basis::Log && subject.written == 0.0 => LOST_UNWRITTEN,
        true => LOST_NATURAL,
    }
}

/// Share of the calls by condition that set a column of the key.
fn key_updates(subject: &Subject<'_>, key: &[String]) -> f64 {
    if subject.basis == Basis::Assumed || subject.calls <= 0.0 {
        return 0.0;
    }
    let sets = |s: &&Weighed<'_>| subject.uses(&s.statement).any(|u| u.updated.iter().any(|c| key.contains(c)));
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
