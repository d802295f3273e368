//! An inner partition that was made for a value of its own is dissolved: a leaf takes its place in the table, with all rows of its leaves.

use super::subject::{Shard, Subject};
use super::task::{Dissolved, Task};
use crate::pg::catalog;
use crate::pg::error::Result;
use foreshard_core::model::Problem;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// The shards are all leaves of an inner partition that the table's layout does not ask for.
pub fn is_whole_part(subject: &Subject, shards: &[Shard]) -> Result<bool> {
    let Some(first) = shards.first() else { return Ok(false) };
    if first.within.is_none() || first.parent == subject.relation || shards.iter().any(|s| s.parent != first.parent) {
        return Ok(false);
    }
    let leaves = subject.shards.iter().filter(|s| s.parent == first.parent).count();
    let two_levels: Option<bool> = Spi::get_one_with_args(
        "SELECT EXISTS (SELECT FROM foreshard._tables WHERE relation = $1::pg_catalog.regclass AND within IS NOT NULL)",
        &[subject.relation.into()],
    )?;
    Ok(leaves == shards.len() && two_levels == Some(false))
}

/// The task, planned as a change within the partition, as one that takes the partition's place.
pub fn dissolving(mut task: Task, shards: &[Shard]) -> Result<Task> {
    let gone = || Problem::new("42P01", format!("a part of table {} is not there any more", task.table));
    let part = shards.first().map(|s| s.parent).ok_or_else(gone)?;
    let above: Option<pg_sys::Oid> = Spi::get_one_with_args(
        "SELECT (SELECT inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = $1)",
        &[part.into()],
    )?;
    let above = above.ok_or_else(gone)?;
    let name = catalog::name_of(part)?.ok_or_else(gone)?;
    task.cut = Spi::get_one_with_args("SELECT pg_catalog.pg_get_partkeydef($1)", &[above.into()])?.unwrap_or_default();
    task.parent = above.to_u32();
    for new in &mut task.new {
        // Its own bound is that of the partition.
        new.within = None;
        new.place = new.bound.clone();
    }
    task.dissolved = Some(Dissolved { oid: part.to_u32(), name });
    Ok(task)
}
