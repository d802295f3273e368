//! The limits on the number of shards, each with its figure and its reason.

use crate::model::node::PerNode;
use crate::model::plan::{CountBound, Direction};
use crate::model::words::{bytes, counted, percent, round4, thousands};
use crate::model::{Method, TableName};

/// Bytes on disk, with indexes, that one shard should not exceed unless the config says otherwise. 10 GB are copied in
/// about 2.5 minutes at the 70 MB/s of a plain disk (measured): the time for which a move or a split of it runs.
pub const DEFAULT_TARGET_SHARD_BYTES: u64 = 10 << 30;
/// Shards per node, so that a node can hand over a quarter of its load at a time and a new node has something to take.
/// Assumed: between the 1 that leaves nothing to move and Citus' constant 32 in all.
pub const SHARDS_PER_NODE: u32 = 4;
/// Clients where nothing tells how many. Assumed: what a pool of connections is usually set to on a small server.
const USUAL_CLIENTS: f64 = 16.0;
/// Values per shard, on average, below which a hash spreads them badly: at 4 equal values a shard the fullest of 8
/// shards is expected at 1.7 times the mean.
const HASH_VALUES_PER_SHARD: u64 = 4;
/// How far the most frequent value alone may exceed the mean shard. Assumed: the threshold from which rebalancing pays.
const HOTTEST_OVER_MEAN: f64 = 1.25;
/// Shards above which planning is felt. Bench (benches/partition_costs.md): at 128 hash partitions a point look-up takes a
/// quarter longer than without, a statement that cannot be pruned 1.3 ms to plan, a backend 8 MB; at 512 it is four fifths, 12
/// ms and 31 MB, at 1,024 twice the time, 29 ms and 41 MB.
const PLANNING_SHARDS: u32 = 128;
/// Ranges that two levels have of the key by which rows grow old. Assumed: as many as a condition on a period leaves all but
/// one of, when it asks for a quarter of what is kept (the planner's span of such conditions).
pub const PERIODS: u32 = 4;
/// Memory of a backend for each partition that it has visited, and what all backends may take of it. Bench
/// (benches/partition_costs.md); and assumed: a quarter of a server with 8 GB.
const MEMORY_PER_SHARD: f64 = 40.0 * 1024.0;
const MEMORY_FOR_SHARDS: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;
/// max_locks_per_transaction and max_connections as PostgreSQL ships them, whose product is the size of the shared lock table.
/// More clients need more connections.
const LOCKS_PER_CONNECTION: f64 = 64.0;
const CONNECTIONS: f64 = 100.0;
/// Header, null bitmap and line pointer of a row on a page, bytes (PostgreSQL's storage layout: 23 + 1 + 4).
const ROW_OVERHEAD_BYTES: f64 = 28.0;
/// Heap and indexes over the heap alone. Assumed: a primary key and one or two more indexes.
const WITH_INDEXES: f64 = 1.5;

/// What the data, the load and the nodes ask for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    pub rows: Option<u64>,
    pub text_bytes: Option<u64>,
    pub growth: f64,
    pub target_shard_bytes: u64,
    /// Statements per second at the peak.
    pub throughput: Option<f64>,
    /// Clients at the same time at the peak.
    pub concurrency: Option<f64>,
    pub nodes: usize,
    /// Servers that these nodes are on: tablespaces of one share its processors.
    pub servers: usize,
    pub per_node: PerNode,
    /// The rows are, or will be, on more than one node. Where they are not, no load can be moved.
    pub spreads: bool,
    /// Indexes of the table, each locked with its partition.
    pub indexes: usize,
}

impl Demand {
    /// Nodes that throughput and clients at the peak ask for, where they are known.
    pub fn nodes_needed(&self) -> Option<u32> {
        let load = [
            self.throughput.map(|t| t / self.per_node.statements),
            self.concurrency.map(|c| c / self.per_node.clients),
        ];
        load.into_iter().flatten().map(whole).max()
    }
}

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyLimits {
    pub method: Method,
    pub distinct: Option<u64>,
    /// Share of the rows with the most frequent value, or with NULL.
    pub hottest: Option<f64>,
    /// Shards that the known values can be cut into, for range and list.
    pub pieces: Option<u32>,
    /// Old rows are deleted by the key.
    pub retired: bool,
}

