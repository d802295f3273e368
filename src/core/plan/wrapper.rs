//! The options of the foreign tables that stand for shards on other servers: what postgres_fdw is told of each, and why.
//!
//! What each does to a statement is measured by benches/wrapper.sh; the figures are in benches/nodes.md.

use super::PlanInput;
use crate::model::node::Location;
use crate::model::plan::{TableChoice, WrapperOption};
use crate::model::statement::StatementKind;
use crate::model::words::{bytes, percent};
use crate::model::workload::{StatementUse, TableUse};
use crate::model::{Layout, TableName};

/// Rows of an INSERT that go together: 1,000 take 0.4 of the time of 1, and no less than 100 do.
const BATCH_SIZE: u32 = 1000;
/// Bytes of rows that a scan holds at a time, for each shard that it reads. Assumed: a hundred shards hold 100 MB then.
const FETCHED: u64 = 1 << 20;
/// Rows fetched at a time: postgres_fdw's own 100 take 1.3 times as long as 1,000, even where nothing is far; beyond 10,000
/// round trips are nothing, whatever the distance.
const FETCH_SIZE: (u64, u64) = (100, 10_000);
/// Milliseconds for asking a node what reading a shard costs, for each shard that a statement reads.
const ESTIMATE_MS: f64 = 0.25;
/// Part of its time that a join by the key takes when the nodes work it out.
const JOIN_THERE: f64 = 0.27;

/// None where no shard is on another server.
pub(super) fn options(
    input: &PlanInput<'_>,
    layout: &Layout,
    row_bytes: Option<u64>,
    beside: &[TableChoice],
) -> Vec<WrapperOption> {
    let far = |name: &str| input.nodes.iter().any(|n| n.name == name && matches!(n.location, Location::Server(_)));
    if !layout.shards.iter().any(|s| far(&s.node)) {
        return Vec::new();
    }
    let option = |name: &str, value: String, because: String| WrapperOption { name: name.to_owned(), value, because };
    let fetched = row_bytes.map_or(FETCH_SIZE.1, |row| FETCHED / row.max(1)).clamp(FETCH_SIZE.0, FETCH_SIZE.1);
    let (estimate, because) = estimate(input, layout, beside);
    vec![
        option("batch_size", BATCH_SIZE.to_string(), "rows of one INSERT go there together".to_owned()),
        option(
            "fetch_size",
            fetched.to_string(),
            format!("a scan holds {} of each shard at most, in few round trips", bytes(FETCHED as f64)),
        ),
        option("async_capable", "true".to_owned(), "nodes that are asked by one statement work at once".to_owned()),
        option("use_remote_estimate", estimate.to_string(), because),
    ]
}

/// Without a node's own estimate a join is taken for a nested loop, and hardly ever left to it; with it, each statement asks first.
fn estimate(input: &PlanInput<'_>, layout: &Layout, beside: &[TableChoice]) -> (bool, String) {
    let shards = layout.spread().shards.len() as f64;
    // Lists and ranges are known to be cut alike only when they are cut.
    let bounds = |layout: &Layout| layout.spread().shards.into_iter().map(|s| s.bound).collect::<Vec<_>>();
    let cut_alike: Vec<&TableName> =
        input.placed.iter().filter(|p| bounds(&p.layout) == bounds(layout)).map(|p| &p.table).collect();
    let together =
        |other: &TableName| cut_alike.contains(&other) || beside.iter().any(|t| t.together && t.table == *other);
    let is_join = |table: &TableUse| {
        table.joined.iter().any(|edge| layout.columns().any(|c| *c == edge.column) && together(&edge.other))
    };
    let (mut asking, mut saved) = (0.0, 0.0);
    for statement in input.workload.statements.iter().filter(|s| s.kind != StatementKind::Copy) {
        let StatementUse { calls, total_ms, tables, .. } = statement;
        let reads: Vec<&TableUse> = tables.iter().filter(|t| t.table == input.source && !t.inserted).collect();
        let visited = |t: &&TableUse| if layout.columns().all(|c| t.pinned.contains(c)) { 1.0 } else { shards };
        asking += calls * ESTIMATE_MS * reads.iter().map(visited).sum::<f64>();
        if reads.iter().any(|t| is_join(t)) {
            saved += total_ms * (1.0 - JOIN_THERE);
        }
    }
    let all: f64 = input.workload.statements.iter().map(|s| s.total_ms).sum();
    let share = |ms: f64| percent(ms / all.max(f64::MIN_POSITIVE));
    if saved == 0.0 {
        (
            false,
            "the log joins no table that is cut alike by the key, and each statement would ask its nodes first"
                .to_owned(),
        )
    } else if saved > asking {
        (
            true,
            format!(
                "joins by the key are left to the nodes, which saves {} of the log's time; asking them for estimates takes {}",
                share(saved),
                share(asking)
            ),
        )
    } else {
        (
            false,
            format!(
                "asking the nodes for estimates would take {} of the log's time, joins by the key that they can work out then save {}",
                share(asking),
                share(saved)
            ),
        )
    }
}
