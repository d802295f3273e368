//! What was measured of the shards to what it means, and to what should be done.
//!
//! Two looks at the counters of a shard are its load between them (`counters`); as a share of what a node bears that is its `work`.
//! Look after look a `table` is found to be in conditions, each of which has to hold for a while before it counts and to be gone for
//! a while before it does not (`latch`); the gravest one is the verdict (`judge`). With what is expected of all shards (`ahead`) the `world` shows
//! what each move would make of it, and the best that pays for itself is `propose`d; `policy` is what may be done and when. `sketch` and `keys` are
//! what sampled statements tell of the values of a shard key. `slots` says what of the history is kept how finely.

mod ahead;
mod counters;
mod followers;
mod judge;
mod keys;
mod latch;
mod policy;
mod propose;
mod sketch;
mod slots;
mod smooth;
mod statements;
mod table;
mod work;
mod world;

pub use crate::model::moves::Auto;
pub use ahead::{Expected, expected, surprised};
pub use counters::since;
pub use followers::{Followers, Position};
pub use judge::judge;
pub use keys::{Direction, HotValue, KeyLoad, LONGEST, NewKey, Sample};
pub use latch::{Latch, Level, Patience};
pub use policy::{Circumstances, Policy, obstacles};
pub use propose::{proposals, propose};
pub use sketch::{Entry, Sketch};
pub use slots::{FINE_SECONDS, Thinning, slot_of, thinning};
pub use smooth::Smoothed;
pub use statements::StatementCounts;
pub use table::{CEILING, Conditions, NodeLook, ShardLook, TableLook, TableState, temperature};
pub use work::work;
pub use world::{NodeAhead, ShardAhead, World};
