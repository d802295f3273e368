//! Predicates watched at run time: pg_qualstats, or any relation of its shape.
//!
//! The extension names tables and columns by OID, which mean something in their own database only; a copy from another one
//! brings the names along, in the columns of `pg_qualstats_names()`.

use super::error::{Error, Result};
use super::{catalog, ffi};
use foreshard_core::model::quals::{Qual, WatchedColumn};
use foreshard_core::model::statement::TableRef;
use foreshard_core::model::{Config, Problem, TableName};
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

/// Where the predicates came from, in words, and the predicates.
#[derive(Debug, Default)]
pub struct Watched {
    pub basis: Option<String>,
    pub quals: Vec<Qual>,
}

/// # Errors
/// 42P01 for a relation that does not exist, 42703 for one without the columns, 42501 without the right to read it, 22023
/// for one that speaks of another database by OID.
pub fn read(config: &Config, schema: Option<&str>) -> Result<Watched> {
    match config.qualstats.as_deref() {
        Some("off") => Ok(Watched::default()),
        Some(name) => relation(&catalog::resolve_name(name, schema)?),
        None => match catalog::extension_relation("pg_qualstats")? {
            // Nobody asked for it: what cannot be read (the library is not preloaded) is told, and missed.
            Some(name) => relation(&name).or_else(|error| {
                for problem in error.into_problems() {
                    pgrx::notice!("pg_qualstats is not used: {}", problem.message);
                }
                Ok(Watched::default())
            }),
            None => Ok(Watched::default()),
        },
    }
}

const HINT: &str = "Name a relation with the columns of pg_qualstats, or \"off\".";

fn relation(name: &TableName) -> Result<Watched> {
    let Some(columns) = catalog::column_names(name)? else {
        return Err(Problem::new("42P01", format!("relation \"{name}\" of watched predicates does not exist"))
            .hint(HINT)
            .into());
    };
    let has = |name: &&str| columns.iter().any(|c| c == name);
    let named = ["lrelname", "lattname", "opname", "rrelname", "rattname"];
    let numbered = ["lrelid", "lattnum", "opno", "rrelid", "rattnum", "dbid"];
    let by_name = named.iter().all(has);
    let needed = ["constvalue", "occurences", "execution_count", "nbfiltered", "eval_type", "queryid"];
    let missing: Vec<&str> =
        needed.iter().chain(if by_name { &[] } else { &numbered[..] }).filter(|c| !has(c)).copied().collect();
    if !missing.is_empty() {
        return Err(Problem::new("42703", format!("\"{name}\" is no relation of watched predicates"))
            .detail(format!("It has no column {}.", missing.join(", ")))
            .hint(HINT)
            .into());
    }
    let from = ffi::quote_table(name);
    let query = if by_name { BY_NAME } else { BY_NUMBER }.replace("{relation}", &from);
    let quals = ffi::subtransaction(true, || fetch(&query, by_name)).map_err(|e| unreadable(e, name))?;
    if quals.is_empty() && !by_name && ffi::subtransaction(true, || any(&from))? {
        return Err(Problem::new("22023", format!("\"{name}\" speaks of another database"))
            .detail("Its tables and columns are given by OID, and none of them is of this database.")
            .hint("Copy it with names: in the old database, with the columns lrelname, lattname, opname, rrelname and rattname beside the others, as the reference shows.")
            .into());
    }
    let basis = format!("{} watched predicates of {name}", quals.len());
    Ok(Watched { basis: (!quals.is_empty()).then_some(basis), quals })
}

/// What both queries give behind the names.
macro_rules! figures {
    () => {
        "q.constvalue::pg_catalog.text, q.occurences::pg_catalog.float8, q.execution_count::pg_catalog.float8,
            q.nbfiltered::pg_catalog.float8, q.eval_type::pg_catalog.text, q.queryid::pg_catalog.int8 FROM {relation} q"
    };
}

