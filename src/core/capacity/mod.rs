//! What a node bears: the rate at its best number of clients, from few measured points, and what that means for the
//! nodes beside it.
//!
//! Rates at several numbers of clients become a curve by the Universal Scalability Law ([`usl`]), whose peak is the
//! capacity; what a mixed load gets of two capacities, and what each node's is against the others', is [`relative`].
//! The points come from a calibration or from any history of (sessions, rate).

mod per_node;
mod relative;
mod usl;

pub use per_node::per_node;
pub use relative::{
    ALIKE, DEFAULT_CLIENTS, DEFAULT_READS_PER_SECOND, DEFAULT_WRITES_PER_SECOND, Relative, bears, relative,
};
pub use usl::{OVERHEAD_SECONDS, Point, Usl, capacity, fit, from_outside};
