//! foreshard.forecast.

use crate::pg::error::{Error, Result};
use crate::pg::ffi::Session;
use crate::pg::{catalog, history};
use foreshard_core::forecast::ahead;
use foreshard_core::model::{ForecastConfig, Problem};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

type Row = (String, TimestampWithTimeZone, f64, f64, f64, String);

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn forecast(
    relation: Option<&str>,
    config: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(series, String),
        name!(time, TimestampWithTimeZone),
        name!(expected, f64),
        name!(lower, f64),
        name!(upper, f64),
        name!(because, String),
    ),
> {
    let session = Session::begin();
    let document = config.map_or_else(|| serde_json::Value::Object(serde_json::Map::new()), |config| config.0);
    match rows(relation, &document, &session) {
        Ok(rows) => TableIterator::new(rows),
        Err(error) => error.raise(&format!("forecast of {}", relation.unwrap_or("no relation"))),
    }
}

fn rows(relation: Option<&str>, document: &serde_json::Value, session: &Session) -> Result<Vec<Row>> {
    let relation = relation.ok_or_else(|| Problem::new("22004", "relation must not be null"))?;
    let config = ForecastConfig::read(document)?;
    let name = catalog::resolve_name(relation, session.schema.as_deref())?;
    let history = history::all(&name, &(&config).into())?;
    if history.measured.is_empty() {
        let because = history.notes.join("; ");
        return Err(Problem::new("22023", format!("\"{name}\" has no load to forecast"))
            .detail(format!("What was found: {because}."))
            .hint("Copy pg_stat_statements again after some minutes, and regularly from then on.")
            .into());
    }
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for measured in &history.measured {
        pgrx::check_for_interrupts!();
        let ahead = match ahead(measured, config.horizon, config.level) {
            Ok(ahead) => ahead,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let said =
            [ahead.because.clone()].into_iter().chain(ahead.regular.repairs.notes()).chain(history.notes.clone());
        let because = said.collect::<Vec<_>>().join("; ");
        for (place, step) in (1..).zip(&ahead.steps) {
            let time = timestamp(ahead.time_of(place))?;
            // The mean of a skewed load may lie outside of a narrow interval.
            let expected = step.mean.max(step.lower).min(step.upper);
            rows.push((measured.name.clone(), time, expected, step.lower, step.upper, because.clone()));
        }
    }
    if problems.is_empty() { Ok(rows) } else { Err(problems.into()) }
}

/// Seconds from 1970 to 2000, where the server's time begins.
const EPOCH: i64 = 946_684_800;

fn timestamp(unix: i64) -> Result<TimestampWithTimeZone> {
    let micros: Option<pg_sys::TimestampTz> = unix.checked_sub(EPOCH).and_then(|s| s.checked_mul(1_000_000));
    micros.and_then(|m| TimestampWithTimeZone::try_from(m).ok()).ok_or_else(|| {
        Error::from(Problem::new("22008", "the forecast reaches beyond the last time that a timestamp can hold"))
    })
}
