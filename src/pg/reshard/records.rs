//! What is written down of jobs: the tasks of each, how far they have come, and how they ended.

use super::task::Task;
use crate::pg::error::Result;
use foreshard_core::model::{Problem, TableName};
use foreshard_core::steps::Step;
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

/// A task that is not done yet.
#[derive(Debug)]
pub struct Record {
    pub number: i32,
    pub task: Task,
    /// The next one.
    pub step: Step,
    pub cancelled: bool,
    pub pause_at: Option<String>,
}

/// A new job without tasks yet.
pub fn begin(kind: &str, target: &str, message: &str) -> Result<i64> {
    let job: Option<i64> = Spi::get_one_with_args(
        "INSERT INTO foreshard._jobs (kind, target, state, started_at, message)
         VALUES ($1, $2, 'running', pg_catalog.clock_timestamp(), $3) RETURNING id",
        &[kind.into(), target.into(), message.into()],
    )?;
    job.ok_or_else(|| Problem::new("XX000", "a job was stored without a number").into())
}

/// The tasks of a job, of which one is done after the other, with the bytes that the old shards of each take.
pub fn add(job: i64, tasks: &[(Task, i64)]) -> Result<()> {
    for (number, (task, bytes)) in (1_i32..).zip(tasks) {
        Spi::run_with_args(
            "INSERT INTO foreshard._reshards (job_id, number, relation, task, step, bytes_total, pause_at)
             VALUES ($1, $2, $3::pg_catalog.regclass, $4, $5, $6, $7)",
            &[
                job.into(),
                number.into(),
                pg_sys::Oid::from(task.relation).into(),
                document(task).into(),
                Step::Create.describe().name.into(),
                (*bytes).into(),
                crate::pg::settings::pause_at().into(),
            ],
        )?;
    }
    Ok(())
}

/// The tasks of a job that have switched.
///
/// # Errors
/// 42704 for no such job, 55006 while it runs, 0A000 for what cannot be read.
pub fn done(job: i64) -> Result<Vec<Task>> {
    Spi::connect(|client| {
        let query = "SELECT j.state, r.task, r.step IN ('drop', 'done') FROM foreshard._jobs j LEFT JOIN foreshard._reshards r ON r.job_id = j.id
             WHERE j.id = $1 ORDER BY r.number";
        let rows = client.select(query, None, &[job.into()])?;
        let mut found = Vec::new();
        let mut known = false;
        for row in rows {
            known = true;
            if row.get::<String>(1)?.as_deref() == Some("running") {
                return Err(Problem::new("55006", format!("job {job} is running"))
                    .hint(format!("SELECT foreshard.cancel_job({job}); undoes what it has made until its switch."))
                    .into());
            }
            let Some(JsonB(task)) = row.get::<JsonB>(2)? else { continue };
            if row.get(3)? == Some(true) {
                let unreadable = || Problem::new("0A000", format!("job {job} was written by another version"));
                found.push(serde_json::from_value(task).map_err(|_| unreadable())?);
            }
        }
        match known {
            true => Ok(found),
            false => Err(Problem::new("42704", format!("job {job} does not exist"))
                .hint("SELECT * FROM foreshard.jobs lists them.")
                .into()),
        }
    })
}

fn document(task: &Task) -> JsonB {
    JsonB(serde_json::to_value(task).unwrap_or_default())
}

/// The first task of a running job that is not done; None where there is nothing more to do.
pub fn next(job: i64) -> Result<Option<Record>> {
    Spi::connect(|client| {
        let mut rows = client.select(
            "SELECT r.number, r.task, r.step, r.cancelled, r.pause_at
             FROM foreshard._reshards r JOIN foreshard._jobs j ON j.id = r.job_id
             WHERE r.job_id = $1 AND j.state = 'running' AND r.step <> 'done' ORDER BY r.number",
            Some(1),
            &[job.into()],
        )?;
        let Some(row) = rows.next() else { return Ok(None) };
        let unreadable = || Problem::new("0A000", format!("job {job} was written by another version"));
        let task = row.get::<JsonB>(2)?.and_then(|JsonB(task)| serde_json::from_value(task).ok());
        let step = row.get::<String>(3)?.and_then(|step| Step::of(&step));
        Ok(Some(Record {
            number: row.get(1)?.unwrap_or(1),
            task: task.ok_or_else(unreadable)?,
            step: step.ok_or_else(unreadable)?,
            cancelled: row.get(4)?.unwrap_or(false),
            pause_at: row.get(5)?,
        }))
    })
}

/// A step is reached: the one to be done next. None: the task is done.
pub fn reach(job: i64, number: i32, step: Option<Step>) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._reshards SET step = $3, step_started_at = pg_catalog.clock_timestamp(), pid = pg_catalog.pg_backend_pid()
         WHERE job_id = $1 AND number = $2",
        &[job.into(), number.into(), step.map_or("done", |step| step.describe().name).into()],
    )?)
}

