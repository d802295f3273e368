//! The definition of a live table as the statements that a backup would hold, for backups that have rows only
//! (CSV, COPY text). The catalog's own deparsing functions write them; [`super::Reader`] reads them like any script.

use super::{Definitions, Reader};
use crate::pg::catalog;
use crate::pg::error::Result;
use foreshard_core::model::TableName;
use pgrx::prelude::*;

/// Columns with defaults, identity, generation and collation; constraints; indexes; statistics objects; triggers; comments.
const STATEMENTS: &str = include_str!("../../../sql/queries/like_table.sql");

/// # Errors
/// 42P01 when there is no such table, 42809 when it is a relation of another kind.
pub fn like_table(name: &TableName) -> Result<Definitions> {
    let oid = catalog::require_table(name)?;
    let mut reader = Reader::new();
    let statements: Vec<String> = Spi::connect(|client| {
        client
            .select(STATEMENTS, None, &[oid.into()])?
            .map(|row| row.get::<String>(1))
            .filter_map(|text| text.transpose())
            .collect::<std::result::Result<_, pgrx::spi::Error>>()
    })?;
    for statement in &statements {
        reader.statement(statement);
    }
    Ok(reader.finish())
}
