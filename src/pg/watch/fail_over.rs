//! Nodes that do not answer for as long as `foreshard.auto_fail_over` gives them: their copies take over, as `foreshard.fail_over` would have it,
//! where nothing can be lost. What stands in the way is told in the log, once.

use super::nodes::States;
use crate::pg::error::{Error, Result};
use crate::pg::ffi::{self, ActingAs};
use crate::pg::settings;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::time::Duration;

/// Between two attempts: each connects to all nodes that have to do with it, and waits for the one that is silent. Assumed.
const PAUSE: Duration = Duration::from_secs(30);

/// Lets copies take over, as the owner of the shards: the monitor has no user mappings, and no more rights than that are needed.
pub fn act(states: &mut States) -> Result<()> {
    let Some(patience) = settings::auto_fail_over() else { return Ok(()) };
    for (node, owners) in due(patience)? {
        if !states.may_try(&node, PAUSE) {
            continue;
        }
        let outcome = match owners.as_slice() {
            [owner] => ffi::attempt(|p| !p.sqlstate.starts_with("57"), || fail_over(&node, *owner)).map_err(told),
            _ => Err("its shards are of several owners: each has to call foreshard.fail_over".to_owned()),
        };
        let said = match outcome {
            Ok(shards) => format!("{shards} shards have their copies in their place"),
            Err(reason) => format!("not done: {reason}"),
        };
        if states.tried(&node, &said) {
            pgrx::log!("foreshard: fail-over of node \"{node}\": {said}");
        }
    }
    Ok(())
}

/// Nodes that have been silent for so many seconds, and have shards with copies; with the owners of their shards.
fn due(patience: i32) -> Result<Vec<(String, Vec<pg_sys::Oid>)>> {
    Spi::connect(|client| {
        let query = "SELECT n.node, pg_catalog.array_agg(DISTINCT c.relowner) FROM foreshard._node_states n
            JOIN foreshard._shards s ON s.node = n.node JOIN pg_catalog.pg_class c ON c.oid = s.shard
            WHERE NOT n.answers AND n.since <= pg_catalog.now() - pg_catalog.make_interval(secs => $1)
            GROUP BY n.node HAVING pg_catalog.bool_or(EXISTS (SELECT FROM foreshard._replicas r WHERE r.shard = s.shard))";
        let mut found = Vec::new();
        for row in client.select(query, None, &[f64::from(patience).into()])? {
            if let (Some(node), Some(owners)) = (row.get(1)?, row.get(2)?) {
                found.push((node, owners));
            }
        }
        Ok(found)
    })
}

fn fail_over(node: &str, owner: pg_sys::Oid) -> Result<i64> {
    let _acting = ActingAs::restricted(owner);
    let query = "SELECT count(*) FILTER (WHERE ok) FROM foreshard.fail_over($1)";
    let done = Spi::connect_mut(|client| client.update(query, Some(1), &[node.into()])?.first().get_one::<i64>())?;
    Ok(done.unwrap_or_default())
}

fn told(error: Error) -> String {
    let text = |p: &foreshard_core::model::Problem| match &p.detail {
        Some(detail) => format!("{}: {detail}", p.message),
        None => p.message.clone(),
    };
    error.into_problems().iter().map(text).collect::<Vec<_>>().join("; ")
}
