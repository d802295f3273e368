//! What the sampler tells of the shard keys: which value each shard is hot of, and whether new keys always increase.

use super::measure::Shard;
use crate::pg::error::Result;
use crate::pg::sample;
use foreshard_core::health::Direction;
use pgrx::prelude::*;
use pgrx::{pg_sys, spi};

/// Says which tables are sampled, and adds what was found in the seconds since the look before to their shards.
pub fn look(shards: &mut [Shard], seconds: f64) -> Result<()> {
    let of = |table| shards.iter().filter(|s| s.relation == table).map(|s| s.shard.to_u32()).collect();
    for (table, load) in sample::publish(&single_keys()?, of, seconds) {
        let mut hottest = load.hottest();
        let new_keys_come_anywhere = load.direction().is_some_and(|d| d != Direction::Increasing);
        for shard in shards.iter_mut().filter(|s| s.relation == table) {
            shard.hottest_value = hottest.remove(&shard.shard.to_u32());
            // A last range that is busy without being where all rows go is hot like any other.
            shard.newest &= !new_keys_come_anywhere;
        }
    }
    Ok(())
}

/// Tables that are cut by one column, with its number.
fn single_keys() -> Result<Vec<(pg_sys::Oid, u32)>> {
    Ok(Spi::connect(|client| {
        let query = "SELECT p.partrelid, p.partattrs[0]::pg_catalog.int4 FROM foreshard._tables t
            JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relation::pg_catalog.oid
            WHERE p.partnatts = 1 AND p.partattrs[0] > 0 ORDER BY t.restored_at DESC, 1";
        let mut found = Vec::new();
        for row in client.select(query, None, &[])? {
            let column = row.get::<i32>(2)?.and_then(|column| u32::try_from(column).ok());
            found.extend(row.get::<pg_sys::Oid>(1)?.zip(column));
        }
        Ok::<_, spi::Error>(found)
    })?)
}
