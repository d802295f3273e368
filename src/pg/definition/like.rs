//! The definition of a live table as the statements that a backup would hold: for backups that have rows only (CSV, COPY
//! text), and for tables that are themselves what is restored. The catalog's own deparsing functions write them;
//! [`super::Reader`] reads them like any script.

use super::{Definitions, Reader};
use crate::pg::error::Result;
use crate::pg::{catalog, compat};
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// Columns with defaults, identity, generation and collation; constraints; indexes; statistics objects; triggers; comments.
/// All else that pg_dump would say where that is asked for.
const STATEMENTS: &str = include_str!("../../../sql/queries/table.sql");

/// How much of a table is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What another table needs to be like it.
    Likeness = 1,
    /// As much as pg_dump would say.
    Whole = 2,
}

/// # Errors
/// 42P01 when there is no such table, 42809 when it is a relation of another kind.
pub fn like_table(name: &TableName) -> Result<Definitions> {
    live_table(catalog::require_table(name)?, Depth::Likeness, &[])
}

/// A table, with the columns, keys and references of `others`.
pub fn live_table(table: pg_sys::Oid, depth: Depth, others: &[pg_sys::Oid]) -> Result<Definitions> {
    let mut reader = Reader::new();
    let statements: Vec<String> = Spi::connect(|client| {
        let mut statements = Vec::new();
        let arguments = [table.into(), (depth as i32).into(), others.to_vec().into()];
        for row in client.select(STATEMENTS, None, &arguments)? {
            statements.extend(row.get::<String>(1)?);
        }
        if depth == Depth::Whole {
            for row in client.select(compat::PUBLICATIONS_OF_TABLE, None, &[table.into()])? {
                statements.extend(row.get::<String>(1)?);
            }
        }
        Ok::<_, pgrx::spi::Error>(statements)
    })?;
    for statement in &statements {
        reader.statement(statement);
    }
    let definitions = reader.finish();
    match definitions.unreadable.first() {
        None => Ok(definitions),
        Some((statement, why)) => Err(Problem::new("XX000", "a table's definition cannot be read")
            .detail(format!("The server says: {why}. The statement starts: {statement}"))
            .into()),
    }
}
