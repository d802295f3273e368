//! foreshard._replica_states, fail_over, rejoin.

use crate::pg::error::Error;
use crate::pg::ffi::Session;
use crate::pg::precheck;
use crate::pg::replica::fail_over;
use crate::pg::replica::rejoin;
use crate::pg::replica::states::states;
use foreshard_core::model::Problem;
use foreshard_core::model::fail_over::FailOverConfig;
use pgrx::JsonB;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn replica_states(
    remember: bool,
) -> TableIterator<
    'static,
    (
        name!(shard, pg_sys::Oid),
        name!(primary_node, String),
        name!(node, String),
        name!(state, String),
        name!(synchronous, bool),
        name!(lag_bytes, Option<i64>),
        name!(lag_seconds, Option<f64>),
        name!(seen_at, Option<TimestampWithTimeZone>),
        name!(seen_lag_bytes, Option<i64>),
        name!(link, Option<String>),
    ),
> {
    let _session = Session::begin();
    match states(remember) {
        Ok(found) => TableIterator::new(found.into_iter().map(|s| {
            let r = s.replica;
            let link = Some(r.link).filter(|l| !l.is_empty());
            let state = s.state.to_owned();
            let seen = (r.seen_at, r.seen_lag_bytes);
            (r.shard, r.primary, r.node, state, r.waited_for, s.lag_bytes, s.lag_seconds, seen.0, seen.1, link)
        })),
        Err(error) => error.raise("asking for copies"),
    }
}

#[pg_extern(sql = false, name = "fail_over")]
#[allow(clippy::type_complexity)]
fn fail_over_node(
    node: Option<&str>,
    config: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(shard, pg_sys::Oid),
        name!(from_node, String),
        name!(to_node, Option<String>),
        name!(possible_loss, Option<String>),
        name!(ok, bool),
        name!(because, String),
    ),
> {
    let _session = Session::begin();
    let document = config.map_or_else(|| serde_json::json!({}), |config| config.0);
    let what = format!("fail-over of node {}", node.unwrap_or_default());
    let node = node.ok_or_else(|| Error::from(Problem::new("22004", "a node's name must not be null")));
    let outcome = node.and_then(|node| {
        let config = FailOverConfig::read(&document)?;
        precheck::writable("fail over")?;
        Ok((node, fail_over::fail_over(node, config)?))
    });
    match outcome {
        Ok((node, switched)) => {
            let node = node.to_owned();
            TableIterator::new(
                switched.into_iter().map(move |s| (s.shard, node.clone(), s.to, s.possible_loss, s.ok, s.because)),
            )
        }
        Err(error) => error.raise(&what),
    }
}

#[pg_extern(sql = false, name = "rejoin")]
#[allow(clippy::type_complexity)]
fn rejoin_node(
    node: &str,
) -> TableIterator<
    'static,
    (name!(shard, pg_sys::Oid), name!(primary_node, String), name!(ok, bool), name!(because, String)),
> {
    let _session = Session::begin();
    match precheck::writable("let a node rejoin").and_then(|()| rejoin::rejoin(node)) {
        Ok(rows) => TableIterator::new(rows.into_iter().map(|r| (r.shard, r.primary, r.ok, r.because))),
        Err(error) => error.raise(&format!("rejoin of node {node}")),
    }
}
