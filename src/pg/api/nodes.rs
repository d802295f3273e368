//! foreshard.add_node, alter_node, remove_node, sweep_nodes.

use crate::pg::error::Result;
use crate::pg::ffi::Session;
use crate::pg::nodes;
use foreshard_core::model::Problem;
use pgrx::prelude::*;

fn run(what: &str, work: impl FnOnce() -> Result<()>) {
    let _session = Session::begin();
    if let Err(error) = work() {
        error.raise(what);
    }
}

fn name_of(name: Option<&str>) -> Result<&str> {
    name.ok_or_else(|| Problem::new("22004", "a node's name must not be null").into())
}

fn applications(serves: Option<Vec<Option<String>>>) -> Result<Option<Vec<String>>> {
    serves
        .map(|names| names.into_iter().collect::<Option<Vec<String>>>())
        .map(|names| names.ok_or_else(|| Problem::new("22004", "what a node serves must not contain nulls").into()))
        .transpose()
}

/// An argument that is null counts as one that was not given.
#[pg_extern(sql = false)]
fn add_node(
    name: Option<&str>,
    tablespace: Option<&str>,
    server: Option<&str>,
    capacity: Option<f64>,
    zone: Option<&str>,
    serves: Option<Vec<Option<String>>>,
    replication: Option<&str>,
) {
    run("adding a node", || {
        let serves = applications(serves)?.unwrap_or_default();
        let given = nodes::Given { capacity, zone, serves: Some(serves), active: None, replication };
        nodes::add(name_of(name)?, tablespace, server, given)
    });
}

#[pg_extern(sql = false)]
fn alter_node(
    name: Option<&str>,
    capacity: Option<f64>,
    zone: Option<&str>,
    serves: Option<Vec<Option<String>>>,
    active: Option<bool>,
    replication: Option<&str>,
) {
    run("altering a node", || {
        let serves = applications(serves)?;
        nodes::alter(name_of(name)?, nodes::Given { capacity, zone, serves, active, replication })
    });
}

#[pg_extern(sql = false)]
fn remove_node(name: &str) {
    run("removing a node", || nodes::remove(name));
}

#[pg_extern(sql = false)]
fn sweep_nodes(
    all: bool,
) -> TableIterator<'static, (name!(node, String), name!(target, String), name!(relation, String), name!(bytes, i64))> {
    let _session = Session::begin();
    match nodes::sweep(all) {
        Ok(swept) => TableIterator::new(swept.into_iter().map(|(node, t)| (node, t.target, t.name, t.bytes))),
        Err(error) => error.raise("sweeping nodes"),
    }
}
