//! What was measured into its tables, each slot once, and thinned out as it grows old.

use crate::pg::error::Result;
use foreshard_core::health::Thinning;
use foreshard_core::model::load::{ShardCounters, ShardExtent};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// What a shard did since the look before.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub relation: pg_sys::Oid,
    pub shard: pg_sys::Oid,
    /// Seconds since the look before.
    pub watched: f64,
    pub work: f64,
    pub counted: ShardCounters,
    pub extent: ShardExtent,
}

/// Adds loads to their slot: its beginning and its length in seconds.
pub fn loads((slot, length): (i64, i64), loads: &[Load]) -> Result<()> {
    let column = |of: &dyn Fn(&Load) -> f64| loads.iter().map(of).collect::<Vec<f64>>();
    let counter = |i: usize| column(&|l| l.counted.all().get(i).copied().unwrap_or_default());
    let bytes: Vec<Option<f64>> = loads.iter().map(|l| l.extent.bytes).collect();
    Spi::run_with_args(
        "INSERT INTO foreshard._load AS l (slot, slot_seconds, relation, shard, watched, work, seq_scans, index_scans, rows_read, inserted, updated,
             hot_updated, deleted, blocks_hit, blocks_read, live_rows, dead_rows, bytes)
         SELECT pg_catalog.to_timestamp($1), $2, u.* FROM unnest($3::pg_catalog.oid[]::pg_catalog.regclass[], $4::pg_catalog.oid[]::pg_catalog.regclass[],
             $5::pg_catalog.float8[], $6::pg_catalog.float8[], $7::pg_catalog.float8[], $8::pg_catalog.float8[], $9::pg_catalog.float8[], $10::pg_catalog.float8[],
             $11::pg_catalog.float8[], $12::pg_catalog.float8[], $13::pg_catalog.float8[], $14::pg_catalog.float8[], $15::pg_catalog.float8[],
             $16::pg_catalog.float8[], $17::pg_catalog.float8[], $18::pg_catalog.float8[]) AS u
         ON CONFLICT (shard, slot, slot_seconds) DO UPDATE SET watched = l.watched + EXCLUDED.watched, work = l.work + EXCLUDED.work,
             seq_scans = l.seq_scans + EXCLUDED.seq_scans, index_scans = l.index_scans + EXCLUDED.index_scans, rows_read = l.rows_read + EXCLUDED.rows_read,
             inserted = l.inserted + EXCLUDED.inserted, updated = l.updated + EXCLUDED.updated, hot_updated = l.hot_updated + EXCLUDED.hot_updated,
             deleted = l.deleted + EXCLUDED.deleted, blocks_hit = l.blocks_hit + EXCLUDED.blocks_hit, blocks_read = l.blocks_read + EXCLUDED.blocks_read,
             live_rows = EXCLUDED.live_rows, dead_rows = EXCLUDED.dead_rows, bytes = coalesce(EXCLUDED.bytes, l.bytes)",
        &[
            (slot as f64).into(),
            i32::try_from(length).unwrap_or(i32::MAX).into(),
            loads.iter().map(|l| l.relation).collect::<Vec<_>>().into(),
            loads.iter().map(|l| l.shard).collect::<Vec<_>>().into(),
            column(&|l| l.watched).into(),
            column(&|l| l.work).into(),
            counter(0).into(),
            counter(1).into(),
            counter(2).into(),
            counter(3).into(),
            counter(4).into(),
            counter(5).into(),
            counter(6).into(),
            counter(7).into(),
            counter(8).into(),
            column(&|l| l.extent.live_rows).into(),
            column(&|l| l.extent.dead_rows).into(),
            bytes.into(),
        ],
    )?;
    Ok(())
}

