//! The life of a job in its worker: step after step, each in a transaction that writes down the next one, until all is done or undone.
//!
//! A lock that is not to be had in time is tried for again; any other failure, and a cancel, undoes what was made, as long as the
//! switch has not happened. An order to end the process leaves all as it is: whoever starts the job again goes on.

use super::elsewhere::{self, Pair};
use super::pace::Pace;
use super::records::{self, Record};
use super::task::{Away, Task};
use super::transaction::{acting_as, look, pause, show, transaction};
use super::{apply, build, snapshots, switch};
use crate::pg::error::{Error, Result};
use crate::pg::worker::process::Isolation;
use foreshard_core::model::Problem;
use foreshard_core::steps::Step;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// A step that needs a lock is tried so often, the switch among them. Assumed: with the pauses between it is some minutes, longer than most
/// transactions.
const MOST_ATTEMPTS: u32 = 60;
/// The pause after the first attempt that failed; each further one is twice as long, up to the longest. Assumed.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A node that does not answer is called for so long, and after pauses. Assumed: a server restarts in that time.
const LONGEST_ABSENCE: Duration = Duration::from_secs(60);
const BETWEEN_CALLS: Duration = Duration::from_secs(1);
/// Rounds of catching up until no more is to be gained: then changes come in as fast as they are applied. Assumed.
const MOST_ROUNDS: u32 = 1000;
/// Old snapshots that are waited for shorter than this have not let many changes come in. Assumed.
const SHORT_WAIT: Duration = Duration::from_millis(500);

/// Works on a job until it is done, or leaves it to whoever works on it already.
pub fn work(job: i64) -> Result<()> {
    // Of this session, not of a transaction: there are many.
    let mine: bool = transaction(Isolation::ReadCommitted, |_| lock(&job_subject(job)))?;
    if !mine {
        return Ok(());
    }
    let mut claimed = None;
    loop {
        let Some(record) = transaction(Isolation::ReadCommitted, |_| records::next(job))? else {
            return transaction(Isolation::ReadCommitted, |_| records::end(job, "done", None));
        };
        // A restore of the same name keeps out, and is kept out.
        if claimed.as_ref() != Some(&record.task.table) {
            wait_for_claim(&record.task)?;
            claimed = Some(record.task.table.clone());
        }
        let (task, number) = (record.task.clone(), record.number);
        match run(job, record) {
            Ok(()) => {}
            Err((error, step)) => return give_up(job, number, &task, step, error),
        }
    }
}

/// Hashes to the key of the lock that the worker of a job holds.
pub fn job_subject(job: i64) -> String {
    format!("foreshard: job {job}")
}

fn lock(subject: &str) -> Result<bool> {
    let taken: Option<bool> = Spi::get_one_with_args(
        "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended($1, 0))",
        &[subject.into()],
    )?;
    Ok(taken == Some(true))
}

fn wait_for_claim(task: &Task) -> Result<()> {
    let subject = crate::pg::claim::subject(&task.table);
    while !transaction(Isolation::ReadCommitted, |_| lock(&subject))? {
        pause(FIRST_PAUSE)?;
    }
    Ok(())
}

/// All steps of a task from the one that comes next; with an error the step that failed.
fn run(job: i64, record: Record) -> std::result::Result<(), (Error, Step)> {
    let Record { number, task, step: mut next, cancelled, pause_at } = record;
    if cancelled && next.can_be_undone() {
        return Err((cancel(), next));
    }
    loop {
        let place = Place { job, number, step: next, pause_at: pause_at.as_deref() };
        match one(&place, &task) {
            Ok(Some(step)) => next = step,
            Ok(None) => return Ok(()),
            Err(error) => return Err((error, next)),
        }
    }
}

fn cancel() -> Error {
    Problem::new("57014", "canceling the job due to user request").into()
}

/// Where a job is.
struct Place<'a> {
    job: i64,
    number: i32,
    step: Step,
    pause_at: Option<&'a str>,
}

