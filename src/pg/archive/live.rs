//! A table of this database as what is restored: `table:schema.name`. A foreign table makes it one of another server.
//!
//! It is read with the caller's rights, as pg_dump would read it: all rows or an error. A restore locks it against writers from
//! the beginning, so that its profile, its rows and its sequences are those of one moment, and nothing that is written meanwhile
//! is missing from the copy. The table itself stays as it is.

use super::SequenceState;
use super::data::Data;
use crate::pg::catalog;
use crate::pg::cursor::Cursor;
use crate::pg::definition::{Definitions, Depth, live_table};
use crate::pg::error::Result;
use crate::pg::ffi::{Pinned, quote_ident, quote_table};
use foreshard_core::backup::rows::write_row;
use foreshard_core::backup::sizes::{Stored, StoredRows};
use foreshard_core::model::config::CopyOptions;
use foreshard_core::model::{Config, Problem, TableName};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::io::Read;

/// What a backup starts with that is a table.
const PREFIX: &str = "table:";
/// Bytes of text that are aimed at when rows are fetched, and rows at most. As many as postgres_fdw has in memory at a time; wide rows
/// are fetched in smaller numbers.
const BYTES: usize = 256 << 10;
const ROWS: usize = 100;

#[derive(Debug)]
pub(super) struct Live {
    pub name: TableName,
    oid: pg_sys::Oid,
    foreign: bool,
}

/// The table that a backup names; None for a file.
///
/// # Errors
/// 42602 and 3F000 for what is no name.
pub fn table_named(backup: &str, schema: Option<&str>) -> Result<Option<TableName>> {
    backup.strip_prefix(PREFIX).map(|name| catalog::resolve_name(name, schema)).transpose()
}

/// Keeps writers away from the table that a backup names until the end of the transaction. What is wrong with the name is left to
/// [`Live::find`], which tells everything at once.
pub fn lock(backup: &str, schema: Option<&str>) -> Result<()> {
    let Ok(Some(name)) = table_named(backup, schema) else { return Ok(()) };
    let Some(found) = facts(&name)? else { return Ok(()) };
    let Some(only) = found.only().filter(|_| found.usable) else { return Ok(()) };
    let table = quote_table(&name);
    if found.lockable {
        return Ok(Spi::run(&format!("LOCK TABLE {only}{table} IN SHARE MODE"))?);
    }
    pgrx::notice!(
        "writers of {name} are not kept out while it is read: that takes UPDATE, DELETE or TRUNCATE on it; what they write \
         from now on is not in the copy"
    );
    Ok(())
}

/// What the catalog says of a relation.
struct Facts {
    oid: pg_sys::Oid,
    kind: String,
    /// The table that it is a partition of.
    parent: Option<String>,
    temporary: bool,
    usable: bool,
    readable: bool,
    lockable: bool,
    filtered: bool,
    /// Sequences of its columns that the caller may not read.
    closed: Vec<String>,
}

impl Facts {
    /// What stands before the name of a table whose own rows are meant: those of its children are theirs. None for other relations
    /// than local tables.
    fn only(&self) -> Option<&'static str> {
        match self.kind.as_str() {
            "a table" => Some("ONLY "),
            "a partitioned table" => Some(""),
            _ => None,
        }
    }
}

