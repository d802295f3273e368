//! The statements of a script in the database's encoding, and names in the script's.

use crate::pg::ffi;
use foreshard_core::model::TableName;
use std::borrow::Cow;

/// The encoding that has to be converted, of the one that a script says it is in: not the database's own, and none that there
/// is not, which is told where the rows are read. Nobody knows what the bytes of SQL_ASCII mean.
fn foreign(encoding: Option<&str>) -> Option<i32> {
    let name = encoding.filter(|name| !name.eq_ignore_ascii_case("SQL_ASCII"))?;
    ffi::encoding_number(name).filter(|number| *number != ffi::database_encoding())
}

/// A statement in the database's encoding.
pub(super) fn decoded<'a>(statement: &'a [u8], encoding: Option<&str>) -> Cow<'a, str> {
    match foreign(encoding).filter(|_| !statement.is_ascii()) {
        Some(number) => String::from_utf8_lossy(&ffi::to_server(statement, number)).into_owned().into(),
        None => String::from_utf8_lossy(statement),
    }
}

/// The options by which pg_restore leaves out what belongs to none of the tables. It compares names as bytes of the archive: of
/// those that other bytes may stand for, it passes on all.
pub(super) fn selection<'a>(
    tables: impl Iterator<Item = &'a TableName> + Clone,
    encoding: Option<&str>,
) -> Vec<String> {
    let same = foreign(encoding).is_none();
    let mut options = Vec::new();
    if tables.clone().all(|table| same || table.schema.is_ascii()) {
        options.extend(tables.clone().map(|table| format!("--schema={}", table.schema)));
    }
    if tables.clone().all(|table| same || table.name.is_ascii()) {
        options.extend(tables.map(|table| format!("--table={}", table.name)));
    }
    options
}
