//! Shards on other servers: reaching them, building there, and taking back what must not stay.

mod described;
pub mod digest;
mod feed;
pub mod fit;
pub mod held;
mod leftovers;
mod libpq;
pub mod link;
mod model;
mod names;
mod probe;
mod repoint;
mod server;
mod staging;
pub mod standbys;

pub use described::{describe, drop_shard, make};
pub use feed::Form;
pub use leftovers::{Swept, drop_schema, drop_unused_links, sweep_unused, take_back};
pub use libpq::{Answer, Connection, Opening, Took, session};
pub use names::{Names, schema};
pub use probe::probe;
pub use repoint::repoint;
pub use server::{Address, unfit_for_replication};
pub use staging::Staging;
