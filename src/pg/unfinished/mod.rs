//! Restores that failed for a reason outside of them, and were asked to keep what was done (`"on_failure": "keep"`).
//!
//! The steps after the creation run in subtransactions. When one fails for such a reason, it alone is undone, and what was finished is put
//! away ([`keep`]): under a name that says so, closed to everyone but its owner, with a record of how far it came. Then the call returns,
//! so that its transaction commits. A resume takes it up again ([`take_up`]): it has the tables for itself, cuts off what a
//! failure has left behind the recorded pages, gives the table its name back, and goes on. Until it commits, what was kept stays as it was.
//! [`remove`] drops it.
//!
//! References to other tables, triggers and grants are made in the last step, with the publication: nothing else sees an unfinished table.

mod record;

pub use record::{find, forget, standing};

use super::create::Blueprint;
use super::error::{Error, Result};
use super::ffi::{self, quote_ident, quote_table};
use super::load::{self, Reached};
use super::request::Request;
use super::{archive, catalog, claim, ledger, progress};
use foreshard_core::model::plan::Note;
use foreshard_core::model::{Problem, TableName};
use pgrx::Spi;
use record::{Leaf, staged_name};
use serde::{Deserialize, Serialize};

/// How far a restore has come: what is recorded of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Progress {
    pub reached: Reached,
    /// After the last row: the last values of the table's sequences.
    pub sequences: Option<Vec<archive::SequenceState>>,
    /// Steps of the indexes that are done, of how many.
    pub indexes: (usize, usize),
    /// The tables that have rows, with the blocks that the rows reached take.
    leaves: Vec<Leaf>,
    /// The settings by which texts of rows are read, which must not depend on who goes on: TimeZone and DateStyle.
    settings: [String; 2],
    /// The backup's, see [`archive::Backup::identity`].
    identity: Option<String>,
}

impl Progress {
    /// Nothing is loaded yet into these tables.
    pub fn new(tables: &[TableName], identity: Option<String>) -> Result<Self> {
        let leaves = tables.iter().map(Leaf::of).collect::<Result<_>>()?;
        let settings = [catalog::setting("timezone")?, catalog::setting("datestyle")?];
        Ok(Self { leaves, settings, identity, ..Self::default() })
    }

    /// A portion of the rows is loaded, and stays.
    pub fn loaded(&mut self, reached: Reached) {
        self.reached = reached;
        self.leaves.iter_mut().for_each(Leaf::measure);
    }

    /// After the last row there is nothing to cut.
    fn cut_leaves(&self) {
        let leaves = self.leaves.iter().filter(|_| self.sequences.is_none());
        leaves.for_each(|leaf| load::cut(leaf.table(), leaf.blocks));
    }
}

/// A restore to go on with.
#[derive(Debug)]
pub struct Resumed {
    pub job: i64,
    /// The name under which it was kept.
    staged: TableName,
    pub progress: Progress,
}

