//! What a shard on another server looks like: read from the catalog, where the server has built such a shard once.
//!
//! A backup's statements are changed as parse trees, and there is no way back from a tree to a text for another server. So one shard
//! is built here, in a subtransaction that is rolled back, and the server's own functions say in words what it is.

use crate::pg::catalog;
use crate::pg::create::{Blueprint, built_once};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_table};
use foreshard_core::model::{Problem, TableName};
use pgrx::prelude::*;
use std::collections::BTreeMap;

/// Texts of DDL, their names qualified.
#[derive(Debug, Clone)]
pub struct Model {
    /// Columns and checks, as they stand in the parentheses of CREATE TABLE.
    elements: String,
    /// `HASH (id)`: of the table, and of its inner partitions, where there are any.
    cut: Vec<String>,
    unlogged: bool,
    /// ` WITH (…)`, or nothing.
    storage: String,
    /// Primary keys, unique and exclusion constraints, then indexes.
    indexes: Vec<Index>,
    /// `ALTER COLUMN …` for each shard.
    columns: Vec<String>,
    /// `(kinds) ON columns`, of extended statistics.
    statistics: Vec<String>,
}

#[derive(Debug, Clone)]
struct Index {
    /// `PRIMARY KEY (id)`, or ` USING btree (id)` of an index that is no constraint's.
    definition: String,
    constraint: bool,
    unique: bool,
    exclusion: bool,
    columns: Vec<String>,
}

impl Model {
    /// Builds one shard of the blueprint here, as if it were to live here, and undoes it again.
    pub fn of(blueprint: &Blueprint<'_>) -> Result<Self> {
        let here = Blueprint {
            definition: blueprint.definition,
            target: blueprint.target.clone(),
            layout: blueprint.layout,
            tablespaces: BTreeMap::new(),
            servers: BTreeMap::new(),
            wrapper: &[],
            remote: None,
            carried: blueprint.carried.clone(),
        };
        built_once(&here, |shard| read(&blueprint.target, shard))
    }

    pub fn has_primary_key(&self) -> bool {
        self.indexes.iter().any(|i| i.constraint && i.definition.starts_with("PRIMARY KEY"))
    }

    pub fn unlogged(&self) -> bool {
        self.unlogged
    }

    /// CREATE TABLE of the shell, into which the shards are put.
    pub fn shell(&self, shell: &TableName) -> String {
        let cut = self.cut.first().map_or("", String::as_str);
        format!("CREATE TABLE {} ({}) PARTITION BY {cut}", quote_table(shell), self.elements)
    }

    pub fn part(&self, part: &TableName, of: &TableName, bound: &str) -> String {
        let cut = self.cut.get(1).map_or("", String::as_str);
        format!("CREATE TABLE {} PARTITION OF {} {bound} PARTITION BY {cut}", quote_table(part), quote_table(of))
    }

    /// CREATE TABLE of a shard, with what its columns have beyond the shell's.
    pub fn shard(&self, shard: &TableName, of: &TableName, bound: &str) -> Vec<String> {
        let unlogged = if self.unlogged { "UNLOGGED " } else { "" };
        let name = quote_table(shard);
        let create = format!("CREATE {unlogged}TABLE {name} PARTITION OF {} {bound}{}", quote_table(of), self.storage);
        let columns = self.columns.iter().map(|detail| format!("ALTER TABLE {name} {detail}"));
        std::iter::once(create).chain(columns).collect()
    }

    /// Keys and indexes of the loaded shards. One that has all columns of the shard key is the shell's, which brings it to all shards.
    pub fn indexes(&self, key: &[String], shell: &TableName, shards: &[TableName]) -> Vec<String> {
        let mut made = Vec::new();
        for index in &self.indexes {
            let whole = !index.exclusion && (!index.unique || key.iter().all(|k| index.columns.contains(k)));
            let tables: &[TableName] = if whole { std::slice::from_ref(shell) } else { shards };
            made.extend(tables.iter().map(|table| {
                let name = quote_table(table);
                let unique = if index.unique { "UNIQUE " } else { "" };
                match index.constraint {
                    true => format!("ALTER TABLE {name} ADD {}", index.definition),
                    false => format!("CREATE {unique}INDEX ON {name}{}", index.definition),
                }
            }));
        }
        for shard in shards {
            for (number, statistics) in (1..).zip(&self.statistics) {
                let name = quote_table(&TableName::new(&shard.schema, format!("{}_stat{number}", shard.name)));
                made.push(format!("CREATE STATISTICS {name} {statistics} FROM {}", quote_table(shard)));
            }
        }
        made
    }
}

