//! Tables that change their shape while they are written to: split, merge, move, isolate.
//!
//! A call finds the shards and judges them ([`subject`], [`facts`]), plans the new ones and writes that down ([`request`], [`task`],
//! [`records`]); a background worker does it, step after step ([`work`]): the new shards beside the old ones ([`build`]), their
//! rows copied from a snapshot and brought up to date ([`apply`]), the switch under a short lock ([`switch`]) when nobody has a snapshot in which
//! the copied rows are not there ([`snapshots`]). Nothing blocks but the switch, and that for `foreshard.max_lock_time` at most.

mod apply;
mod build;
mod control;
mod dissolve;
mod elsewhere;
mod facts;
mod pace;
mod proof;
mod records;
mod request;
mod several;
mod snapshots;
mod subject;
mod switch;
mod task;
mod transaction;
mod undo;
mod work;

pub use control::{cancel, is_job, resume, resume_all, wait};
pub use request::{isolate, merge, move_to, split};
pub use several::{drain, rebalance};
pub use undo::undo;
pub use work::work;
