//! What is kept: plans, restored tables with their shards, jobs. Written with the caller's own rights.

use super::error::Result;
use super::{catalog, ffi};
use foreshard_core::model::{Plan, Problem, TableName};
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};
use serde_json::Value;

/// Stores a plan and gives its number.
pub fn store_plan(plan: &Plan, backup: &str, config: &Value) -> Result<i64> {
    let document =
        serde_json::to_value(plan).map_err(|e| Problem::new("XX000", format!("a plan cannot be written: {e}")))?;
    let id: Option<i64> = Spi::get_one_with_args(
        "INSERT INTO foreshard._plans (target, backup, config, plan) VALUES ($1, $2, $3, $4) RETURNING id",
        &[plan.target.to_string().into(), backup.into(), JsonB(config.clone()).into(), JsonB(document).into()],
    )?;
    id.ok_or_else(|| Problem::new("XX000", "a plan was stored without a number").into())
}

/// A stored plan and the config that it was made with.
///
/// # Errors
/// 42704 when there is none of that number, 0A000 when another version of foreshard wrote it.
pub fn plan(id: i64) -> Result<(Plan, Value)> {
    let found: Option<(JsonB, JsonB)> = Spi::connect(|client| {
        let query = "SELECT plan, config FROM foreshard._plans WHERE id = $1";
        match client.select(query, Some(1), &[id.into()])?.next() {
            Some(row) => Ok::<_, pgrx::spi::Error>(row.get::<JsonB>(1)?.zip(row.get::<JsonB>(2)?)),
            None => Ok(None),
        }
    })?;
    let Some((JsonB(document), JsonB(config))) = found else {
        return Err(Problem::new("42704", format!("plan {id} does not exist"))
            .hint("SELECT * FROM foreshard.plans lists the stored ones.")
            .into());
    };
    serde_json::from_value(document).map(|plan| (plan, config)).map_err(|e| {
        Problem::new("0A000", format!("plan {id} cannot be read"))
            .detail(format!("It was stored by another version: {e}."))
            .hint("Make a new one with foreshard.plan_restore.")
            .into()
    })
}

/// The backup that a stored plan was made for.
pub fn backup_of(id: i64) -> Result<Option<String>> {
    Spi::connect(|client| {
        match client.select("SELECT backup FROM foreshard._plans WHERE id = $1", Some(1), &[id.into()])?.next() {
            Some(row) => Ok(row.get(1)?),
            None => Ok(None),
        }
    })
}

/// A restore that is done: the job, the table and its shards. Gives the job's number.
pub fn record_restore(done: &Restored<'_>) -> Result<i64> {
    forget_dropped()?;
    let message = format!("restored from {}", done.backup);
    let job = store_job(done.job, "done", done.target, done.plan_id, (done.rows, done.bytes), &message)?;
    let plan = done.plan;
    let relation = require_oid(done.target)?;
    let key: Vec<String> = plan.layout.key.iter().cloned().collect();
    Spi::run_with_args(
        "INSERT INTO foreshard._tables (relation, plan_id, job_id, method, shard_key, backup, checksum, within)
         VALUES ($1::pg_catalog.regclass, $2, $3, $4, $5, $6, $7, $8)",
        &[
            relation.into(),
            done.plan_id.into(),
            job.into(),
            plan.layout.method.name().into(),
            key.into(),
            done.backup.into(),
            done.checksum.map(str::to_owned).into(),
            document(&plan.layout.within).into(),
        ],
    )?;
    for (shard, name) in plan.layout.shards.iter().zip(done.shards) {
        Spi::run_with_args(
            "INSERT INTO foreshard._shards (relation, shard, ordinal, node, bound, within)
             VALUES ($1::pg_catalog.regclass, $2::pg_catalog.regclass, $3, $4, $5, $6)",
            &[
                relation.into(),
                require_oid(name)?.into(),
                i32::try_from(shard.ordinal).unwrap_or(i32::MAX).into(),
                shard.node.clone().into(),
                JsonB(serde_json::to_value(&shard.bound).unwrap_or(Value::Null)).into(),
                document(&shard.within).into(),
            ],
        )?;
    }
    Ok(job)
}

/// A restore that failed and was kept. Gives the job's number.
pub fn record_failure(failed: &Failed<'_>) -> Result<i64> {
    forget_dropped()?;
    let extent = (failed.rows, failed.bytes);
    store_job(failed.job, "failed", failed.target, failed.plan_id, extent, failed.message)
}

/// A new job, or what became of one that was resumed.
fn store_job(
    job: Option<i64>,
    state: &str,
    target: &TableName,
    plan_id: i64,
    (rows, bytes): (u64, u64),
    message: &str,
) -> Result<i64> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let query = match job {
        None => {
            "INSERT INTO foreshard._jobs (kind, state, target, plan_id, started_at, finished_at, rows, bytes, message)
             VALUES ('restore', $1, $2, $3, pg_catalog.now(), pg_catalog.clock_timestamp(), $4, $5, $6) RETURNING id"
        }
        Some(_) => {
            "UPDATE foreshard._jobs SET state = $1, finished_at = pg_catalog.clock_timestamp(), rows = $4, bytes = $5, message = $6
             WHERE target = $2 AND plan_id = $3 AND id = $7 RETURNING id"
        }
    };
    let mut arguments = vec![
        state.into(),
        target.to_string().into(),
        plan_id.into(),
        signed(rows).into(),
        signed(bytes).into(),
        message.into(),
    ];
    arguments.extend(job.map(Into::into));
    let stored: Option<i64> = Spi::get_one_with_args(query, &arguments)?;
    stored.ok_or_else(|| Problem::new("XX000", "a job was stored without a number").into())
}

