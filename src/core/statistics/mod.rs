//! What ANALYZE stores of a column, worked out from a sample of stored rows without asking the server.
//!
//! ANALYZE reads each shard once more, and the whole table again, and sorts every column's values by calling the type's function. The
//! rows pass by when a load is verified: a [`Sample`] keeps as many as the server would, [`describe`] sorts what can be sorted as
//! words or bytes, and applies the server's rules (`compute_scalar_stats` and `compute_trivial_stats` of `analyze.c`, versions 14 to
//! 18). From the same rows both come to the same statistics, to the last bit; tests/e2e/44_statistics.sh holds that.

mod column;
mod estimate;
mod numeric;
mod order;
mod sample;

pub use column::{Column, Statistics, describe};
pub use order::{Collate, Order};
pub use sample::{Row, Rows, Sample, lot, rows_for};
