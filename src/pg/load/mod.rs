//! Rows: reading them for a profile, copying them into the table, and comparing what came out with what went in.

mod away;
pub mod canonical;
mod copy;
mod fill;
mod indexes;
mod pages;
mod pairs;
mod profile;
mod reading;
mod sections;
mod send;
mod shape;
mod verify;
mod writer;

pub use away::read_away;
pub use pages::{ReadBack, read_back};
pub use pairs::same_values;
pub use profile::{Wanted, orders, profile};
pub use reading::Reading;
pub use sections::{Destination, Loaded, Reached, load};
pub use shape::{Routing, Target};
pub use verify::{ShardContent, content};
pub use writer::{blocks, cut};

use super::error::Result;
use super::{catalog, ffi};
use foreshard_core::heap::Kind;
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// A column of the target as its values travel.
#[derive(Debug, Clone)]
pub struct LoadColumn {
    pub name: String,
    /// The base type, where the column's is a domain.
    pub type_oid: pg_sys::Oid,
    pub typmod: i32,
    pub domain: bool,
    /// How its values are stored, for the types that are understood without the server.
    pub kind: Option<Kind>,
}

/// The columns that hold loaded values: all but the generated ones, in the table's order.
pub fn load_columns(table: &TableName) -> Result<Vec<LoadColumn>> {
    let Some(oid) = catalog::relation_oid(table)? else {
        return Err(Problem::new("42P01", format!("table \"{table}\" does not exist")).into());
    };
    Spi::connect(|client| {
        let rows = client.select(
            "WITH RECURSIVE base AS (
                 SELECT a.attnum, a.attname, a.atttypid AS type, a.atttypmod AS typmod, false AS domain
                 FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                 UNION ALL
                 SELECT b.attnum, b.attname, t.typbasetype, t.typtypmod, true
                 FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
             SELECT b.attname::pg_catalog.text, b.type, b.typmod, b.domain,
                    CASE WHEN t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace THEN pg_catalog.format_type(b.type, b.typmod) END,
                    (SELECT pg_catalog.array_agg(e.enumlabel::pg_catalog.text ORDER BY e.oid) FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.type),
                    (SELECT pg_catalog.array_agg(e.oid ORDER BY e.oid) FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.type)
             FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE t.typtype <> 'd' ORDER BY b.attnum",
            None,
            &[oid.into()],
        )?;
        let mut columns = Vec::new();
        for row in rows {
            if let (Some(name), Some(type_oid)) = (row.get(1)?, row.get(2)?) {
                let (labels, numbers) = (row.get::<Vec<String>>(6)?, row.get::<Vec<pg_sys::Oid>>(7)?);
                let kind = match labels.zip(numbers) {
                    Some((labels, numbers)) => {
                        let numbers = numbers.into_iter().map(|oid| oid.to_u32());
                        Some(Kind::Enum(labels.into_iter().map(String::into_bytes).zip(numbers).collect()))
                    }
                    None => row.get::<String>(5)?.and_then(|name| Kind::of_type(&name)),
                };
                let (typmod, domain) = (row.get(3)?.unwrap_or(-1), row.get(4)?.unwrap_or(false));
                columns.push(LoadColumn { name, type_oid, typmod, domain, kind });
            }
        }
        Ok(columns)
    })
}

/// The number of PostgreSQL's encoding of that name; the database's own for None.
///
/// # Errors
/// 22023 for a name that is no encoding.
pub fn encoding(name: Option<&str>) -> Result<i32> {
    let Some(name) = name else { return Ok(ffi::database_encoding()) };
    ffi::encoding_number(name).ok_or_else(|| {
        Problem::new("22023", format!("encoding \"{name}\" does not exist"))
            .hint("Use a name such as UTF8, LATIN1 or WIN1252.")
            .into()
    })
}
