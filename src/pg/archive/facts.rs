//! What the catalog says of a table that is to be read where it lives, and what speaks against it.

use crate::pg::catalog;
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_table};
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// A relation, and what the caller may do with it.
pub(super) struct Facts {
    pub oid: pg_sys::Oid,
    pub kind: String,
    /// The table that it is a partition of.
    pub parent: Option<String>,
    pub temporary: bool,
    pub usable: bool,
    pub readable: bool,
    pub lockable: bool,
    pub filtered: bool,
    /// Sequences of its columns that the caller may not read.
    pub closed: Vec<String>,
}

impl Facts {
    /// What stands before the name of a table whose own rows are meant: those of its children are theirs. None for other relations
    /// than local tables.
    pub fn only(&self) -> Option<&'static str> {
        match self.kind.as_str() {
            "a table" => Some("ONLY "),
            "a partitioned table" => Some(""),
            _ => None,
        }
    }

    pub fn foreign(&self) -> bool {
        self.kind == "a foreign table"
    }

    /// Why it cannot be what is restored: 42809 or 0A000 for what is no table of its own, 42501 where the caller may not read all of it.
    pub fn problem(&self, name: &TableName) -> Option<Problem> {
        let table = quote_table(name);
        let problem = if matches!(name.schema.as_str(), "pg_catalog" | "information_schema" | "pg_toast") {
            Problem::new("42809", format!("\"{name}\" belongs to the system")).hint("Name a table of an application.")
        } else if self.only().is_none() && !self.foreign() {
            Problem::new("42809", format!("\"{name}\" is not a table"))
                .detail(format!("It is {}.", self.kind))
                .hint("Only tables, partitioned and foreign ones included, have rows to distribute.")
        } else if let Some(parent) = &self.parent {
            Problem::new("42809", format!("\"{name}\" is a partition"))
                .detail(format!("It is a part of {parent}."))
                .hint(format!("Name {parent}, which has the rows of all its partitions, or detach it first."))
        } else if self.temporary {
            Problem::new("0A000", format!("\"{name}\" is a temporary table"))
                .detail("What is restored outlives the session, and may not depend on what does not.")
                .hint("Copy it into a table that stays: CREATE TABLE … AS TABLE …")
        } else if !self.usable {
            let schema = quote_ident(&name.schema);
            Problem::new("42501", format!("permission denied for schema {schema}"))
                .hint(format!("Its owner can GRANT USAGE ON SCHEMA {schema}."))
        } else if !self.readable {
            Problem::new("42501", format!("permission denied for table {table}"))
                .hint(format!("Its owner can GRANT SELECT ON {table}."))
        } else if self.filtered {
            Problem::new("42501", format!("row security would hide rows of {table}"))
                .detail("A restore has all rows or none.")
                .hint("Do it as the table's owner, or as a role with BYPASSRLS.")
        } else if !self.closed.is_empty() {
            let sequences = self.closed.join(", ");
            Problem::new("42501", format!("permission denied for the sequences of {table}"))
                .detail(format!("The copy's sequences go on where these stand: {sequences}."))
                .hint(format!("Their owner can GRANT SELECT ON SEQUENCE {sequences}."))
        } else {
            return None;
        };
        Some(problem)
    }
}

/// None where there is no such relation.
pub(super) fn facts(name: &TableName) -> Result<Option<Facts>> {
    let (Some(kind), Some(oid)) = (catalog::relation_kind(name)?, catalog::relation_oid(name)?) else {
        return Ok(None);
    };
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT (SELECT i.inhparent::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_inherits i
                     WHERE i.inhrelid = c.oid AND c.relispartition),
                    c.relpersistence = 't',
                    pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'),
                    pg_catalog.has_table_privilege(c.oid, 'SELECT') OR NOT EXISTS (
                        SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                            AND a.attgenerated = '' AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')),
                    pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE'),
                    pg_catalog.row_security_active(c.oid),
                    ARRAY(SELECT s.oid::pg_catalog.regclass::pg_catalog.text
                          FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
                          WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
                            AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
                            AND NOT pg_catalog.has_table_privilege(s.oid, 'SELECT') ORDER BY 1)
             FROM pg_catalog.pg_class c WHERE c.oid = $1",
            Some(1),
            &[oid.into()],
        )?;
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let says = |n: usize| Ok::<_, pgrx::spi::Error>(row.get::<bool>(n)?.unwrap_or(false));
        Ok(Some(Facts {
            oid,
            kind,
            parent: row.get(1)?,
            temporary: says(2)?,
            usable: says(3)?,
            readable: says(4)?,
            lockable: says(5)?,
            filtered: says(6)?,
            closed: row.get(7)?.unwrap_or_default(),
        }))
    })
}
