//! restore_table, foreshard.plan_restore, foreshard.explain, foreshard.plan_sql.

use super::json;
use crate::pg::error::Result;
use crate::pg::ffi::Session;
use crate::pg::ledger;
use crate::pg::precheck;
use crate::pg::prepare::prepare;
use crate::pg::request::Request;
use crate::pg::restore::restore;
use crate::pg::script::{self, Dialect};
use foreshard_core::model::plan::Note;
use foreshard_core::plan;
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

/// The arguments as SQL gives them.
type Arguments<'a> = (Option<&'a str>, Option<&'a str>, Option<JsonB>);

/// Runs the road for a target, raising what went wrong under its name. `what` is done to it.
fn on<T>(what: &str, arguments: Arguments<'_>, work: impl FnOnce(&Request, &Session) -> Result<T>) -> T {
    let session = Session::begin();
    let (target, backup, config) = arguments;
    let document = config.map_or_else(|| serde_json::Value::Object(serde_json::Map::new()), |config| config.0);
    let outcome = precheck::writable(what)
        .and_then(|()| precheck::given(target, backup))
        .and_then(|(target, backup)| Request::read(target, backup, document, &session))
        .and_then(|request| work(&request, &session));
    match outcome {
        Ok(value) => value,
        Err(error) => error.raise(&format!("restore of {}", target.unwrap_or("no table"))),
    }
}

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn plan_restore(
    target: Option<&str>,
    backup: Option<&str>,
    config: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(rank, i32),
        name!(chosen, bool),
        name!(method, String),
        name!(shard_key, Vec<String>),
        name!(shard_count, i32),
        name!(cost, f64),
        name!(because, String),
        name!(rejected, Option<String>),
        name!(evidence, JsonB),
        name!(plan_id, i64),
        name!(within, Option<JsonB>),
    ),
> {
    let rows: Vec<_> = on("plan a restore", (target, backup, config), |request, session| {
        let prepared = prepare(request, session)?;
        let (plan, id) = (prepared.plan, prepared.plan_id);
        let chosen = plan.chosen;
        plan.candidates
            .into_iter()
            .enumerate()
            .map(|(i, candidate)| {
                Ok((
                    i32::try_from(i + 1).unwrap_or(i32::MAX),
                    i == chosen,
                    candidate.method.name().to_owned(),
                    candidate.key.to_vec(),
                    i32::try_from(candidate.shard_count).unwrap_or(i32::MAX),
                    candidate.cost,
                    candidate.because,
                    candidate.rejected,
                    json(&candidate.evidence)?,
                    id,
                    candidate.within.as_ref().map(json).transpose()?,
                ))
            })
            .collect::<Result<_>>()
    });
    TableIterator::new(rows)
}

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn restore_table(
    target: Option<&str>,
    backup: Option<&str>,
    config: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(job_id, i64),
        name!(plan_id, i64),
        name!(relation, Option<pg_sys::Oid>),
        name!(method, String),
        name!(shard_key, Vec<String>),
        name!(shard_count, i32),
        name!(rows, i64),
        name!(seconds, f64),
        name!(notes, JsonB),
        name!(within, Option<JsonB>),
    ),
> {
    let row = on("restore", (target, backup, config), |request, session| {
        let done = restore(request, session)?;
        let published = match &done.failure {
            None => Some(crate::pg::catalog::require_table(&request.target)?),
            Some(_) => None,
        };
        let notes: Vec<&Note> = done.failure.iter().chain(&done.plan.notes).collect();
        let layout = &done.plan.layout;
        Ok((
            done.job_id,
            done.plan_id,
            published,
            layout.method.name().to_owned(),
            layout.key.to_vec(),
            i32::try_from(layout.shards.len().max(1)).unwrap_or(i32::MAX),
            i64::try_from(done.rows).unwrap_or(i64::MAX),
            done.seconds,
            json(&notes)?,
            layout.within.as_ref().map(json).transpose()?,
        ))
    });
    TableIterator::once(row)
}

#[pg_extern(sql = false)]
fn explain(plan_id: i64) -> String {
    let _session = Session::begin();
    match ledger::plan(plan_id) {
        Ok((stored, _)) => plan::explain(&stored),
        Err(error) => error.raise("explaining a plan"),
    }
}

#[pg_extern(sql = false)]
fn plan_sql(plan_id: i64, target: &str) -> String {
    let _session = Session::begin();
    match Dialect::named(target).and_then(|dialect| script::of_plan(plan_id, dialect)) {
        Ok(text) => text,
        Err(error) => error.raise("plan_sql"),
    }
}
