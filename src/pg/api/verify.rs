//! foreshard.verify_table.

use crate::pg::error::{Result, warn};
use crate::pg::ffi::{self, Session};
use crate::pg::replica::compare::differences;
use crate::pg::replica::record::{self, Replica};
use crate::pg::{catalog, ledger, load};
use foreshard_core::model::Problem;
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
    let mut found: Vec<ShardRow> = Vec::new();
    for (oid, shard) in catalog::leaves(relation)? {
        let node = nodes.get(&oid.to_u32()).cloned();
        let read = || {
            let columns = load::load_columns(&shard)?;
            load::content(&shard, &columns, catalog::partition_constraint(oid)?.as_deref())
        };
        match ffi::subtransaction(true, read) {
            Ok(content) => found.push(row(oid, node, &content)),
            // One that is down must not hide what the others have.
            Err(error) if error.is_disconnected() => {
                for problem in error.into_problems() {
                    let name = ffi::quote_table(&shard);
                    let said = problem.message.lines().next().unwrap_or_default().to_owned();
                    warn(
                        &Problem::new(&problem.sqlstate, format!("shard {name} cannot be read"))
                            .detail(format!("Node \"{}\": {said}.", node.as_deref().unwrap_or_default())),
                    );
                }
                found.push((oid, node, None, None, None, false));
            }
            Err(error) => return Err(error),
        }
    }
    compare_copies(&mut found)?;
    found
        .extend(ledger::lost_shards(relation)?.into_iter().map(|(shard, node)| (shard, node, None, None, None, false)));
    Ok(found)
}

fn row(shard: pg_sys::Oid, node: Option<String>, content: &load::ShardContent) -> ShardRow {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (rows, misplaced) = (signed(content.checksum.rows), signed(content.misplaced));
    let checksum = content.checksum.to_string();
    (shard, node, Some(rows), Some(misplaced), Some(checksum), content.misplaced == 0)
}

/// A shard is not well whose copy is not the same.
fn compare_copies(rows: &mut [ShardRow]) -> Result<()> {
    let of = |r: &Replica| rows.iter().any(|row| row.0 == r.shard);
    let replicas: Vec<Replica> = record::all(false)?.into_iter().filter(of).collect();
    for (replica, difference) in replicas.iter().zip(differences(&replicas)?) {
        let Some(difference) = difference else { continue };
        warn(
            &Problem::new(
                "01000",
                format!("the copy of shard {} on node \"{}\" is not the same", replica.name, replica.node),
            )
            .detail(format!("Of it: {difference}.")),
        );
        rows.iter_mut().filter(|row| row.0 == replica.shard).for_each(|row| row.5 = false);
    }
    Ok(())
}
