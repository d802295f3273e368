//! The functions that SQL calls: arguments in, rows out, problems raised. No logic.
//!
//! Their SQL definitions, comments and privileges are in sql/: what a user sees is written once, by hand.

mod calibrate;
mod forecast;
mod jobs;
mod nodes;
mod replay;
mod replicas;
mod report;
mod reshard;
mod restore;
mod sample;
mod verify;
mod watch;

use crate::pg::error::{Error, Result};
use foreshard_core::model::Problem;
use pgrx::JsonB;

fn json(value: &impl serde::Serialize) -> Result<JsonB> {
    serde_json::to_value(value)
        .map(JsonB)
        .map_err(|e| Error::from(Problem::new("XX000", format!("a document cannot be written: {e}"))))
}