pub fn copied(job: i64, number: i32, rows: u64) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._reshards SET rows = $3 WHERE job_id = $1 AND number = $2",
        &[job.into(), number.into(), i64::try_from(rows).unwrap_or(i64::MAX).into()],
    )?)
}

/// An attempt to switch is over.
pub fn tried(job: i64, number: i32, held_ms: f64) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._reshards SET attempts = attempts + 1, longest_lock_ms = GREATEST(longest_lock_ms, $3)
         WHERE job_id = $1 AND number = $2",
        &[job.into(), number.into(), held_ms.into()],
    )?)
}

/// With the switch: the new shards are the table's, and the next step is to drop the old ones.
pub fn switched(task: &Task, job: i64, number: i32) -> Result<()> {
    let relation = pg_sys::Oid::from(task.relation);
    for old in &task.old {
        Spi::run_with_args(
            "DELETE FROM foreshard._shards WHERE shard = $1::pg_catalog.regclass",
            &[old.relation().into()],
        )?;
    }
    for new in &task.new {
        Spi::run_with_args(
            "INSERT INTO foreshard._shards (relation, shard, ordinal, node, bound, within)
             VALUES ($1::pg_catalog.regclass, $2::pg_catalog.regclass, $3, $4, $5, $6)",
            &[
                relation.into(),
                crate::pg::ledger::require_oid(&new.name)?.into(),
                new.ordinal.into(),
                new.node.clone().into(),
                JsonB(serde_json::to_value(&new.bound).unwrap_or_default()).into(),
                new.within.as_ref().and_then(|w| serde_json::to_value(w).ok()).map(JsonB).into(),
            ],
        )?;
    }
    reach(job, number, Some(Step::Drop))
}

/// The old shards are kept for some seconds.
pub fn keep(job: i64, number: i32, seconds: u32) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._reshards SET kept_until = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $3)
         WHERE job_id = $1 AND number = $2",
        &[job.into(), number.into(), f64::from(seconds).into()],
    )?)
}

/// The job is over. What its tasks measured goes to the job.
pub fn end(job: i64, state: &str, message: Option<&str>) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._jobs j SET state = $2, finished_at = pg_catalog.clock_timestamp(), message = coalesce($3, message),
             rows = (SELECT pg_catalog.sum(r.rows)::pg_catalog.int8 FROM foreshard._reshards r WHERE r.job_id = j.id)
         WHERE id = $1 AND state = 'running'",
        &[job.into(), state.into(), message.map(str::to_owned).into()],
    )?)
}

/// Jobs that are under way, be there a worker or not; of one relation, or of all.
pub fn running(relation: Option<pg_sys::Oid>) -> Result<Vec<i64>> {
    Ok(Spi::get_one_with_args(
        "SELECT pg_catalog.array_agg(DISTINCT j.id ORDER BY j.id) FROM foreshard._jobs j JOIN foreshard._reshards r ON r.job_id = j.id
         WHERE j.state = 'running' AND ($1 IS NULL OR r.relation = $1::pg_catalog.regclass)",
        &[relation.into()],
    )?
    .unwrap_or_default())
}

/// The tasks of jobs whose old shards were kept long enough, with where they are written down.
pub fn expired() -> Result<Vec<(i64, i32, Task)>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT job_id, number, task FROM foreshard._reshards WHERE kept_until < pg_catalog.clock_timestamp() ORDER BY 1, 2",
            None,
            &[],
        )?;
        let mut found = Vec::new();
        for row in rows {
            let task = row.get::<JsonB>(3)?.and_then(|JsonB(task)| serde_json::from_value(task).ok());
            if let (Some(job), Some(number), Some(task)) = (row.get(1)?, row.get(2)?, task) {
                found.push((job, number, task));
            }
        }
        Ok(found)
    })
}

/// Whether the old shards of a task are kept still, while nobody else ends that.
pub fn is_kept(job: i64, number: i32) -> Result<bool> {
    let kept: Option<bool> = Spi::connect_mut(|client| {
        let query =
            "SELECT kept_until IS NOT NULL FROM foreshard._reshards WHERE job_id = $1 AND number = $2 FOR UPDATE";
        client.update(query, Some(1), &[job.into(), number.into()])?.next().map_or(Ok(None), |row| row.get(1))
    })?;
    Ok(kept == Some(true))
}

/// What another server keeps under that name is kept no longer: something else comes in its place.
pub fn replaced(node: &str, there: &TableName) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._reshards SET kept_until = NULL WHERE kept_until IS NOT NULL
           AND pg_catalog.jsonb_extract_path_text(task, 'away', 'from') = $1
           AND pg_catalog.jsonb_extract_path(task, 'away', 'there') = $2",
        &[node.into(), JsonB(serde_json::to_value(there).unwrap_or_default()).into()],
    )?)
}

pub fn not_kept(job: i64, number: i32) -> Result<()> {
    Ok(Spi::run_with_args(
        "UPDATE foreshard._reshards SET kept_until = NULL WHERE job_id = $1 AND number = $2",
        &[job.into(), number.into()],
    )?)
}
