//! foreshard.heatmap: pictures of a sharded table.

use crate::pg::ffi::Session;
use crate::pg::report;
use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn heatmap(relation: pg_sys::Oid) -> String {
    let _session = Session::begin();
    match report::heat_map(relation) {
        Ok(map) => map.text(),
        Err(error) => error.raise("drawing a heat map"),
    }
}
