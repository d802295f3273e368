//! The load history: a relation with a time and loads beside it, successive copies of pg_stat_statements, or what the monitor has stored of a table, read into
//! samples with the caller's rights.

mod columns;
mod copies;
mod watched;

use super::error::{Error, Result};
use super::querylog::came_up;
use super::{catalog, ffi};
use columns::{Columns, time_column};
use copies::LogCopies;
use foreshard_core::forecast::outlook;
use foreshard_core::model::history::DEFAULT_HORIZON;
use foreshard_core::model::words::{moment, thousands};
use foreshard_core::model::{Config, LoadHistory, NamedColumns, Outlook, Problem, Schema, TableName};

/// Rows that are read at most, the newest: a year of minutes.
const MAX_ROWS: usize = 525_600;

/// The load history that the config names.
#[derive(Debug)]
pub enum Found {
    Outlook(Outlook),
    /// Which of its statements are about a table is known once the schema is.
    Copies(LogCopies),
}

/// # Errors
/// 42P01 for a relation that does not exist, 42703 and 42804 for columns, 42501 without the right to read it, 22023 for
/// values that are no loads.
pub fn read(config: &Config, schema: Option<&str>) -> Result<Option<Found>> {
    let Some(history) = &config.history else {
        return match config.horizon {
            Some(_) => Err(Problem::new("22023", "\"horizon\" goes with a load history")
                .detail("The config has no \"history\" to forecast from.")
                .hint("Name a relation in \"history\", or leave \"horizon\" out.")
                .into()),
            None => Ok(None),
        };
    };
    let name = catalog::resolve_name(&history.relation, schema)?;
    Ok(Some(match Kind::of(&name, &history.into(), false)? {
        Kind::Columns(columns) => Found::Outlook(look(&columns.fetch()?, config)?),
        Kind::Copies(copies) => Found::Copies(copies),
    }))
}

impl Found {
    /// Of a table that has so many rows, as far as that is known.
    pub fn outlook(&self, schema: &Schema, table: &TableName, rows: Option<u64>, config: &Config) -> Result<Outlook> {
        match self {
            Self::Outlook(outlook) => Ok(outlook.clone()),
            Self::Copies(copies) => look(&copies.of_table(schema, table, rows, config)?, config),
        }
    }
}

fn look(history: &LoadHistory, config: &Config) -> Result<Outlook> {
    Ok(outlook(history, config.horizon.unwrap_or(DEFAULT_HORIZON), ffi::interrupts())?)
}

/// All that a relation holds, whatever it is about; for a forecast by itself.
pub fn all(name: &TableName, named: &NamedColumns) -> Result<LoadHistory> {
    match Kind::of(name, named, true)? {
        Kind::Columns(columns) => columns.fetch(),
        Kind::Copies(copies) => copies.of_all(),
    }
}

#[derive(Debug)]
enum Kind {
    Columns(Columns),
    Copies(LogCopies),
}

impl Kind {
    /// `any` takes all numbers for loads where no column has the name of one.
    fn of(name: &TableName, named: &NamedColumns, any: bool) -> Result<Self> {
        let Some(columns) = catalog::column_types(name)? else {
            return Err(Problem::new("42P01", format!("load history \"{name}\" does not exist"))
                .hint("Name a relation with a time and the load at that time, or copies of pg_stat_statements with the time of each.")
                .into());
        };
        let unnamed = named.time.is_none() && named.metrics.is_empty();
        if let Some(columns) = if unnamed { watched::columns(name, any)? } else { None } {
            return Ok(Self::Columns(columns));
        }
        let has = |column: &str| columns.iter().any(|(c, _)| c == column);
        let counts = ["query", "calls"].into_iter().all(has) && (has("total_exec_time") || has("total_time"));
        if counts && named.metrics.is_empty() {
            let time = time_column(name, &columns, named.time.as_deref())?;
            return Ok(Self::Copies(LogCopies::of(name, time)?));
        }
        Ok(Self::Columns(Columns::of(name, &columns, named, any)?))
    }
}

/// Unix time; a time without a zone is one of UTC.
fn unix(column: &str) -> String {
    format!("pg_catalog.floor(extract(epoch FROM l.{}))::pg_catalog.int8", ffi::quote_ident(column))
}

fn finite(column: &str) -> String {
    format!("pg_catalog.isfinite(l.{})", ffi::quote_ident(column))
}

/// What is told of rows that were not read.
fn cut(oldest: Option<i64>) -> String {
    let from = oldest.map_or_else(String::new, |time| format!(", from {} on", moment(time)));
    format!("only the newest {} rows were read{from}", thousands(MAX_ROWS as u64))
}

fn unreadable(error: Error, name: &TableName) -> Error {
    came_up(error, &format!("the load history \"{name}\""), "Name a relation with a time and numbers.")
}
