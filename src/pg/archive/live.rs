//! A table of this database as what is restored: `table:schema.name`. A foreign table makes it one of another server.
//!
//! It is read with the caller's rights, as pg_dump would read it: all rows or an error. A restore locks it against writers from
//! the beginning, so that its profile, its rows and its sequences are those of one moment, and nothing that is written meanwhile
//! is missing from the copy. The table itself stays as it is.

use super::SequenceState;
use super::data::Data;
use super::facts::facts;
use super::statistics;
use crate::pg::catalog;
use crate::pg::cursor::TextCursor;
use crate::pg::definition::{Definitions, Depth, live_table};
use crate::pg::error::Result;
use crate::pg::ffi::{Pinned, quote_ident, quote_table};
use foreshard_core::backup::profile::statistics::Statistics;
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
    let Some(found) = facts(&name)?.filter(|found| found.problem(&name).is_none()) else { return Ok(()) };
    let Some(only) = found.only() else { return Ok(()) };
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

impl Live {
    /// # Errors
    /// 42P01 where there is no such table, 22023 for what the config says of files, and what [`facts`] finds.
    pub fn find(name: TableName, config: &Config) -> Result<Self> {
        let found = facts(&name)?;
        let absent = || {
            Problem::new("42P01", format!("table \"{name}\" does not exist"))
                .hint("A backup that is written table:schema.name is a table of this database.")
        };
        let problem = found.as_ref().map_or_else(|| Some(absent()), |found| found.problem(&name));
        let problems: Vec<Problem> = of_files(config).into_iter().chain(problem).collect();
        match found.filter(|_| problems.is_empty()) {
            Some(found) => Ok(Self { oid: found.oid, foreign: found.foreign(), name }),
            None => Err(problems.into()),
        }
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

    /// What ANALYZE left of it.
    pub fn statistics(&self) -> Result<Statistics> {
        statistics::of_table(self.oid, &self.name)
    }

    /// Opens the rows of `table`, itself or a neighbour; of neighbours that the caller may not read there are none.
    pub fn data(&self, table: &TableName, sequences: &[TableName]) -> Result<Data> {
        let found = facts(table)?.filter(|found| *table == self.name || found.problem(table).is_none());
        let (columns, cursor) = match found {
            Some(found) => {
                let (columns, only) = (columns(table)?, found.only().unwrap_or_default());
                let list: Vec<String> = columns.iter().map(|c| quote_ident(c)).collect();
                let query = format!("SELECT {} FROM {only}{}", list.join(", "), quote_table(table));
                (columns, Some(TextCursor::open(&query)?))
            }
            None => (Vec::new(), None),
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
    cursor: Option<TextCursor>,
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