impl Place<'_> {
    /// For tests: waits before a step until the record says otherwise.
    fn before(&self) -> Result<()> {
        if self.pause_at == Some(self.step.describe().name) {
            show(&format!("paused at {}", self.step.describe().name));
        }
        while self.pause_at == Some(self.step.describe().name) {
            let paused: Option<bool> = transaction(Isolation::ReadCommitted, |_| {
                Ok(Spi::get_one_with_args(
                    "SELECT pause_at IS NOT NULL FROM foreshard._reshards WHERE job_id = $1 AND number = $2",
                    &[self.job.into(), self.number.into()],
                )?)
            })?;
            if paused != Some(true) {
                return Ok(());
            }
            pause(FIRST_PAUSE)?;
        }
        Ok(())
    }

    /// For tests: waits at the end of a step, in its transaction, for whoever ends it.
    fn commit(&self) {
        let own = format!("{}:commit", self.step.describe().name);
        if self.pause_at == Some(own.as_str()) {
            show(&format!("paused at {own}"));
        }
        while self.pause_at == Some(own.as_str()) {
            pgrx::check_for_interrupts!();
            crate::pg::ffi::exit_without_postmaster();
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A transaction that does the step, and writes down the next one.
    fn step<T>(
        &self,
        isolation: Isolation,
        next: Step,
        work: impl FnOnce(&crate::pg::ffi::Session) -> Result<T>,
    ) -> Result<T> {
        transaction(isolation, |session| {
            let value = work(session)?;
            records::reach(self.job, self.number, Some(next))?;
            self.commit();
            Ok(value)
        })
    }
}

/// Does a step, and says which is next.
fn one(place: &Place<'_>, task: &Task) -> Result<Option<Step>> {
    show(&format!("{} {}: {}", task.kind.name(), task.table, place.step.describe().doing));
    transaction(Isolation::ReadCommitted, |_| records::reach(place.job, place.number, Some(place.step)))?;
    place.before()?;
    let following = place.step.next();
    let Some(next) = following else { return finish(place, task).map(|()| None) };
    if let Some(away) = &task.away {
        again_until_reached(|| again_until_locked(|| from_server_to_server(place, task, away, next)))?;
        return Ok(Some(next));
    }
    match place.step {
        Step::Create => place.step(Isolation::ReadCommitted, next, |_| {
            switch::unchanged(task)?;
            acting_as(task.owner, || build::create(task))
        })?,
        Step::Capture => again_until_locked(|| {
            place.step(Isolation::ReadCommitted, next, |session| {
                session.set("lock_timeout", &lock_timeout(task));
                acting_as(task.owner, || build::capture(task))
            })
        })?,
        Step::Copy => {
            let rows = copy(task)?;
            place.step(Isolation::RepeatableRead, next, |_| {
                acting_as(task.owner, || apply::round(task))?;
                records::copied(place.job, place.number, rows)
            })?;
        }
        Step::Index => place.step(Isolation::ReadCommitted, next, |_| acting_as(task.owner, || build::index(task)))?,
        Step::CatchUp | Step::Verify | Step::Switch => return or_copy_anew(place, task, later(place, task, next)),
        Step::Drop => return Ok(None),
    }
    Ok(Some(next))
}

/// All rows, in many transactions: a snapshot that lasts keeps the server from cleaning up, in tables that have nothing to do with it too.
fn copy(task: &Task) -> Result<u64> {
    let begin = || acting_as(task.owner, || apply::begin_copy(task));
    let portions = transaction(Isolation::ReadCommitted, |_| begin())?;
    let (mut pace, mut rows) = (Pace::begin(task.copy_share), 0);
    for portion in &portions {
        rows +=
            transaction(Isolation::ReadCommitted, |_| acting_as(task.owner, || apply::copy_portion(task, portion)))?;
        pace.rest()?;
    }
    Ok(rows)
}

/// A step of a move between other servers. Nothing but the switch waits for a node in a transaction.
fn from_server_to_server(place: &Place<'_>, task: &Task, away: &Away, next: Step) -> Result<()> {
    let isolation = Isolation::ReadCommitted;
    if place.step == Step::Create {
        return place.step(isolation, next, |_| elsewhere::create(task, away));
    }
    let mut pair = Pair::open(away)?;
    let mut rows = None;
    match place.step {
        Step::Capture => pair.capture(away)?,
        Step::Copy => pair.copy(away, &elsewhere::address(away)?)?,
        Step::Index => pair.analyze(away)?,
        Step::CatchUp => pair.catch_up(away, None)?,
        Step::Verify if task.verify => rows = Some(pair.verify(task, away)?),
        Step::Switch => {
            pair.catch_up(away, None)?;
            let (mut pair, mut held) = (pair.within(), switch::Held::default());
            let outcome = place.step(isolation, next, |session| {
                switch::in_time(task.max_lock_ms, || pair.switch(task, away, session, &mut held))
            });
            let ms = held.ms();
            transaction(isolation, |_| records::tried(place.job, place.number, ms))?;
            return outcome;
        }
        _ => {}
    }
    place.step(isolation, next, |_| rows.map_or(Ok(()), |rows| records::copied(place.job, place.number, rows)))
}

/// The steps that stand on the log.
fn later(place: &Place<'_>, task: &Task, next: Step) -> Result<Option<Step>> {
    match place.step {
        Step::CatchUp => {
            catch_up(task)?;
            place.step(Isolation::ReadCommitted, next, |_| Ok(()))?;
        }
        Step::Verify => place.step(Isolation::RepeatableRead, next, |_| {
            acting_as(task.owner, || match task.verify {
                true => apply::round(task).and_then(|_| apply::verify(task)).map(drop),
                false => Ok(()),
            })
        })?,
        _ => exchange(place, task)?,
    }
    Ok(Some(next))
}

/// A log that a crash has emptied does not know what has changed: all is begun anew.
fn or_copy_anew(place: &Place<'_>, task: &Task, outcome: Result<Option<Step>>) -> Result<Option<Step>> {
    match outcome {
        Err(error) if error.is(apply::FORGOTTEN) => {
            again_until_locked(|| {
                place.step(Isolation::ReadCommitted, Step::Create, |session| {
                    session.set("lock_timeout", &lock_timeout(task));
                    undo(task, place.step)
                })
            })?;
            Ok(Some(Step::Create))
        }
        other => other,
    }
}

/// Rounds until few changes are left.
fn catch_up(task: &Task) -> Result<()> {
    for _ in 0..MOST_ROUNDS {
        look()?;
        let round = transaction(Isolation::RepeatableRead, |_| acting_as(task.owner, || apply::round(task)))?;
        if round.changes <= switch::MOST_UNDER_LOCK / 2 {
            return Ok(());
        }
    }
    Err(Problem::new("55000", format!("the changes of table {} come in faster than they can be applied", task.table))
        .detail(format!("After {MOST_ROUNDS} rounds there are more than {} left.", switch::MOST_UNDER_LOCK))
        .hint("Try again when less is written to the shard.")
        .into())
}

/// The switch, tried until it is done in time.
fn exchange(place: &Place<'_>, task: &Task) -> Result<()> {
    again_until_locked(|| {
        // No transaction may come to the new shards with a snapshot in which their rows are not there.
        loop {
            catch_up(task)?;
            let old = transaction(Isolation::ReadCommitted, |_| Ok(snapshots::holders()))?;
            if snapshots::outlive(old)? < SHORT_WAIT {
                break;
            }
        }
        let mut held = switch::Held::default();
        let outcome = transaction(Isolation::ReadCommitted, |session| {
            switch::in_time(task.max_lock_ms, || switch::attempt(task, place.job, place.number, session, &mut held))?;
            place.commit();
            Ok(())
        });
        let ms = held.ms();
        transaction(Isolation::ReadCommitted, |_| records::tried(place.job, place.number, ms))?;
        outcome
    })
}

fn lock_timeout(task: &Task) -> String {
    format!("{}ms", task.max_lock_ms)
}

/// Tries again, with longer and longer pauses, what did not get its lock in time.
fn again_until_locked(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let mut between = FIRST_PAUSE;
    let mut tried = 1;
    loop {
        match attempt() {
            Err(error) if (error.is("55P03") || error.is("40P01")) && tried < MOST_ATTEMPTS => {
                pause(between)?;
                between = (between * 2).min(LONGEST_PAUSE);
                tried += 1;
            }
            other => return other,
        }
    }
}

/// Tries again what a node did not answer to.
fn again_until_reached(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let end = Instant::now() + LONGEST_ABSENCE;
    loop {
        match attempt() {
            Err(error)
                if (error.is_disconnected() || ["57P01", "57P02", "57P03"].iter().any(|state| error.is(state)))
                    && Instant::now() < end =>
            {
                pause(BETWEEN_CALLS)?;
            }
            other => return other,
        }
    }
}

/// After the switch: the old shards are dropped, or kept for a while.
fn finish(place: &Place<'_>, task: &Task) -> Result<()> {
    let drop_all = || {
        transaction(Isolation::ReadCommitted, |session| {
            session.set("lock_timeout", &lock_timeout(task));
            match &task.away {
                Some(away) => elsewhere::drop_link(away)?,
                None => acting_as(task.owner, || build::drop_tools(task))?,
            }
            match (task.keep, &task.away) {
                (0, Some(away)) => elsewhere::drop_old(task, away)?,
                (0, None) => acting_as(task.owner, || build::drop_old(task))?,
                (seconds, _) => records::keep(place.job, place.number, seconds)?,
            }
            records::reach(place.job, place.number, None)?;
            place.commit();
            Ok(())
        })
    };
    again_until_reached(|| again_until_locked(drop_all))
}

/// Takes back what was made before a step.
fn undo(task: &Task, step: Step) -> Result<()> {
    if let Some(away) = &task.away {
        return elsewhere::undo(task, away);
    }
    acting_as(task.owner, || {
        step.undo().try_for_each(|undo| match undo.step {
            Step::Capture => build::undo_capture(task),
            _ => build::undo_create(task),
        })
    })
}

/// Undoes what was made before the step that failed, and ends the job.
fn give_up(job: i64, number: i32, task: &Task, step: Step, error: Error) -> Result<()> {
    let cancelled = error.is("57014");
    let message = error.into_problems().into_iter().next().map_or_else(String::new, |p| {
        let detail = p.detail.map(|d| format!(": {d}")).unwrap_or_default();
        format!("[{}] {}{detail}", p.sqlstate, p.message)
    });
    let begun = Instant::now();
    let state = match (cancelled, step.can_be_undone()) {
        (true, true) => "cancelled",
        _ => "failed",
    };
    // What has taken the place of the old shards stays; they are dropped when the job is resumed.
    if !step.can_be_undone() {
        pgrx::log!("job {job}: {message}");
        return Ok(());
    }
    show(&format!("{} {}: undoing", task.kind.name(), task.table));
    let undone = again_until_locked(|| {
        transaction(Isolation::ReadCommitted, |session| {
            session.set("lock_timeout", &lock_timeout(task));
            undo(task, step)?;
            // An extension that was dropped meanwhile has no ledger any more.
            if crate::pg::catalog::extension_installed("foreshard")? {
                records::reach(job, number, Some(Step::Create))?;
                records::end(job, state, Some(&message))?;
            }
            Ok(())
        })
    });
    pgrx::log!("job {job} was undone in {:.1} s: {message}", begun.elapsed().as_secs_f64());
    undone
}
