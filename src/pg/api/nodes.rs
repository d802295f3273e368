//! foreshard.add_node, alter_node, remove_node.

use crate::pg::error::Result;
use crate::pg::ffi::Session;
use crate::pg::nodes;
use pgrx::prelude::*;

fn run(what: &str, work: impl FnOnce() -> Result<()>) {
    let _session = Session::begin();
    if let Err(error) = work() {
        error.raise(what);
    }
}

#[pg_extern(sql = false)]
fn add_node(
    name: &str,
    tablespace: Option<&str>,
    server: Option<&str>,
    capacity: f64,
    zone: &str,
    serves: Vec<String>,
) {
    run("adding a node", || nodes::add(name, tablespace, server, capacity, zone, serves));
}

#[pg_extern(sql = false)]
fn alter_node(
    name: &str,
    capacity: Option<f64>,
    zone: Option<&str>,
    serves: Option<Vec<String>>,
    active: Option<bool>,
) {
    run("altering a node", || nodes::alter(name, capacity, zone, serves, active));
}

#[pg_extern(sql = false)]
fn remove_node(name: &str) {
    run("removing a node", || nodes::remove(name));
}
