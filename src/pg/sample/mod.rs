//! The sampler: which values of the shard key carry a table's load. The query log has no constants, so some of the statements are looked at as
//! they end (`hooks`): what their plans ask of the key (`plan`) is counted in memory that all processes share (`shared`), where the monitor reads it.
//!
//! Nobody ever waits for it: a statement that finds a table's counts in use goes uncounted. Only a server that preloads the library has that memory.

mod hooks;
mod plan;
mod shared;
mod value;

pub use shared::{publish, read};

/// Called while the server loads what its configuration preloads.
pub fn register() {
    shared::register();
    hooks::register();
}
