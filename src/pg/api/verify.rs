//! foreshard.verify_table.

use crate::pg::error::Result;
use crate::pg::ffi::Session;
use crate::pg::{catalog, ledger, load};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// shard, node, rows, misplaced rows, checksum, all of it as it should be; of a shard that is gone, there are no rows to tell of
type ShardRow = (pg_sys::Oid, Option<String>, Option<i64>, Option<i64>, Option<String>, bool);

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn verify_table(
    relation: pg_sys::Oid,
) -> TableIterator<
    'static,
    (
        name!(shard, pg_sys::Oid),
        name!(node, Option<String>),
        name!(rows, Option<i64>),
        name!(misplaced_rows, Option<i64>),
        name!(checksum, Option<String>),
        name!(ok, bool),
    ),
> {
    let session = Session::begin();
    // The texts of points in time must not depend on who asks.
    session.set("timezone", "UTC");
    match rows(relation) {
        Ok(rows) => TableIterator::new(rows),
        Err(error) => error.raise("verification"),
    }
}

fn rows(relation: pg_sys::Oid) -> Result<Vec<ShardRow>> {
    catalog::require_rows(relation)?;
    let nodes = ledger::shard_nodes(relation)?;
    let mut found = Vec::new();
    for (oid, shard) in catalog::leaves(relation)? {
        let columns = load::load_columns(&shard)?;
        let content = load::content(&shard, &columns, catalog::partition_constraint(oid)?.as_deref())?;
        found.push((
            oid,
            nodes.get(&oid.to_u32()).cloned(),
            i64::try_from(content.checksum.rows).ok(),
            i64::try_from(content.misplaced).ok(),
            Some(content.checksum.to_string()),
            content.misplaced == 0,
        ));
    }
    found
        .extend(ledger::lost_shards(relation)?.into_iter().map(|(shard, node)| (shard, node, None, None, None, false)));
    Ok(found)
}