fn facts(name: &TableName) -> Result<Option<Facts>> {
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

impl Live {
    /// # Errors
    /// 42P01, 42809 or 0A000 for what is no table to read, 42501 where the caller may not read all of it, 22023 for what the config
    /// says of files.
    pub fn find(name: TableName, config: &Config) -> Result<Self> {
        let mut problems: Vec<Problem> = of_files(config).into_iter().collect();
        let Some(found) = facts(&name)? else {
            problems.push(
                Problem::new("42P01", format!("table \"{name}\" does not exist"))
                    .hint("A backup that is written table:schema.name is a table of this database."),
            );
            return Err(problems.into());
        };
        let table = quote_table(&name);
        let foreign = found.kind == "a foreign table";
        if matches!(name.schema.as_str(), "pg_catalog" | "information_schema" | "pg_toast") {
            problems.push(
                Problem::new("42809", format!("\"{name}\" belongs to the system"))
                    .hint("Name a table of an application."),
            );
        } else if found.only().is_none() && !foreign {
            problems.push(
                Problem::new("42809", format!("\"{name}\" is not a table"))
                    .detail(format!("It is {}.", found.kind))
                    .hint("Only tables, partitioned and foreign ones included, have rows to distribute."),
            );
        } else if let Some(parent) = &found.parent {
            problems.push(
                Problem::new("42809", format!("\"{name}\" is a partition"))
                    .detail(format!("It is a part of {parent}."))
                    .hint(format!("Name {parent}, which has the rows of all its partitions, or detach it first.")),
            );
        } else if found.temporary {
            problems.push(
                Problem::new("0A000", format!("\"{name}\" is a temporary table"))
                    .detail("What is restored outlives the session, and may not depend on what does not.")
                    .hint("Copy it into a table that stays: CREATE TABLE … AS TABLE …"),
            );
        } else if !found.usable {
            let schema = quote_ident(&name.schema);
            problems.push(
                Problem::new("42501", format!("permission denied for schema {schema}"))
                    .hint(format!("Its owner can GRANT USAGE ON SCHEMA {schema}.")),
            );
        } else if !found.readable {
            problems.push(
                Problem::new("42501", format!("permission denied for table {table}"))
                    .hint(format!("Its owner can GRANT SELECT ON {table}.")),
            );
        } else if found.filtered {
            problems.push(
                Problem::new("42501", format!("row security would hide rows of {table}"))
                    .detail("A restore has all rows or none.")
                    .hint("Do it as the table's owner, or as a role with BYPASSRLS."),
            );
        } else if !found.closed.is_empty() {
            let sequences = found.closed.join(", ");
            problems.push(
                Problem::new("42501", format!("permission denied for the sequences of {table}"))
                    .detail(format!("The copy's sequences go on where these stand: {sequences}."))
                    .hint(format!("Their owner can GRANT SELECT ON SEQUENCE {sequences}.")),
            );
        }
        if problems.is_empty() { Ok(Self { name, oid: found.oid, foreign }) } else { Err(problems.into()) }
    }

    /// What the catalog says of it and of its neighbours, and how large they are.
    pub fn definitions(&self) -> Result<(Definitions, Stored)> {
        // Long queries of the catalog look dear to the planner; compiling them takes longer than they do.
        let _interpreted = Pinned::new(&[("jit", "off")]);
        let (others, stored) = tables()?;
        let others: Vec<pg_sys::Oid> = others.into_iter().filter(|oid| *oid != self.oid).collect();
        let depth = if self.foreign { Depth::Likeness } else { Depth::Whole };
        let mut definitions = live_table(self.oid, depth, &others)?;
        if let Some(definition) = definitions.tables.get_mut(&self.name) {
            definition.foreign = self.foreign;
        }
        Ok((definitions, stored))
    }

    /// Opens the rows of `table`, itself or a neighbour; of neighbours that the caller may not read there are none.
    pub fn data(&self, table: &TableName, sequences: &[TableName]) -> Result<Data> {
        let found = facts(table)?.filter(|f| *table == self.name || (f.usable && f.readable && !f.filtered));
        let columns = match found {
            Some(_) => columns(table)?,
            None => Vec::new(),
        };
        let list: Vec<String> = columns.iter().map(|c| quote_ident(c)).collect();
        let cursor = match &found {
            Some(found) => {
                let only = found.only().unwrap_or_default();
                Some(Cursor::open(&format!("SELECT {} FROM {only}{}", list.join(", "), quote_table(table)))?)
            }
            None => None,
        };
        let states = sequences.iter().map(state).collect::<Result<_>>()?;
        let rows = Rows { cursor, most: 1, text: Vec::new(), read: 0 };
        Ok(Data::live(rows, columns, states))
    }
}

/// The fields of the config that say something of a file.
fn of_files(config: &Config) -> Option<Problem> {
    let given = [
        ("source", config.source.is_some()),
        ("format", config.format.is_some()),
        ("like", config.like.is_some()),
        ("copy", config.copy != CopyOptions::default()),
    ];
    let given: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    (!given.is_empty()).then(|| {
        Problem::new("22023", format!("\"{}\" cannot be said of a live table", given.join("\", \"")))
            .detail("It is for backups in files; a table says itself what it is.")
            .hint("Leave it out.")
    })
}

/// The columns whose values are stored, in the table's order.
fn columns(table: &TableName) -> Result<Vec<String>> {
    let found: Option<Vec<String>> = Spi::get_one_with_args(
        "SELECT ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             ORDER BY a.attnum)",
        &[quote_table(table).into()],
    )?;
    Ok(found.unwrap_or_default())
}

/// Where a sequence stands.
fn state(sequence: &TableName) -> Result<SequenceState> {
    let query = format!(
        "SELECT pg_catalog.concat(last_value, ', ', is_called::pg_catalog.text) FROM {}",
        quote_table(sequence)
    );
    let arguments: Option<String> = Spi::get_one(&query)?;
    Ok(SequenceState { sequence: sequence.clone(), arguments: arguments.unwrap_or_default() })
}

/// The tables of this database, partitions being part of theirs, with the size that their rows have on disk, which is about that of
/// their text, as VACUUM or ANALYZE last counted them.
fn tables() -> Result<(Vec<pg_sys::Oid>, Stored)> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
                    size.bytes, size.rows
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             CROSS JOIN LATERAL (
                 SELECT sum(l.relpages::pg_catalog.int8 + coalesce(toast.relpages, 0))::pg_catalog.int8
                            * pg_catalog.current_setting('block_size')::pg_catalog.int8 AS bytes,
                        CASE WHEN min(l.reltuples) >= 0 THEN sum(l.reltuples::pg_catalog.float8)::pg_catalog.int8 END AS rows
                 FROM (SELECT c.oid WHERE c.relkind = 'r'
                       UNION ALL SELECT p.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree(c.oid) p WHERE c.relkind = 'p' AND p.isleaf) part
                 JOIN pg_catalog.pg_class l ON l.oid = part.oid LEFT JOIN pg_catalog.pg_class toast ON toast.oid = l.reltoastrelid) size
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
               AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'foreshard', 'pg_toast')
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
             ORDER BY 2, 3",
            None,
            &[],
        )?;
        let (mut oids, mut stored) = (Vec::new(), Stored::default());
        for row in rows {
            let (oid, schema, name) = (row.get::<pg_sys::Oid>(1)?, row.get::<String>(2)?, row.get::<String>(3)?);
            let (Some(oid), Some(schema), Some(name)) = (oid, schema, name) else { continue };
            oids.push(oid);
            let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
            if let (Some(bytes), Some(rows)) = (number(row.get(4)?), number(row.get(5)?)) {
                stored.tables.insert(TableName::new(schema, name), StoredRows { bytes, rows: Some(rows) });
            }
        }
        Ok((oids, stored))
    })
}

/// A cursor's rows as COPY text.
struct Rows {
    /// None when there are no more.
    cursor: Option<Cursor>,
    /// Rows to fetch next.
    most: usize,
    text: Vec<u8>,
    read: usize,
}

impl Read for Rows {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.read == self.text.len() {
            let Some(cursor) = &mut self.cursor else { return Ok(0) };
            self.text.clear();
            self.read = 0;
            let text = &mut self.text;
            match cursor.fetch(self.most, |row| write_row(row.iter().copied(), text)) {
                Ok(0) => self.cursor = None,
                Ok(rows) => self.most = (BYTES * rows / text.len().max(1)).clamp(1, ROWS),
                Err(error) => error.raise("reading a table"),
            }
        }
        let rest = self.text.get(self.read..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.read += n;
        Ok(n)
    }
}
