//! A shard of one node in words for another: the tables that it is a part of, root first, and itself, as the first node's own functions tell them.
//!
//! It becomes a part of the same tables there: only a partition's bound keeps out of it what belongs to another shard.

use super::libpq::Connection;
use super::model::{COLUMNS, ELEMENTS, INDEXES, STATISTICS, STORAGE};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_literal, quote_table};
use foreshard_core::model::{Problem, TableName};

/// A shard, or what it is a part of.
#[derive(Debug)]
pub struct Level {
    name: TableName,
    shape: Shape,
    /// ` WITH (…)`, or nothing.
    storage: String,
    /// What it gets once it is there.
    details: Vec<String>,
}

/// What has to be the same on both nodes.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    /// `FOR VALUES …`, of what is a part of something.
    bound: Option<String>,
    /// `HASH (id)`, of what has parts.
    cut: Option<String>,
    elements: Vec<String>,
}

/// # Errors
/// 55000 for a table that is not there or no partition, 0A000 for what logical replication does not follow: an unlogged table, or one
/// without a primary key.
pub fn describe(connection: &mut Connection, shard: &TableName) -> Result<Vec<Level>> {
    let rows = connection
        .query(&format!(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_partition_ancestors(pg_catalog.to_regclass({})) WITH ORDINALITY AS a (relid, place)
             JOIN pg_catalog.pg_class c ON c.oid = a.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY a.place DESC",
            quote_literal(&quote_table(shard))
        ))?
        .rows;
    if rows.len() < 2 {
        return Err(Problem::new(
            "55000",
            format!("node \"{}\" has no shard {}", connection.node(), quote_table(shard)),
        )
        .detail("It is not there, or not a partition of the table that a restore has made.")
        .into());
    }
    let mut levels = Vec::new();
    for row in &rows {
        let [Some(schema), Some(name)] = row.as_slice() else { continue };
        levels.push(level(connection, TableName::new(schema, name))?);
    }
    Ok(levels)
}

/// Makes the shard on another node, and what it is a part of where that is missing, with `mark` on its root. Waits so long for locks.
///
/// # Errors
/// 55000 where what is there is another table, 42P07 where the shard is there, 55P03 for a lock that is not to be had.
pub fn make(connection: &mut Connection, levels: &[Level], mark: &str, lock_ms: u32) -> Result<()> {
    // One text is one transaction there: all is made, or nothing.
    let mut made = vec![format!("SELECT pg_catalog.set_config('lock_timeout', '{lock_ms}ms', true)")];
    let mut above: Option<&Level> = None;
    for (level, last) in levels.iter().zip((0..levels.len()).rev().map(|below| below == 0)) {
        let name = quote_table(&level.name);
        let there = connection.query(&format!("SELECT pg_catalog.to_regclass({})", quote_literal(&name)))?;
        if !last && there.first(0).is_some() {
            if shape(connection, &level.name)? != level.shape {
                return Err(Problem::new(
                    "55000",
                    format!("{name} of node \"{}\" is cut otherwise than the shard's", connection.node()),
                )
                .detail("The shard would become a part of it there, and cannot.")
                .into());
            }
        } else {
            let cut = level.shape.cut.as_ref().map_or_else(String::new, |cut| format!(" PARTITION BY {cut}"));
            match above {
                None => {
                    made.push(format!("CREATE SCHEMA IF NOT EXISTS {}", quote_ident(&level.name.schema)));
                    made.push(format!("CREATE TABLE {name} ({}){cut}", level.shape.elements.join(", ")));
                    made.push(format!("COMMENT ON TABLE {name} IS {}", quote_literal(mark)));
                }
                Some(above) => made.push(format!(
                    "CREATE TABLE {name} PARTITION OF {} {}{cut}{}",
                    quote_table(&above.name),
                    level.shape.bound.as_deref().unwrap_or_default(),
                    level.storage
                )),
            }
            made.extend_from_slice(&level.details);
        }
        above = Some(level);
    }
    connection.query(&made.join("; ")).map(drop)
}

