//! How many shards: every limit is computed and named, what each count between them costs is worked out, and the plan says
//! which limit decided, or that the cost did.
//!
//! [`Demand`] (what the data, the load and the nodes ask for) and [`KeyLimits`] (what a key allows) become bounds in
//! [`bounds`]; [`cost`] says what a count costs; [`decide`] takes the cheapest count between the bounds. What a node
//! bears (the room `capacity`) bounds the number of nodes, and shards only through them.

mod bounds;
mod cost;
mod decide;

pub use bounds::{
    CoLocated, DEFAULT_TARGET_SHARD_BYTES, Demand, KeyLimits, PERIODS, SHARDS_PER_NODE, balanced, bytes_on_disk,
    demand_bounds, family_bound, key_bounds, needed, needs, per_part,
};
pub use cost::{Costing, CountCost, STATEMENT_MS, VISIT_MS};
pub use decide::{decide, unsharded};
