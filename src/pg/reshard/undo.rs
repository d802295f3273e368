//! The way back: what a job has made becomes again what it was made from, by a job of its own. The rows are those of now, so that
//! nothing that was written since is lost, and it does not matter whether the old shards are kept.

use super::request::{self, plan};
use super::subject::{Shard, Subject, judge, of_table};
use super::task::{Kind, Old, Task};
use super::{dissolve, elsewhere, records, several};
use crate::pg::error::Result;
use crate::pg::ffi::quote_table;
use crate::pg::{catalog, nodes, precheck};
use foreshard_core::model::{Bound, Problem, ReshardConfig};
use foreshard_core::steps::Piece;
use pgrx::pg_sys;
use serde_json::Value;

/// Begins the job that undoes another one.
///
/// # Errors
/// 42704 for no such job, 55006 while it runs, 55000 where nothing is left of what it made, and those of the changes that lead back.
pub fn undo(job: i64, document: &Value) -> Result<i64> {
    let config = ReshardConfig::read(document, &["keep", "verify"])?;
    precheck::writable("change the shape of a table")?;
    let done = records::done(job)?;
    let Some(first) = done.first() else {
        return Err(Problem::new("55000", format!("job {job} has changed nothing"))
            .detail("What a job makes before its switch it takes back by itself.")
            .into());
    };
    let target = first.table.to_string();
    let mut subjects: Vec<Subject> = Vec::new();
    for task in &done {
        if !subjects.iter().any(|s| s.relation.to_u32() == task.relation) {
            let relation = pg_sys::Oid::from(task.relation);
            if catalog::name_of(relation)?.is_none() {
                return Err(gone(job, task).into());
            }
            let subject = of_table(relation)?;
            request::free(&subject)?;
            subjects.push(subject);
        }
    }
    let number = records::begin("undo", &target, &format!("undoing job {job}"))?;
    let mut tasks = Vec::new();
    // The last change first.
    for (n, task) in (1..).zip(done.iter().rev()) {
        let Some(subject) = subjects.iter().find(|s| s.relation.to_u32() == task.relation) else { continue };
        tasks.push(back(subject, task, job, &config, (number, n))?);
    }
    several::number_apart(&mut tasks)?;
    records::add(number, &tasks)?;
    Ok(number)
}

/// The task that leads back, with the bytes that it moves.
fn back(subject: &Subject, task: &Task, job: i64, config: &ReshardConfig, at: (i64, i32)) -> Result<(Task, i64)> {
    let gone = || gone(job, task);
    if let Some(away) = &task.away {
        let moved = task.old.first().and_then(|old| subject.shards.iter().find(|s| s.oid == old.relation()));
        let moved = moved.filter(|shard| shard.node == away.to).ok_or_else(gone)?;
        let home = nodes::registered()?.into_iter().find(|n| n.name == away.from);
        let home = home.filter(|n| n.active).ok_or_else(|| no_home(&away.from))?;
        return Ok((elsewhere::plan(subject, moved, &home, config, at)?, moved.bytes));
    }
    let made = |name, place: &Bound| subject.shards.iter().find(|s| s.name == name && s.place() == place).cloned();
    let shards: Option<Vec<Shard>> = task.new.iter().map(|new| made(new.name.clone(), &new.place)).collect();
    let shards = shards.ok_or_else(gone)?;
    // Of a part that was dissolved, the leaves lie within what became of it.
    let part = task.dissolved.as_ref().and_then(|_| task.new.first()).map(|new| new.place.clone());
    let piece = |place: Bound| match &part {
        Some(bound) => Piece { bound: bound.clone(), within: Some(place) },
        None => Piece::from(place),
    };
    let pieces: Option<Vec<Piece>> = task.old.iter().map(|Old { place, .. }| place.clone().map(piece)).collect();
    let pieces = pieces.ok_or_else(|| Problem::new("0A000", format!("job {job} was written by another version")))?;
    let homes = request::homes(
        &ReshardConfig { nodes: Some(task.old.iter().map(|old| old.node.clone()).collect()), ..config.clone() },
        &shards,
        pieces.len(),
    )?;
    let kind = match task.kind {
        Kind::Split | Kind::Isolate => Kind::Merge,
        Kind::Merge if part.is_some() => Kind::Isolate,
        Kind::Merge => Kind::Split,
        Kind::Move => Kind::Move,
    };
    let bytes = shards.iter().map(|s| s.bytes).sum();
    let planned = plan(kind, subject, &shards, &pieces, config, judge(subject, &shards)?, &homes, at)?;
    let whole = task.part.is_some() && dissolve::is_whole_part(subject, &shards)?;
    let planned = if whole { dissolve::dissolving(planned, &shards)? } else { planned };
    Ok((planned, bytes))
}

fn gone(job: i64, task: &Task) -> Problem {
    Problem::new("55000", format!("job {job} cannot be undone any more"))
        .detail(format!("Not all shards that it has made of {} are as it made them.", quote_table(&task.table)))
        .hint("Merge, split or move what there is now.")
}

fn no_home(node: &str) -> Problem {
    Problem::new("55000", format!("node \"{node}\" takes no shards"))
        .detail("It is not registered any more, or is being drained.")
        .hint("SELECT * FROM foreshard.nodes lists them.")
}