/// What a question of [`super::model`] gives for a table.
fn texts(connection: &mut Connection, question: &str, table: &TableName) -> Result<Vec<String>> {
    let rows = connection.query(&format!("SELECT pg_catalog.unnest(({}))", question.replace("$1", &oid(table))))?.rows;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

fn oid(table: &TableName) -> String {
    format!("{}::pg_catalog.regclass", quote_literal(&quote_table(table)))
}

fn shape(connection: &mut Connection, table: &TableName) -> Result<Shape> {
    let found = connection.query(&format!(
        "SELECT pg_catalog.pg_get_expr(relpartbound, oid), pg_catalog.pg_get_partkeydef(oid) FROM pg_catalog.pg_class WHERE oid = {}",
        oid(table)
    ))?;
    let [bound, cut] = [0, 1].map(|column| found.first(column).map(str::to_owned));
    Ok(Shape { bound, cut, elements: texts(connection, ELEMENTS, table)? })
}

fn level(connection: &mut Connection, table: TableName) -> Result<Level> {
    let shape = shape(connection, &table)?;
    let name = quote_table(&table);
    let (mut details, keyed) = indexes(connection, &table)?;
    // What has parts stores nothing itself.
    let mut storage = String::new();
    if shape.cut.is_none() {
        let mut facts = texts(connection, STORAGE, &table)?.into_iter();
        if facts.next().as_deref() != Some("p") {
            return Err(Problem::new("0A000", format!("{name} cannot be copied to another server"))
                .detail("It is an unlogged table, and copies follow what is logged.")
                .into());
        }
        if !keyed {
            return Err(Problem::new(
                "0A000",
                format!("{name} cannot be copied to another server while it is written to"),
            )
            .detail("It has no primary key, by which a copy finds the rows that are changed.")
            .into());
        }
        storage = facts.next().unwrap_or_default();
        let columns = texts(connection, COLUMNS, &table)?;
        details.extend(columns.iter().map(|detail| format!("ALTER TABLE {name} {detail}")));
        for (number, text) in (1..).zip(texts(connection, STATISTICS, &table)?) {
            let statistics = quote_table(&TableName::new(&table.schema, format!("{}_stat{number}", table.name)));
            details.push(format!("CREATE STATISTICS {statistics} {text} FROM {name}"));
        }
    }
    Ok(Level { name: table, shape, storage, details })
}

/// Its own indexes, not those that it has of what it is a part of; and whether one of both kinds is a primary key's.
fn indexes(connection: &mut Connection, table: &TableName) -> Result<(Vec<String>, bool)> {
    let name = quote_table(table);
    let (mut made, mut keyed) = (Vec::new(), false);
    for row in connection.query(&INDEXES.replace("$1", &oid(table)))?.rows {
        let [Some(text), Some(index), Some(unique), constraint, _, _, Some(inherited)] = row.as_slice() else {
            continue;
        };
        keyed |= constraint.as_ref().is_some_and(|definition| definition.starts_with("PRIMARY KEY"));
        if inherited == "t" {
            continue;
        }
        if let Some(definition) = constraint {
            made.push(format!("ALTER TABLE {name} ADD {definition}"));
            continue;
        }
        let unique = if unique == "t" { "UNIQUE " } else { "" };
        let before = format!("CREATE {unique}INDEX {} ON ", quote_ident(index));
        let rest = text.strip_prefix(&before).map(|rest| rest.strip_prefix("ONLY ").unwrap_or(rest));
        let definition = rest.and_then(|rest| rest.strip_prefix(&name)).ok_or_else(|| {
            Problem::new("XX000", format!("index {index} cannot be described for another server"))
                .detail(format!("It is: {text}."))
        })?;
        made.push(format!("CREATE {unique}INDEX ON {name}{definition}"));
    }
    Ok((made, keyed))
}

/// Drops a shard on a node, and of what it is a part of whatever has no other parts; nothing where it is not there.
pub fn drop_shard(shard: &TableName, lock_ms: u32) -> String {
    format!(
        "DO $$ DECLARE shard pg_catalog.regclass := pg_catalog.to_regclass({}); above pg_catalog.regclass[]; part pg_catalog.regclass; BEGIN
             IF shard IS NULL THEN RETURN; END IF;
             PERFORM pg_catalog.set_config('lock_timeout', '{lock_ms}ms', true);
             SELECT pg_catalog.array_agg(a.relid ORDER BY a.place) INTO above
             FROM pg_catalog.pg_partition_ancestors(shard) WITH ORDINALITY AS a (relid, place) WHERE a.relid <> shard;
             EXECUTE pg_catalog.format('DROP TABLE %s', shard);
             FOREACH part IN ARRAY coalesce(above, '{{}}') LOOP
                 EXIT WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = part);
                 EXECUTE pg_catalog.format('DROP TABLE %s', part);
             END LOOP;
         END $$",
        quote_literal(&quote_table(shard))
    )
}
