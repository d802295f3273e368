//! Two looks at the counters of a shard: what happened in between. A reset, a restart or an index that was dropped is never a
//! negative load.

use crate::model::load::ShardCounters;

/// What was counted from one look to the next. After a reset the counters have counted from zero: what they show is what happened
/// since, at least. An index that was dropped takes its part of the sums with it, which says nothing of what happened.
pub fn since(before: &ShardCounters, now: &ShardCounters) -> ShardCounters {
    // What no index has a part in falls by a reset only.
    let own = |c: &ShardCounters| [c.seq_scans, c.inserted, c.updated, c.hot_updated, c.deleted];
    let reset = own(now).iter().zip(own(before)).any(|(now, before)| *now < before);
    let mut counted = now.all().map(amount);
    if !reset {
        for (now, before) in counted.iter_mut().zip(before.all()) {
            *now = (*now - amount(before)).max(0.0);
        }
    }
    ShardCounters::of(counted)
}

fn amount(x: f64) -> f64 {
    if x.is_finite() { x.max(0.0) } else { 0.0 }
}
