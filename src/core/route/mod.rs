//! Which row goes to which shard, decided before a byte is sent, exactly as PostgreSQL would decide it.
//!
//! A key column's text, as COPY gives it, is read into a [`value`] according to its [`types`]; the value is hashed
//! ([`hash`], on [`lookup3`]) or compared, and the [`router`] names the shard. Where PostgreSQL's answer cannot be known
//! for certain from the text alone (a collation, an enum's oid, an input that the server would round), the answer
//! here is None: ask the server. [`shares`] puts the same arithmetic to use before there are any shards.

mod decimal;
pub mod hash;
mod lookup3;
pub mod router;
pub mod shares;
mod time;
pub mod types;
mod value;

pub use hash::{hash_value, remainder, row_hash};
pub use router::Router;
pub use shares::shares;
pub use types::HashType;
pub use value::{Scalar, scalar};