/// Partitions are filed under the table that the statements name.
const BY_NUMBER: &str = concat!(
    "SELECT ln.nspname::pg_catalog.text, lc.relname::pg_catalog.text, la.attname::pg_catalog.text, o.oprname::pg_catalog.text,
            rn.nspname::pg_catalog.text, rc.relname::pg_catalog.text, ra.attname::pg_catalog.text, ",
    figures!(),
    " JOIN pg_catalog.pg_attribute la ON la.attrelid = q.lrelid AND la.attnum = q.lattnum
      JOIN pg_catalog.pg_class lc ON lc.oid = coalesce(pg_catalog.pg_partition_root(q.lrelid), q.lrelid)
      JOIN pg_catalog.pg_namespace ln ON ln.oid = lc.relnamespace
      JOIN pg_catalog.pg_operator o ON o.oid = q.opno
      LEFT JOIN pg_catalog.pg_attribute ra ON ra.attrelid = q.rrelid AND ra.attnum = q.rattnum
      LEFT JOIN pg_catalog.pg_class rc ON rc.oid = coalesce(pg_catalog.pg_partition_root(q.rrelid), q.rrelid)
      LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
      WHERE q.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
);

/// A name may have its schema before it.
const BY_NAME: &str = concat!(
    "SELECT NULL::pg_catalog.text, q.lrelname::pg_catalog.text, q.lattname::pg_catalog.text, q.opname::pg_catalog.text,
            NULL::pg_catalog.text, q.rrelname::pg_catalog.text, q.rattname::pg_catalog.text, ",
    figures!(),
    " WHERE q.lrelname IS NOT NULL AND q.lattname IS NOT NULL"
);

fn any(from: &str) -> Result<bool> {
    Ok(Spi::get_one(&format!("SELECT EXISTS (SELECT FROM {from})"))?.unwrap_or(false))
}

fn fetch(query: &str, by_name: bool) -> Result<Vec<Qual>> {
    Spi::connect(|client| {
        let mut quals = Vec::new();
        for row in client.select(query, None, &[])? {
            if let Some(qual) = qual(&row, by_name)? {
                quals.push(qual);
            }
        }
        Ok(quals)
    })
}

fn qual(row: &SpiHeapTupleData<'_>, by_name: bool) -> Result<Option<Qual>> {
    let Some(left) = column(row, 1, by_name)? else { return Ok(None) };
    Ok(Some(Qual {
        left,
        operator: row.get(4)?.unwrap_or_default(),
        right: column(row, 5, by_name)?,
        constant: row.get(8)?,
        executions: row.get(9)?.unwrap_or_default(),
        tested: row.get(10)?.unwrap_or_default(),
        failed: row.get(11)?.unwrap_or_default(),
        by_index: row.get::<String>(12)?.as_deref() == Some("i"),
        statement: row.get(13)?.unwrap_or_default(),
    }))
}

/// Schema, table and column, from three columns of the row.
fn column(row: &SpiHeapTupleData<'_>, first: usize, by_name: bool) -> Result<Option<WatchedColumn>> {
    let schema: Option<String> = row.get(first)?;
    let (Some(table), Some(column)) = (row.get::<String>(first + 1)?, row.get::<String>(first + 2)?) else {
        return Ok(None);
    };
    let of = |schema: Option<String>, name: String| TableRef { schema, name, alias: None };
    let table = match table.split_once('.').filter(|_| by_name) {
        Some((schema, name)) => of(Some(unquoted(schema)), unquoted(name)),
        None if by_name => of(None, unquoted(&table)),
        None => of(schema, table),
    };
    Ok(Some((table, column)))
}

/// regclass quotes a name that needs it.
fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// The server's own error says what is wrong, but not with which relation.
fn unreadable(error: Error, name: &TableName) -> Error {
    super::querylog::came_up(error, &format!("the watched predicates of \"{name}\""), HINT)
}