/// Bytes on disk with indexes, as far as the profile lets one say; None without a profile.
pub fn bytes_on_disk(demand: &Demand) -> Option<f64> {
    let heap = demand.text_bytes? as f64 + demand.rows? as f64 * ROW_OVERHEAD_BYTES;
    Some(heap * WITH_INDEXES * demand.growth)
}

/// The bounds that do not depend on the key.
pub fn demand_bounds(demand: &Demand) -> Vec<CountBound> {
    let mut out = Vec::new();
    if let Some(size) = bytes_on_disk(demand) {
        let target = demand.target_shard_bytes.max(1) as f64;
        let grown =
            if demand.growth > 1.0 { format!(" after growing {}-fold", round4(demand.growth)) } else { String::new() };
        out.push(at_least(
            "volume",
            size / target,
            format!("about {} on disk with indexes{grown}, at most {} a shard", bytes(size), bytes(target)),
        ));
    }
    // More shards on one node bear no more; what the load asks for is nodes, and a shard for each of them.
    let source = if demand.per_node.measured { "was measured to bear" } else { "is taken to bear" };
    let mut by_load = |name: &str, load: Option<f64>, borne: f64, what: &str| {
        let Some(load) = load else { return };
        let whole = |x: f64| thousands(x.round() as u64);
        let (asked, each) = (whole(load), whole(borne));
        let because = format!("{asked} {what}, and a node {source} {each}: a shard for each node that it takes");
        out.push(at_least(name, load / borne, because));
    };
    by_load("throughput", demand.throughput, demand.per_node.statements, "statements a second");
    by_load("concurrency", demand.concurrency, demand.per_node.clients, "clients at once");
    out.push(if demand.spreads {
        at_least(
            "balance",
            demand.nodes.max(1) as f64 * f64::from(SHARDS_PER_NODE),
            if demand.nodes > 1 {
                format!(
                    "{} nodes with {SHARDS_PER_NODE} shards each, so that load can be moved between nodes",
                    demand.nodes
                )
            } else {
                format!("{SHARDS_PER_NODE} shards, so that load can be moved to nodes to come")
            },
        )
    } else {
        at_least("balance", 1.0, "one node, and nothing says that there will be more: no load can be moved".to_owned())
    });
    let clients = demand.concurrency.unwrap_or(USUAL_CLIENTS).max(1.0);
    out.push(at_most(
        "planning",
        f64::from(PLANNING_SHARDS),
        "beyond it planning and memory of each backend are felt".to_owned(),
    ));
    out.push(at_most(
        "locks",
        LOCKS_PER_CONNECTION * clients.max(CONNECTIONS) / (clients * (1 + demand.indexes) as f64),
        format!(
            "{} clients that each lock every shard and its {} fit into the lock table of a default server",
            thousands(clients.round() as u64),
            counted(demand.indexes as u64, "index").replace("indexs", "indexes")
        ),
    ));
    if let Some(clients) = demand.concurrency.filter(|c| *c > 0.0) {
        let all = bytes(MEMORY_FOR_SHARDS);
        let because = format!(
            "{} clients that each remember every shard take {all} with so many",
            thousands(clients.round() as u64)
        );
        out.push(at_most("memory", MEMORY_FOR_SHARDS / (clients * MEMORY_PER_SHARD), because));
    }
    out
}

/// A table that is cut together with the one that is planned for.
#[derive(Debug, Clone, PartialEq)]
pub struct CoLocated {
    pub table: TableName,
    pub rows: Option<u64>,
    pub text_bytes: Option<u64>,
}

/// Shards that the volume of another table asks for; at least 1.
pub fn needs(demand: &Demand, other: &CoLocated) -> u32 {
    family_bound(demand, other).map_or(1, |b| whole(b.value).min(PLANNING_SHARDS))
}