/// What was kept of a job, locked against everyone else.
///
/// # Errors
/// 42704 for no such job; 55000 for one that is no unfinished restore, or whose tables were changed since; 22023 for another table's;
/// 42501 for another owner's.
pub fn open(job: i64, target: &TableName) -> Result<Resumed> {
    let record = find(job)?;
    if record.target != *target {
        return Err(Problem::new("22023", format!("job {job} restores another table"))
            .detail(format!("It restores {}, not {target}.", record.target))
            .hint("Name the job's target.")
            .into());
    }
    let staged = record.relation()?;
    // A member of the role, or a superuser, would run what the owner may have added to the table, with rights of its own.
    if !catalog::owned_by_caller(catalog::require_table(&staged)?)? {
        return Err(Problem::new("42501", format!("must be owner of table {}", staged.name))
            .detail(format!("Job {job} belongs to another role."))
            .hint("SET ROLE to the table's owner.")
            .into());
    }
    Spi::run(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", quote_table(&staged)))?;
    let progress = record.progress()?;
    let changed = |what: String| {
        Problem::new("55000", format!("what job {job} has kept was changed since"))
            .detail(what)
            .hint(format!("Remove it with SELECT foreshard.cancel_job({job}), and restore anew."))
    };
    let oid = catalog::require_table(&staged)?;
    let tables = catalog::leaves(oid)?;
    if tables.len() != progress.leaves.len() {
        return Err(
            changed(format!("There are {} tables with rows, of {}.", tables.len(), progress.leaves.len())).into()
        );
    }
    for leaf in &progress.leaves {
        let known = tables.iter().any(|(table, _)| *table == leaf.table());
        if !known || !leaf.is_the_same()? {
            return Err(
                changed("A table of it was dropped, detached, truncated, rewritten or given away.".to_owned()).into()
            );
        }
    }
    Ok(Resumed { job, staged, progress })
}

impl Resumed {
    /// # Errors
    /// 55000 where the backup is another one now.
    pub fn must_be_backup(&self, identity: Option<&str>) -> Result<()> {
        if self.progress.identity.as_deref() == identity {
            return Ok(());
        }
        Err(Problem::new("55000", format!("the backup is not the one that job {} was begun with", self.job))
            .detail("It has another path, or a file of it has another size or was written since.")
            .hint(format!("Remove what was kept with SELECT foreshard.cancel_job({}), and restore anew.", self.job))
            .into())
    }

    /// Under its own name again, as it was when it was kept.
    pub fn take_up(&self, session: &ffi::Session, target: &TableName) -> Result<()> {
        let [zone, dates] = &self.progress.settings;
        session.set("timezone", zone);
        session.set("datestyle", dates);
        self.progress.cut_leaves();
        rename(&self.staged, target)?;
        row_security(target, "DISABLE")?;
        pgrx::notice!("job {} goes on: {} rows were loaded before", self.job, self.progress.reached.rows);
        Ok(())
    }
}

/// What the caller is told of a restore that was kept.
#[derive(Debug)]
pub struct Kept {
    pub job: i64,
    pub note: Note,
}

/// Puts away what was done. `error` is why it is not finished.
///
/// # Errors
/// The same error, where it cannot be kept.
pub fn keep(
    request: &Request,
    blueprint: &Blueprint<'_>,
    plan_id: i64,
    job: Option<i64>,
    done: &Progress,
    error: Error,
) -> Result<Kept> {
    let phase = progress::current().unwrap_or(progress::Phase::Loading);
    let Some(cause) = error.into_problems().into_iter().next() else {
        return Err(Problem::new("XX000", "a restore failed without a problem").into());
    };
    // Whatever stands in the way, the cause is what must be told.
    let caught = |problem: &Problem| !problem.sqlstate.starts_with("57");
    let outcome = ffi::attempt(caught, || {
        done.cut_leaves();
        let job = ledger::record_failure(&ledger::Failed {
            job,
            target: &request.target,
            plan_id,
            rows: done.reached.rows,
            bytes: done.reached.bytes,
            message: &cause.message,
        })?;
        own_sequences(blueprint)?;
        row_security(&request.target, "ENABLE")?;
        let staged = staged_name(&request.target, job);
        rename(&request.target, &staged)?;
        record::store(job, &request.target, &staged, phase.name(), done)?;
        Ok((job, staged))
    });
    match outcome {
        Ok((job, staged)) => Ok(Kept { job, note: tell(request, &cause, job, &staged, done) }),
        Err(second) => {
            let second: Vec<String> = second.into_problems().into_iter().map(|p| p.message).collect();
            let fact = format!("What was done could not be kept: {}.", second.join("; "));
            let detail = cause.detail.as_ref().map_or_else(|| fact.clone(), |detail| format!("{detail} {fact}"));
            Err(cause.detail(detail).into())
        }
    }
}

/// The WARNING, and a note with the same.
fn tell(request: &Request, cause: &Problem, job: i64, staged: &TableName, done: &Progress) -> Note {
    let resume = format!(
        "SELECT * FROM restore_table({}, {}, '{{\"resume\": {job}}}');",
        ffi::quote_literal(&quote_table(&request.target)),
        ffi::quote_literal(&request.backup)
    );
    let kept = format!("{} rows are kept in {}", done.reached.rows, quote_table(staged));
    let because = match &cause.detail {
        Some(detail) => format!("[{}] {}: {detail}", cause.sqlstate, cause.message),
        None => format!("[{}] {}", cause.sqlstate, cause.message),
    };
    super::error::warn(
        &Problem::new(&cause.sqlstate, format!("the restore of {} is not finished: {}", request.target, cause.message))
            .detail(cause.detail.as_ref().map_or_else(|| format!("{kept}."), |detail| format!("{detail} {kept}.")))
            .hint(format!("When the cause is gone, go on: {resume} Or remove it: SELECT foreshard.cancel_job({job});")),
    );
    Note { kind: "failure".to_owned(), object: request.target.to_string(), what: kept, because, remedy: Some(resume) }
}

/// Drops what a job has kept.
///
/// # Errors
/// Those of [`find`], 55006 while another transaction goes on with it, and the server's own for who may not drop the table.
pub fn remove(job: i64) -> Result<()> {
    let record = find(job)?;
    claim::take(&record.target)?;
    if record.is_there()? {
        Spi::run(&format!("DROP TABLE {}", quote_table(&record.relation()?)))?;
    }
    record::forget(job)?;
    ledger::cancelled(job)
}

fn rename(from: &TableName, to: &TableName) -> Result<()> {
    Ok(Spi::run(&format!("ALTER TABLE {} RENAME TO {}", quote_table(from), quote_ident(&to.name)))?)
}

/// Without policies, which come with the last step, row security shows rows to the owner only: grants that the database gives to every new
/// table do not reach them.
fn row_security(table: &TableName, how: &str) -> Result<()> {
    Ok(Spi::run(&format!("ALTER TABLE {} {how} ROW LEVEL SECURITY", quote_table(table)))?)
}

/// The table's sequences go with it when it is dropped. Which column each belongs to is said in the last step.
fn own_sequences(blueprint: &Blueprint<'_>) -> Result<()> {
    let Some(column) = blueprint.definition.table.columns.first() else { return Ok(()) };
    for sequence in &blueprint.definition.sequences {
        let name = blueprint.rename(sequence);
        if catalog::relation_oid(&name)?.is_some() && !catalog::owns_sequence(&blueprint.target, &name)? {
            Spi::run(&format!(
                "ALTER SEQUENCE {} OWNED BY {}.{}",
                quote_table(&name),
                quote_table(&blueprint.target),
                quote_ident(&column.name)
            ))?;
        }
    }
    Ok(())
}
