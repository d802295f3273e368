//! How many shards: every limit is computed and named, the largest that asks for shards is met as far as the smallest
//! that forbids them allows, and the plan says which of them decided.
//!
//! [`Demand`] (what the data, the load and the nodes ask for) and [`KeyLimits`] (what a key allows) become bounds in
//! [`bounds`]; [`decide`] turns the bounds into one count.

mod bounds;
mod decide;

pub use bounds::{
    CoLocated, DEFAULT_TARGET_SHARD_BYTES, Demand, KeyLimits, PERIODS, SHARDS_PER_NODE, balanced, bytes_on_disk,
    demand_bounds, family_bound, key_bounds, needed, needs, per_part,
};
pub use decide::{decide, unsharded};
