//! What a number of shards costs: the time that partitions add to every statement, and what too few of them cost later.
//!
//! The unit is the time of the table's statements on one plain table: 0.1 is a tenth of it. Times are of one server, since that
//! is where all planning is done. Constants marked "bench" are from benches/partition_costs.md; only their ratio to
//! [`STATEMENT_MS`] matters much, and it varies less than they do between machines.

use super::bounds::{Demand, bytes_on_disk};
use crate::model::words::percent;
use crate::model::workload::Work;

/// Milliseconds of a point look-up that are not in the log's time: parsing, planning, the way to the client and back. Bench:
/// 37 µs in all, half of them execution.
pub const STATEMENT_MS: f64 = 0.02;
/// Milliseconds that being partitioned adds to every statement. Bench: 8 µs by the simple protocol, 20 for a prepared one, which
/// loses the generic plan that a plain table has; the log does not tell them apart.
const PARTITIONED_MS: f64 = 0.014;
/// Milliseconds that each partition adds. Bench: a point look-up takes 45 µs at 8 partitions, 47 at 128 and 76 at 1,024.
const PARTITION_MS: f64 = 0.000_035;
/// What being partitioned adds to an UPDATE or DELETE beyond that. Bench: 43 µs without, 76 at 8 partitions, 83 at 128.
const CHANGED_MS: f64 = 0.025;
/// Milliseconds of planning and executing a statement on a further shard of this server, rows found by index. Bench: 12 µs at 32 partitions,
/// 8 at 8, 25 at 128.
pub const VISIT_MS: f64 = 0.012;
/// The same for a further shard into which an INSERT of several rows puts some. Bench: 100 rows take 294 µs without partitions
/// and 583 at 128, of which they fill about 70.
const LEAF_MS: f64 = 0.004;
/// Milliseconds of making a shard with two indexes. Bench.
const SHARD_MADE_MS: f64 = 1.5;
/// Bytes that are imported in a millisecond. Measured: 70 MB/s, a plain disk.
const IMPORTED_BYTES_PER_MS: f64 = 70_000.0;
/// What importing counts beside the statements to come: a restore that takes twice as long, as much as statements that take
/// so much longer. Assumed.
const IMPORT: f64 = 0.02;
/// What the copying costs while a shard is split. Measured: 15 % of the throughput.
const SPLITTING: f64 = 0.15;
/// What a busiest node costs that has more shards than the mean: half of the capacity lost, since shards differ in load anyway.
/// Assumed.
const UNEVEN_NODES: f64 = 0.5;
/// The same for the node that may be added, as far as it is likely before the table is cut anew. Assumed.
const NODE_ADDED: f64 = 0.05;

/// What the costs of a count depend on.
pub struct Costing<'a> {
    pub demand: &'a Demand,
    /// What the statements do at a count.
    pub work_at: &'a dyn Fn(u32) -> Work,
    /// The fullest shard over the mean at a count.
    pub skew_at: &'a dyn Fn(u32) -> Option<f64>,
    /// Counts are those of one level, each shard of which is cut into so many.
    pub each: u32,
}

impl std::fmt::Debug for Costing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Costing").field("demand", self.demand).finish_non_exhaustive()
    }
}

/// The cost of one count by its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct CountCost {
    pub count: u32,
    pub parts: Vec<(&'static str, f64)>,
}

impl CountCost {
    pub fn of(costing: &Costing<'_>, count: u32) -> Self {
        let demand = costing.demand;
        let shards = f64::from(count) * f64::from(costing.each);
        let mut parts = vec![("the time of statements", slower(&(costing.work_at)(count), shards, demand.spreads))];
        if count > 1 {
            parts.push(("making the shards", IMPORT * made(demand, shards)));
        }
        parts.push(("the next split", SPLITTING * outgrown(demand, shards, (costing.skew_at)(count))));
        if demand.spreads {
            let uneven = |nodes: usize| uneven(nodes, f64::from(count));
            let nodes = demand.nodes.max(1);
            parts.push(("balance between nodes", UNEVEN_NODES * uneven(nodes) + NODE_ADDED * uneven(nodes + 1)));
        }
        Self { count, parts }
    }

    pub fn sum(&self) -> f64 {
        self.parts.iter().map(|p| p.1).sum()
    }

    /// `16 would cost 2.1 % more, mostly for the time of statements`, as against `chosen`; None where it costs no more.
    pub(super) fn against(&self, chosen: &Self) -> Option<String> {
        let more = (self.sum() - chosen.sum()) / (1.0 + chosen.sum());
        let of = |parts: &Self, name: &str| parts.parts.iter().find(|p| p.0 == name).map_or(0.0, |p| p.1);
        let grown = |name: &'static str| (name, of(self, name) - of(chosen, name));
        let (most, _) = self.parts.iter().map(|p| grown(p.0)).max_by(|a, b| a.1.total_cmp(&b.1))?;
        (more > 0.0).then(|| format!("{} would cost {} more, mostly for {most}", self.count, percent(more)))
    }
}

/// What all but the statements can be worth.
pub(super) const MOST_OTHERS: f64 = SPLITTING + UNEVEN_NODES + NODE_ADDED;

/// How much longer statements take than on one plain table; below 0 where they leave shards out that they would have read. That
/// counts on one node only: where there are several, a shard more is another place to ask, which the choice of the key weighs.
pub(super) fn slower(work: &Work, shards: f64, spreads: bool) -> f64 {
    if shards <= 1.0 {
        return 0.0;
    }
    let partitioned = PARTITIONED_MS + CHANGED_MS * work.changes;
    let added = partitioned + PARTITION_MS * shards + VISIT_MS * work.further + LEAF_MS * work.leaves;
    let spared = if spreads { 0.0 } else { work.spared_ms };
    (added - spared) / (STATEMENT_MS + work.ms)
}

/// The time of making the shards over that of importing the rows, at most 1.
fn made(demand: &Demand, shards: f64) -> f64 {
    let Some(size) = bytes_on_disk(demand) else { return 0.0 };
    (shards * SHARD_MADE_MS * IMPORTED_BYTES_PER_MS / size.max(1.0)).min(1.0)
}

/// 1 for a fullest shard that has its full size already, 0 for one that has it when the table is twice as large. Where it is said
/// by how much the table grows until the next split, the volume asks for as much as that, and none is to be expected before.
fn outgrown(demand: &Demand, shards: f64, skew: Option<f64>) -> f64 {
    if demand.growth > 1.0 {
        return 0.0;
    }
    lasts_until(demand, shards, skew).map_or(0.0, |growth| 1.0 - growth.max(1.0).log2().min(1.0))
}

/// The growth at which the fullest shard has the size that no shard should exceed.
pub(super) fn lasts_until(demand: &Demand, shards: f64, skew: Option<f64>) -> Option<f64> {
    let size = bytes_on_disk(demand).filter(|s| *s > 0.0)?;
    Some(demand.target_shard_bytes as f64 * shards / (size * skew.unwrap_or(1.0).max(1.0)))
}

/// Capacity lost because shards are whole: those of the busiest node over the mean, at most 1.
fn uneven(nodes: usize, shards: f64) -> f64 {
    let mean = shards / nodes as f64;
    (mean.ceil() / mean - 1.0).min(1.0)
}
