//! foreshard.replay.

use super::json;
use crate::pg::error::{Error, Result};
use crate::pg::ffi::Session;
use crate::pg::replay::{Outcome, replay as run};
use foreshard_core::model::plan::Class;
use foreshard_core::model::{Problem, ReplayConfig};
use pgrx::JsonB;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn replay(
    plan_id: Option<i64>,
    config: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(rank, i32),
        name!(method, String),
        name!(shard_key, Vec<String>),
        name!(shard_count, i32),
        name!(statement, i64),
        name!(query, String),
        name!(calls_share, f64),
        name!(predicted, Option<String>),
        name!(predicted_shards, Option<f64>),
        name!(shards, Option<f64>),
        name!(latency_ms, Option<f64>),
        name!(runs, i32),
        name!(not_replayed, Option<String>),
        name!(within, Option<JsonB>),
    ),
> {
    let session = Session::begin();
    let document = config.map_or_else(|| serde_json::Value::Object(serde_json::Map::new()), |config| config.0);
    let id = plan_id.ok_or_else(|| Error::from(Problem::new("22004", "the plan's number must not be null")));
    let outcomes = id.and_then(|id| run(id, &ReplayConfig::read(&document)?, &session));
    let rows = outcomes.and_then(|all| all.into_iter().map(row).collect::<Result<Vec<Row>>>());
    match rows {
        Ok(rows) => TableIterator::new(rows),
        Err(error) => error.raise(&format!("replay of plan {}", plan_id.unwrap_or_default())),
    }
}

type Row = (
    i32,
    String,
    Vec<String>,
    i32,
    i64,
    String,
    f64,
    Option<String>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    i32,
    Option<String>,
    Option<JsonB>,
);

fn row(outcome: Outcome) -> Result<Row> {
    let class = |class: Class| match class {
        Class::Single => "single",
        Class::Multi => "multi",
        Class::Scatter => "scatter",
    };
    let measured = outcome.measured.as_ref().ok();
    let within = outcome.within.as_ref().map(json).transpose()?;
    Ok((
        i32::try_from(outcome.rank).unwrap_or(i32::MAX),
        outcome.method.name().to_owned(),
        outcome.key.to_vec(),
        i32::try_from(outcome.shard_count).unwrap_or(i32::MAX),
        outcome.statement,
        outcome.text,
        outcome.share,
        outcome.predicted.map(|p| class(p.0).to_owned()),
        outcome.predicted.and_then(|p| p.1),
        measured.and_then(|m| m.shards),
        measured.map(|m| m.ms),
        measured.map_or(0, |m| i32::try_from(m.runs).unwrap_or(i32::MAX)),
        outcome.measured.err(),
        within,
    ))
}