/// Adds what the statements on tables were counted: calls and milliseconds.
pub fn statements((slot, length): (i64, i64), watched: f64, counted: &[(pg_sys::Oid, f64, f64)]) -> Result<()> {
    Spi::run_with_args(
        "INSERT INTO foreshard._statement_load AS l (slot, slot_seconds, watched, relation, calls, milliseconds)
         SELECT pg_catalog.to_timestamp($1), $2, $3, u.* FROM unnest($4::pg_catalog.oid[]::pg_catalog.regclass[], $5::pg_catalog.float8[], $6::pg_catalog.float8[]) AS u
         ON CONFLICT (relation, slot, slot_seconds) DO UPDATE SET watched = l.watched + EXCLUDED.watched, calls = l.calls + EXCLUDED.calls,
             milliseconds = l.milliseconds + EXCLUDED.milliseconds",
        &[
            (slot as f64).into(),
            i32::try_from(length).unwrap_or(i32::MAX).into(),
            watched.into(),
            counted.iter().map(|c| c.0).collect::<Vec<_>>().into(),
            counted.iter().map(|c| c.1).collect::<Vec<_>>().into(),
            counted.iter().map(|c| c.2).collect::<Vec<_>>().into(),
        ],
    )?;
    Ok(())
}

/// Merges what is old into longer slots, and drops what is too old or of tables that are gone.
pub fn thin(thinning: Thinning) -> Result<()> {
    let Thinning { merge_before, into, drop_before } = thinning;
    let sums = |columns: &[&str]| columns.iter().map(|c| format!("pg_catalog.sum({c})")).collect::<Vec<_>>().join(", ");
    let last = |columns: &[&str]| {
        let last =
            |c: &&str| format!("(pg_catalog.array_agg({c} ORDER BY slot DESC) FILTER (WHERE {c} IS NOT NULL))[1]");
        columns.iter().map(last).collect::<Vec<_>>().join(", ")
    };
    const COUNTED: [&str; 11] = [
        "watched",
        "work",
        "seq_scans",
        "index_scans",
        "rows_read",
        "inserted",
        "updated",
        "hot_updated",
        "deleted",
        "blocks_hit",
        "blocks_read",
    ];
    const EXTENT: [&str; 3] = ["live_rows", "dead_rows", "bytes"];
    let merge = |table: &str, of: &str, columns: String, values: String| {
        Spi::run_with_args(
            &format!(
                "WITH old AS (DELETE FROM foreshard.{table} WHERE slot < pg_catalog.to_timestamp($1) AND slot_seconds < $2 RETURNING *)
                 INSERT INTO foreshard.{table} AS l (slot, slot_seconds, {of}, {columns})
                 SELECT pg_catalog.to_timestamp(pg_catalog.floor(extract(epoch FROM slot) / $2) * $2), $2, {of}, {values} FROM old GROUP BY 1, {of}
                 ON CONFLICT DO NOTHING"
            ),
            &[(merge_before as f64).into(), i32::try_from(into).unwrap_or(i32::MAX).into()],
        )
    };
    let columns = format!("{}, peak", [COUNTED.as_slice(), &EXTENT].concat().join(", "));
    let peak = "pg_catalog.max(coalesce(peak, work / nullif(watched, 0)))";
    let values = format!("{}, {}, {peak}", sums(&COUNTED), last(&EXTENT));
    merge("_load", "relation, shard", columns, values)?;
    const CALLS: [&str; 3] = ["watched", "calls", "milliseconds"];
    merge("_statement_load", "relation", CALLS.join(", "), sums(&CALLS))?;
    for (table, of, time) in
        [("_load", "shard", "slot"), ("_statement_load", "relation", "slot"), ("_decisions", "relation", "decided_at")]
    {
        Spi::run_with_args(
            &format!(
                "DELETE FROM foreshard.{table} t WHERE t.{time} < pg_catalog.to_timestamp($1) OR NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.{of})"
            ),
            &[(drop_before as f64).into()],
        )?;
    }
    for table in ["_verdicts", "_policies"] {
        Spi::run(&format!(
            "DELETE FROM foreshard.{table} t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.relation)"
        ))?;
    }
    Spi::run(
        "DELETE FROM foreshard._node_states t WHERE NOT EXISTS (SELECT FROM foreshard._nodes n WHERE n.name = t.node)",
    )?;
    Ok(())
}