/// What was kept of a failed job is gone.
pub fn cancelled(job: i64) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._jobs SET state = 'cancelled', finished_at = pg_catalog.clock_timestamp() WHERE id = $1",
        &[job.into()],
    )?)
}

/// NULL for what is not there.
fn document<T: serde::Serialize>(value: &Option<T>) -> Option<JsonB> {
    value.as_ref().and_then(|v| serde_json::to_value(v).ok()).map(JsonB)
}

/// What [`record_failure`] writes down.
#[derive(Debug)]
pub struct Failed<'a> {
    /// Of a restore that was resumed.
    pub job: Option<i64>,
    pub target: &'a TableName,
    pub plan_id: i64,
    pub rows: u64,
    pub bytes: u64,
    pub message: &'a str,
}

/// What [`record_restore`] writes down.
#[derive(Debug)]
pub struct Restored<'a> {
    /// Of a restore that was resumed.
    pub job: Option<i64>,
    pub target: &'a TableName,
    pub plan: &'a Plan,
    pub plan_id: i64,
    pub backup: &'a str,
    /// In the order of the layout's shards.
    pub shards: &'a [TableName],
    pub rows: u64,
    pub bytes: u64,
    pub checksum: Option<&'a str>,
}

/// Tables that were dropped since: their OIDs may be given to others one day.
fn forget_dropped() -> Result<()> {
    for table in ["_shards", "_tables", "_unfinished"] {
        Spi::run(&format!(
            "DELETE FROM foreshard.{table} t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.relation)"
        ))?;
    }
    Spi::run(
        "DELETE FROM foreshard._shards t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.shard)",
    )?;
    Ok(())
}

/// # Errors
/// XX000 for what this transaction has made and is not there.
pub fn require_oid(name: &TableName) -> Result<pg_sys::Oid> {
    catalog::relation_oid(name)?.ok_or_else(|| {
        Problem::new("XX000", format!("{} is not there after it was created", ffi::quote_table(name))).into()
    })
}

/// The plans of the tables that were restored here and are still there: their layout is fixed, and their size is known.
pub fn restored() -> Result<Vec<Plan>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT p.plan FROM foreshard.tables t JOIN foreshard._plans p ON p.id OPERATOR(pg_catalog.=) t.plan_id
             ORDER BY p.id",
            None,
            &[],
        )?;
        let mut plans = Vec::new();
        for row in rows {
            // A plan of another version says nothing here; its table is planned around as if it were not there.
            plans.extend(row.get::<JsonB>(1)?.and_then(|JsonB(document)| serde_json::from_value(document).ok()));
        }
        Ok(plans)
    })
}

/// A shard lives on another node now. One that is in no ledger is nobody's to tell of.
pub fn record_move(shard: pg_sys::Oid, node: &str) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._shards SET node = $2 WHERE shard OPERATOR(pg_catalog.=) $1::pg_catalog.regclass",
        &[shard.into(), node.into()],
    )?)
}

/// The node of each recorded shard of a table.
pub fn shard_nodes(relation: pg_sys::Oid) -> Result<std::collections::BTreeMap<u32, String>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT shard::pg_catalog.oid, node FROM foreshard._shards WHERE relation = $1::pg_catalog.regclass",
            None,
            &[relation.into()],
        )?;
        let mut nodes = std::collections::BTreeMap::new();
        for row in rows {
            if let (Some(shard), Some(node)) = (row.get::<pg_sys::Oid>(1)?, row.get::<String>(2)?) {
                nodes.insert(shard.to_u32(), node);
            }
        }
        Ok(nodes)
    })
}

/// The shards that a table is without: dropped, or detached, one of hash values, whose rows have no other place. Ranges and lists may go
/// when their time has come.
pub fn lost_shards(relation: pg_sys::Oid) -> Result<Vec<(pg_sys::Oid, Option<String>)>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT s.shard::pg_catalog.oid, s.node FROM foreshard._shards s JOIN foreshard._tables t ON t.relation = s.relation
             WHERE s.relation = $1::pg_catalog.regclass AND t.method = 'hash' AND coalesce(t.within ->> 'method', 'hash') = 'hash'
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = s.shard AND c.relispartition)
             ORDER BY s.ordinal",
            None,
            &[relation.into()],
        )?;
        let mut lost = Vec::new();
        for row in rows {
            if let Some(shard) = row.get::<pg_sys::Oid>(1)? {
                lost.push((shard, row.get::<String>(2)?));
            }
        }
        Ok(lost)
    })
}
