//! foreshard.calibrate.

use crate::pg::calibrate::calibrate as run;
use crate::pg::error::Error;
use crate::pg::ffi::Session;
use foreshard_core::model::{CalibrationConfig, Problem};
use pgrx::JsonB;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn calibrate(
    node: Option<&str>,
    config: Option<JsonB>,
) -> TableIterator<'static, (name!(measure, String), name!(value, Option<f64>), name!(unit, String), name!(note, String))>
{
    let session = Session::begin();
    let document = config.map_or_else(|| serde_json::Value::Object(serde_json::Map::new()), |config| config.0);
    let name = node.ok_or_else(|| Error::from(Problem::new("22004", "a node's name must not be null")));
    match name.and_then(|name| run(name, &CalibrationConfig::read(&document)?, &session)) {
        Ok(measures) => {
            TableIterator::new(measures.into_iter().map(|m| (m.name.to_owned(), m.value, m.unit.to_owned(), m.note)))
        }
        Err(error) => error.raise(&format!("calibration of node {}", node.unwrap_or_default())),
    }
}
