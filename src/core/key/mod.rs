//! Which columns may be the shard key, and what each would cost.
//!
//! A [`Subject`] is the table with all that is known of it: definition, profile, weighed statements, families.
//! [`candidates`] names the keys worth looking at; [`methods`] the ways to cut each of them; [`assess`] works out, for one
//! key, method and count, the figures, the cost with its parts, the reason in words and what speaks against it at all.
//! [`split`] cuts the known values into shards. Every candidate is judged by the same objective ([`cost`]); there is
//! no rule for a particular kind of table.

mod access;
mod because;
mod candidates;
mod context;
mod cost;
mod cut;
mod demanded;
mod family;
mod reject;
mod remedies;
mod retention;
mod scan;
mod skew;
pub mod split;
mod subject;
mod tie;
mod values;
mod visits;
mod weight;
mod work;

pub use access::{Reach, reach};
pub use candidates::{all_keys, candidates, is_closed, is_shared, methods, pieces};
pub use context::Context;
pub use cost::{MIN_SHARDED_BYTES, Setting, Ties, assess, assess_unsharded, moves, tied};
pub use cut::{Cut, Cutting, Level};
pub use demanded::demanded;
pub use family::Families;
pub use skew::skew;
pub use subject::{Basis, Subject};
pub use tie::{APART, Joins, Place, together};
pub use values::{KeyValues, is_time};
pub use visits::runs;
pub use work::work;

/// The exact share of the rows per remainder, for a type, its values (None is NULL) with their numbers of rows, and a
/// modulus. None where the type's hash is not known outside the server.
pub type HashShares<'a> = dyn Fn(&str, &[(Option<&str>, u64)], u32) -> Option<Vec<f64>> + 'a;
