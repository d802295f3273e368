//! What a load costs whoever carries it: the share of an ordinary second that a node is busy with it.

use crate::capacity::{DEFAULT_READS_PER_SECOND, DEFAULT_WRITES_PER_SECOND};
use crate::model::load::ShardCounters;
use crate::model::node::NodeCapacity;

/// Blocks that a point look-up touches: three levels of an index and a page of the table. What reads more, such as a scan, counts
/// as so many look-ups.
const BLOCKS_PER_LOOK_UP: f64 = 4.0;

/// Seconds of a node that bears so much. 1 a second is all that it bears.
pub fn work(counted: &ShardCounters, bears: &NodeCapacity) -> f64 {
    let rate = |known: Option<f64>, default: f64| known.filter(|r| r.is_finite() && *r > 0.0).unwrap_or(default);
    let blocks = counted.blocks_hit + counted.blocks_read;
    let writes = counted.writes();
    // The blocks that a write finds its row by are among those of the look-ups.
    let look_ups = counted.reads().max(blocks / BLOCKS_PER_LOOK_UP - writes).max(0.0);
    look_ups / rate(bears.reads_per_second, DEFAULT_READS_PER_SECOND)
        + writes / rate(bears.writes_per_second, DEFAULT_WRITES_PER_SECOND)
}
