//! What is written down of an unfinished restore, and whether it still stands. The ledger is the callers' own: nothing is done to a table
//! because a row of it says so, but only to one that bears the job's name and is the caller's own, with what it is made of.

use super::Progress;
use crate::pg::archive::SequenceState;
use crate::pg::error::Result;
use crate::pg::{catalog, load};
use foreshard_core::model::{Problem, TableName};
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};
use serde::{Deserialize, Serialize};

/// A table with rows of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leaf {
    oid: u32,
    /// The number of its file: another one after TRUNCATE, CLUSTER or VACUUM FULL.
    file: u32,
    /// Those behind are not of the rows that were reached.
    pub blocks: u32,
}

impl Leaf {
    pub fn of(table: &TableName) -> Result<Self> {
        let oid = catalog::require_table(table)?;
        let file = catalog::file_of(oid)?.unwrap_or_default();
        Ok(Self { oid: oid.to_u32(), file, blocks: load::blocks(oid) })
    }

    pub fn table(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.oid)
    }

    pub fn measure(&mut self) {
        self.blocks = load::blocks(self.table());
    }

    pub fn is_the_same(&self) -> Result<bool> {
        let file = catalog::file_of(self.table())? == Some(self.file);
        // VACUUM may have cut off blocks without rows; an unlogged table is empty after a crash.
        let filled = self.blocks == 0 || load::blocks(self.table()) > 0;
        Ok(file && filled && catalog::owned_by_caller(self.table())?)
    }
}

/// What the ledger says of a job.
#[derive(Debug)]
pub struct Record {
    job: i64,
    pub plan_id: i64,
    pub target: TableName,
    relation: pg_sys::Oid,
    progress: JsonB,
}

/// # Errors
/// 42704 for no such job, 55000 for one that is not unfinished.
pub fn find(job: i64) -> Result<Record> {
    let found = Spi::connect(|client| {
        let query = "SELECT j.state, u.target, j.plan_id, u.relation::pg_catalog.oid, u.progress FROM foreshard._jobs j
            LEFT JOIN foreshard._unfinished u ON u.job_id = j.id WHERE j.id = $1";
        let mut rows = client.select(query, Some(1), &[job.into()])?;
        match rows.next() {
            Some(row) => Ok::<_, pgrx::spi::Error>(Some((
                row.get::<String>(1)?.unwrap_or_default(),
                row.get::<Vec<String>>(2)?.and_then(|parts| <[String; 2]>::try_from(parts).ok()),
                row.get::<i64>(3)?,
                row.get::<pg_sys::Oid>(4)?,
                row.get::<JsonB>(5)?,
            ))),
            None => Ok(None),
        }
    })?;
    match found {
        None => Err(Problem::new("42704", format!("job {job} does not exist"))
            .hint("SELECT * FROM foreshard.jobs lists them.")
            .into()),
        Some((_, Some([schema, name]), Some(plan_id), Some(relation), Some(progress))) => {
            Ok(Record { job, plan_id, target: TableName::new(schema, name), relation, progress })
        }
        Some((state, ..)) => Err(Problem::new("55000", format!("job {job} is not unfinished"))
            .detail(format!("Its state is \"{state}\", and nothing is kept of it."))
            .hint("SELECT * FROM foreshard.jobs WHERE state = 'failed' lists those that can be resumed.")
            .into()),
    }
}

impl Record {
    pub fn is_there(&self) -> Result<bool> {
        Ok(catalog::name_of(self.relation)?.is_some())
    }

    /// The table that was kept: one of that name.
    ///
    /// # Errors
    /// 55000 where it is another one.
    pub fn relation(&self) -> Result<TableName> {
        let job = self.job;
        let staged = staged_name(&self.target, job);
        if catalog::name_of(self.relation)?.as_ref() != Some(&staged) {
            return Err(Problem::new("55000", format!("what job {job} has kept is not there any more"))
                .detail(format!("There is no table \"{staged}\", or it is another one."))
                .hint(format!("Restore anew, after SELECT foreshard.cancel_job({job}) if the table was dropped."))
                .into());
        }
        Ok(staged)
    }

    pub fn progress(&self) -> Result<Progress> {
        let unreadable = |why: String| {
            Problem::new("0A000", format!("what job {} has kept cannot be read", self.job))
                .detail(format!("It was written by another version: {why}."))
                .hint(format!("Remove it with SELECT foreshard.cancel_job({}), and restore anew.", self.job))
        };
        let progress: Progress =
            serde_json::from_value(self.progress.0.clone()).map_err(|e| unreadable(e.to_string()))?;
        // They become part of a statement.
        if !progress.sequences.iter().flatten().all(SequenceState::is_plain) {
            return Err(unreadable("a sequence has no plain value".to_owned()).into());
        }
        Ok(progress)
    }
}

/// `orders_unfinished_7`: cut in the table's part when it would be longer than a name may be.
pub fn staged_name(target: &TableName, job: i64) -> TableName {
    let suffix = format!("_unfinished_{job}");
    let mut end = target.name.len().min(pg_sys::NAMEDATALEN as usize - 1 - suffix.len());
    while !target.name.is_char_boundary(end) {
        end -= 1;
    }
    TableName::new(&target.schema, format!("{}{suffix}", target.name.get(..end).unwrap_or_default()))
}

pub fn store(job: i64, target: &TableName, staged: &TableName, phase: &str, progress: &Progress) -> Result<()> {
    let document = serde_json::to_value(progress)
        .map_err(|e| Problem::new("XX000", format!("progress cannot be written: {e}")))?;
    forget(job)?;
    Ok(Spi::run_with_args(
        "INSERT INTO foreshard._unfinished (job_id, target, relation, phase, progress)
         VALUES ($1, $2, $3::pg_catalog.regclass, $4, $5)",
        &[
            job.into(),
            parts(target).into(),
            catalog::require_table(staged)?.into(),
            phase.into(),
            JsonB(document).into(),
        ],
    )?)
}

fn parts(name: &TableName) -> Vec<String> {
    vec![name.schema.clone(), name.name.clone()]
}

pub fn forget(job: i64) -> Result<()> {
    Ok(Spi::run_with_args("DELETE FROM foreshard._unfinished WHERE job_id = $1", &[job.into()])?)
}

/// Nothing is kept of an earlier restore of the table, whose shards would stand in the way.
pub fn standing(target: &TableName) -> Result<Option<Problem>> {
    let found = Spi::connect(|client| {
        let query = "SELECT j.id, j.message FROM foreshard._jobs j JOIN foreshard._unfinished u ON u.job_id = j.id
            JOIN pg_catalog.pg_class c ON c.oid = u.relation WHERE u.target = $1 ORDER BY j.id";
        match client.select(query, Some(1), &[parts(target).into()])?.next() {
            Some(row) => Ok::<_, pgrx::spi::Error>(row.get::<i64>(1)?.zip(row.get::<String>(2)?)),
            None => Ok(None),
        }
    })?;
    Ok(found.map(|(job, message)| {
        Problem::new("55000", format!("an unfinished restore of \"{target}\" was kept"))
            .detail(format!("It is job {job}, which failed: {message}."))
            .hint(format!(
                "Go on with it by the config {{\"resume\": {job}}}, or remove it first: SELECT foreshard.cancel_job({job});"
            ))
    }))
}
