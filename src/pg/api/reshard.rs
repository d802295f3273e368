//! foreshard.split_shard, merge_shards, move_shard, isolate_value, rebalance, drain_node, undo_job; wait_job, resume_job, _resume_jobs.

use crate::pg::error::{Error, Result};
use crate::pg::ffi::{Session, current_role};
use crate::pg::reshard;
use crate::pg::worker::task::start_after_commit;
use foreshard_core::model::Problem;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};
use serde_json::{Map, Value};
use std::time::Duration;

fn missing(what: &str) -> Error {
    Problem::new("22004", format!("{what} must not be null")).into()
}

/// Writes a job down and has it begun when the caller commits.
fn begin(what: &str, config: Option<JsonB>, plan: impl FnOnce(&Value) -> Result<Option<i64>>) -> Option<i64> {
    let _session = Session::begin();
    let document = config.map_or_else(|| Value::Object(Map::new()), |config| config.0);
    match plan(&document) {
        Ok(job) => {
            if let Some(job) = job {
                start_after_commit(job, current_role());
            }
            job
        }
        Err(error) => error.raise(what),
    }
}

#[pg_extern(sql = false)]
fn split_shard(shard: Option<pg_sys::Oid>, config: Option<JsonB>) -> Option<i64> {
    begin("splitting a shard", config, |document| {
        reshard::split(shard.ok_or_else(|| missing("shard"))?, document).map(Some)
    })
}

#[pg_extern(sql = false)]
fn move_shard(shard: Option<pg_sys::Oid>, node: Option<&str>, config: Option<JsonB>) -> Option<i64> {
    begin("moving a shard", config, |document| {
        let node = node.ok_or_else(|| missing("node"))?;
        reshard::move_to(shard.ok_or_else(|| missing("shard"))?, node, document).map(Some)
    })
}

#[pg_extern(sql = false)]
fn merge_shards(shards: Option<Vec<Option<pg_sys::Oid>>>, config: Option<JsonB>) -> Option<i64> {
    begin("merging shards", config, |document| {
        let shards: Option<Vec<pg_sys::Oid>> = shards.and_then(|all| all.into_iter().collect());
        reshard::merge(&shards.ok_or_else(|| missing("shards"))?, document).map(Some)
    })
}

#[pg_extern(sql = false)]
fn isolate_value(relation: Option<pg_sys::Oid>, value: Option<&str>, config: Option<JsonB>) -> Option<i64> {
    begin("isolating a value", config, |document| {
        let value = value.ok_or_else(|| missing("value"))?;
        reshard::isolate(relation.ok_or_else(|| missing("relation"))?, value, document).map(Some)
    })
}

#[pg_extern(sql = false)]
fn rebalance(relation: Option<pg_sys::Oid>, config: Option<JsonB>) -> Option<i64> {
    begin("rebalancing a table", config, |document| {
        reshard::rebalance(relation.ok_or_else(|| missing("relation"))?, document)
    })
}

#[pg_extern(sql = false)]
fn drain_node(name: Option<&str>, config: Option<JsonB>) -> Option<i64> {
    begin("draining a node", config, |document| reshard::drain(name.ok_or_else(|| missing("a node's name"))?, document))
}

#[pg_extern(sql = false)]
fn undo_job(job_id: Option<i64>, config: Option<JsonB>) -> Option<i64> {
    begin("undoing a job", config, |document| {
        reshard::undo(job_id.ok_or_else(|| missing("job_id"))?, document).map(Some)
    })
}

#[pg_extern(sql = false)]
fn wait_job(job_id: Option<i64>, timeout: Option<Interval>) -> String {
    let _session = Session::begin();
    let most = timeout.map(|t| Duration::from_micros(u64::try_from(t.as_micros()).unwrap_or(0)));
    match job_id.ok_or_else(|| missing("job_id")).and_then(|job| reshard::wait(job, most)) {
        Ok(state) => state,
        Err(error) => error.raise("waiting for a job"),
    }
}

#[pg_extern(sql = false)]
fn resume_job(job_id: i64) {
    let _session = Session::begin();
    match reshard::resume(job_id) {
        Ok(Some(role)) => start_after_commit(job_id, role),
        Ok(None) => {}
        Err(error) => error.raise("resuming a job"),
    }
}

#[pg_extern(sql = false)]
fn resume_jobs() -> i32 {
    let _session = Session::begin();
    match reshard::resume_all() {
        Ok(jobs) => {
            jobs.iter().for_each(|(job, role)| start_after_commit(*job, *role));
            i32::try_from(jobs.len()).unwrap_or(i32::MAX)
        }
        Err(error) => error.raise("resuming jobs"),
    }
}
