//! Copies of shards on other nodes by logical replication: made, watched, compared, taken over and taken back.
//!
//! The life of a copy: a restore sends a shard's rows to the nodes of its copies as well, and when all have committed, it ties each
//! copy to its shard ([`tie`]) before anyone can write; [`states`] tells how far it is behind, [`compare`] whether it holds the same;
//! [`fail_over`] lets it take the shard's place, and [`rejoin`] makes a copy of what has come back. [`record`] is what is kept of it.

pub mod compare;
pub mod fail_over;
pub mod record;
pub mod rejoin;
pub mod states;
mod tie;

pub use tie::tie;
