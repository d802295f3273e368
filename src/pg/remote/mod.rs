//! Shards on other servers: reaching them, building there, and taking back what must not stay.

mod held;
mod leftovers;
mod libpq;
mod model;
mod names;
mod probe;
mod repoint;
mod server;
mod staging;

pub use leftovers::{Swept, sweep_unused};
pub use libpq::{Answer, Connection, Opening, Took, session};
pub use names::Names;
pub use probe::probe;
pub use repoint::repoint;
pub use server::Address;
pub use staging::Staging;