fn read(table: &TableName, shard: &TableName) -> Result<Model> {
    let gone = || Problem::new("XX000", format!("{} is not there after it was created", quote_table(shard)));
    let (Some(table), Some(oid)) = (catalog::relation_oid(table)?, catalog::relation_oid(shard)?) else {
        return Err(gone().into());
    };
    let texts = |query: &str, relation: pg_sys::Oid| -> Result<Vec<String>> {
        Ok(Spi::get_one_with_args::<Vec<String>>(query, &[relation.into()])?.unwrap_or_default())
    };
    let elements = texts(ELEMENTS, table)?.join(", ");
    let cut = texts(CUT, oid)?;
    let facts = texts(STORAGE, oid)?;
    let [persistence, storage] = facts.as_slice() else { return Err(gone().into()) };
    let indexes = Spi::connect(|client| {
        let mut found = Vec::new();
        for row in client.select(INDEXES, None, &[oid.into()])? {
            let name = quote_ident(&row.get::<String>(2)?.unwrap_or_default());
            let (unique, constraint) = (row.get(3)?.unwrap_or(false), row.get::<String>(4)?);
            let text: String = row.get(1)?.unwrap_or_default();
            // What the server writes before the access method: both names are known.
            let before =
                format!("CREATE {}INDEX {name} ON {}", if unique { "UNIQUE " } else { "" }, quote_table(shard));
            let definition = match &constraint {
                Some(definition) => definition.clone(),
                None => text.strip_prefix(&before).map(str::to_owned).ok_or_else(|| {
                    Problem::new("XX000", format!("index {name} cannot be described for another server"))
                        .detail(format!("It is: {text}."))
                })?,
            };
            found.push(Index {
                definition,
                constraint: constraint.is_some(),
                unique,
                exclusion: row.get(5)?.unwrap_or(false),
                columns: row.get(6)?.unwrap_or_default(),
            });
        }
        Ok::<_, crate::pg::error::Error>(found)
    })?;
    Ok(Model {
        elements,
        cut,
        unlogged: persistence == "u",
        storage: storage.clone(),
        indexes,
        columns: texts(COLUMNS, oid)?,
        statistics: texts(STATISTICS, oid)?,
    })
}

/// Columns with what every row must meet, and the table's checks. Defaults are worked out here, before a row goes there.
pub(super) const ELEMENTS: &str = "
    SELECT pg_catalog.array_agg(text ORDER BY rank, number) FROM (
        SELECT 1 AS rank, a.attnum AS number,
               pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
               || CASE WHEN a.attcollation <> t.typcollation
                       THEN ' COLLATE ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(l.collname) ELSE '' END
               || CASE WHEN a.attgenerated = 's' THEN ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') STORED' ELSE '' END
               || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS text
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 2, pg_catalog.row_number() OVER (ORDER BY conname),
               'CONSTRAINT ' || pg_catalog.quote_ident(conname) || ' ' || pg_catalog.pg_get_constraintdef(oid)
        FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND contype = 'c' AND convalidated) AS elements";

/// How the table is cut, and its inner partitions.
const CUT: &str = "
    SELECT pg_catalog.array_agg(pg_catalog.pg_get_partkeydef(relid) ORDER BY place DESC)
    FROM pg_catalog.pg_partition_ancestors($1) WITH ORDINALITY AS a (relid, place) WHERE relid <> $1";

pub(super) const STORAGE: &str = "
    SELECT ARRAY[c.relpersistence::pg_catalog.text,
                 coalesce((SELECT ' WITH (' || pg_catalog.string_agg(pg_catalog.quote_ident(o.option_name) || ' = ' || pg_catalog.quote_literal(o.option_value), ', ' ORDER BY o.option_name) || ')'
                           FROM pg_catalog.pg_options_to_table(c.reloptions) o), '')]
    FROM pg_catalog.pg_class c WHERE c.oid = $1";

/// The columns of an index that are no expressions, the constraint that it serves, and whether it is a part of another table's.
pub(super) const INDEXES: &str = "
    SELECT pg_catalog.pg_get_indexdef(i.indexrelid), x.relname::pg_catalog.text, i.indisunique,
           pg_catalog.pg_get_constraintdef(c.oid), i.indisexclusion,
           ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1])),
           EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    LEFT JOIN pg_catalog.pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = $1 ORDER BY c.contype IS NULL, c.contype, x.relname";

/// `pg_attver` is of the server's own making.
pub(super) const COLUMNS: &str = "
    SELECT pg_catalog.array_agg('ALTER COLUMN ' || pg_catalog.quote_ident(a.attname) || ' ' || d.text ORDER BY a.attnum, d.text)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid, LATERAL (VALUES
        (CASE WHEN a.attstorage <> t.typstorage THEN 'SET STORAGE ' || CASE a.attstorage
              WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
        (CASE a.attcompression WHEN 'p' THEN 'SET COMPRESSION pglz' WHEN 'l' THEN 'SET COMPRESSION lz4' END),
        (CASE WHEN a.attstattarget >= 0 THEN 'SET STATISTICS ' || a.attstattarget END),
        ((SELECT 'SET (' || pg_catalog.string_agg(pg_catalog.quote_ident(o.option_name) || ' = ' || pg_catalog.quote_literal(o.option_value), ', ' ORDER BY o.option_name) || ')'
          FROM pg_catalog.pg_options_to_table(a.attoptions) o WHERE o.option_name <> 'pg_attver'))) AS d (text)
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND d.text IS NOT NULL";

pub(super) const STATISTICS: &str = "
    SELECT pg_catalog.array_agg(coalesce((SELECT '(' || pg_catalog.string_agg(CASE k WHEN 'd' THEN 'ndistinct' WHEN 'f' THEN 'dependencies' ELSE 'mcv' END, ', ') || ')'
               FROM pg_catalog.unnest(s.stxkind) AS k WHERE k <> 'e'), '') || ' ON ' || pg_catalog.pg_get_statisticsobjdef_columns(s.oid) ORDER BY s.stxname)
    FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = $1";