/// The bound that another table of the same layout adds; None where its size is not known.
pub fn family_bound(demand: &Demand, other: &CoLocated) -> Option<CountBound> {
    // Without a count of the rows, their headers are left out.
    let rows = other.rows.or(Some(0));
    let size = bytes_on_disk(&Demand { rows, text_bytes: other.text_bytes, ..*demand })?;
    let target = demand.target_shard_bytes.max(1) as f64;
    Some(at_least(
        "family volume",
        size / target,
        format!(
            "{}, which is cut with it, has about {} on disk, at most {} a shard",
            other.table,
            bytes(size),
            bytes(target)
        ),
    ))
}

/// The bounds that a key adds.
pub fn key_bounds(key: &KeyLimits) -> Vec<CountBound> {
    let mut out = Vec::new();
    match (key.method, key.distinct, key.pieces) {
        (Method::Hash, Some(distinct), _) => out.push(at_most(
            "cardinality",
            (distinct / HASH_VALUES_PER_SHARD) as f64,
            format!(
                "{}, and a hash needs {HASH_VALUES_PER_SHARD} a shard to spread them",
                counted(distinct, "distinct value")
            ),
        )),
        (Method::List, _, Some(pieces)) => out.push(at_most(
            "cardinality",
            f64::from(pieces),
            format!("{} and a shard for all others", counted(u64::from(pieces.saturating_sub(1)), "value")),
        )),
        (_, _, Some(pieces)) => out.push(at_most(
            "cardinality",
            f64::from(pieces),
            format!("the known values can be cut into {}", counted(u64::from(pieces), "range")),
        )),
        _ => {}
    }
    if key.retired && key.method == Method::Range {
        out.push(at_least(
            "retention",
            f64::from(PERIODS),
            format!("old rows are deleted by it; of {PERIODS} ranges one can be dropped while the others are kept"),
        ));
    }
    if let Some(hottest) = key.hottest.filter(|h| *h > 0.0) {
        out.push(at_most(
            "hottest value",
            HOTTEST_OVER_MEAN / hottest,
            format!("one value has {} of the rows, and more shards would not make its shard smaller", percent(hottest)),
        ));
    }
    out
}

/// The bounds on the number of parts where each of them is cut into so many shards: what limits all shards together is
/// divided. Throughput and clients are not, since they come to the newest shard of each part.
pub fn per_part(mut bounds: Vec<CountBound>, shards: u32) -> Vec<CountBound> {
    let of_all = ["volume", "family volume", "planning", "locks", "memory"];
    for bound in bounds.iter_mut().filter(|b| of_all.contains(&b.name.as_str())) {
        bound.value = round4(bound.value / f64::from(shards.max(1)));
        bound.because += &format!(" ({shards} shards a part)");
    }
    bounds
}

/// Shards that data and load alone ask for: what "do not shard" would fall short of. No more than the same bounds allow,
/// since what no key can have must not decide between keys. At least 1.
pub fn needed(bounds: &[CountBound]) -> u32 {
    let asks = |b: &&CountBound| b.direction == Direction::AtLeast && b.name != "balance";
    let asked = bounds.iter().filter(asks).map(|b| whole(b.value)).fold(1, u32::max);
    bounds.iter().filter(|b| b.direction == Direction::AtMost).fold(asked, |n, b| n.min(b.value.max(1.0) as u32))
}

/// Shards with which the nodes can be balanced. At least 1.
pub fn balanced(bounds: &[CountBound]) -> u32 {
    bounds.iter().filter(|b| b.name == "balance").map(|b| whole(b.value)).fold(1, u32::max)
}

/// A lower bound as a whole number of shards, at least one.
pub(super) fn whole(value: f64) -> u32 {
    (value - 1e-9).ceil().clamp(1.0, f64::from(u32::MAX)) as u32
}

fn at_least(name: &str, value: f64, because: String) -> CountBound {
    CountBound { name: name.to_owned(), direction: Direction::AtLeast, value: round4(value), because }
}

fn at_most(name: &str, value: f64, because: String) -> CountBound {
    CountBound { name: name.to_owned(), direction: Direction::AtMost, value: round4(value), because }
}
