//! May the rows of a section be made into pages without the server, and what do the pages look like?
#![allow(unsafe_code)]

use super::LoadColumn;
use super::reading::places;
use crate::pg::archive::Section;
use crate::pg::error::Result;
use crate::pg::{catalog, settings};
use foreshard_core::backup::rows::RowFormat;
use foreshard_core::heap::{Column, Filler, PAGE, Shape};
use foreshard_core::model::config::BackupFormat;
use foreshard_core::model::{Layout, TableName};
use foreshard_core::route::Router;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// Storage of a column, as it must be for its kind.
struct Attribute {
    name: String,
    length: i16,
    alignment: i8,
    storage: i8,
    not_null: bool,
}

/// A table whose rows can be made into pages: all that a filler has to know.
#[derive(Debug)]
pub struct Target {
    shape: Shape,
    routing: Option<Routing>,
    /// The shards, by their ordinals, that live here, and their relations: those that pages are made for.
    pub leaves: Vec<(u32, pg_sys::Oid)>,
    /// Where the rows of the others are sent, by ordinal.
    places: Vec<Option<u32>>,
}

/// How to tell the shard of a row without the server.
#[derive(Debug, Clone)]
pub struct Routing {
    pub router: Router,
    /// Which of the table's columns it asks for.
    pub key: Vec<usize>,
}

impl Routing {
    /// `relation`: the table or one of its shards. None where only the server can tell.
    pub fn of(relation: &TableName, layout: &Layout, columns: &[LoadColumn]) -> Result<Option<Self>> {
        let key: Option<Vec<usize>> =
            layout.columns().map(|c| columns.iter().position(|column| column.name == *c)).collect();
        let types = Spi::get_one_with_args::<Vec<Option<String>>>(
            KEY_TYPES,
            &[
                catalog::relation_oid(relation)?.into(),
                layout.columns().map(ToString::to_string).collect::<Vec<_>>().into(),
            ],
        )?;
        let types: Option<Vec<String>> = types.unwrap_or_default().into_iter().collect();
        let router = types.and_then(|types| Router::new(layout, &types));
        Ok(key.zip(router).map(|(key, router)| Self { router, key }))
    }
}

impl Target {
    /// `shards`: the relations by ordinal; `places`: where the rows of those are sent that do not live here;
    /// `owned`: the relations are no new ones, but this transaction's alone. None where COPY has to
    /// load the table: something about it needs the server for every row, a type is not understood, or what reads the WAL must find
    /// rows in it.
    pub fn of(
        table: &TableName,
        layout: &Layout,
        shards: &[TableName],
        columns: &[LoadColumn],
        places: &[Option<u32>],
        owned: bool,
    ) -> Result<Option<Self>> {
        if settings::load_threads() == 0 || !catalog::database_is_utf8() || cfg!(target_endian = "big") {
            return Ok(None);
        }
        let Some(shape) = shape(table, columns)? else { return Ok(None) };
        let is_here =
            |ordinal: &u32| usize::try_from(*ordinal).ok().and_then(|n| places.get(n).copied()).flatten().is_none();
        let mut leaves = Vec::new();
        for (ordinal, shard) in (0..).zip(shards).filter(|(ordinal, _)| is_here(ordinal)) {
            let Some(oid) = catalog::relation_oid(shard)?.filter(|oid| owned || made_here(*oid)) else {
                return Ok(None);
            };
            leaves.push((ordinal, oid));
        }
        let mut free = 0;
        if !leaves.is_empty() {
            let oids: Vec<pg_sys::Oid> = leaves.iter().map(|(_, oid)| *oid).collect();
            let (unusual, full) = Spi::get_two_with_args::<bool, i32>(UNUSUAL, &[oids.into()])?;
            if unusual != Some(false) || !server_is_usual() {
                return Ok(None);
            }
            free = 100 - usize::try_from(full.unwrap_or(100)).unwrap_or(100).min(100);
        }
        let shape = Shape { spare: PAGE * free / 100, ..shape };
        let places = places.to_vec();
        if !layout.method.shards() {
            return Ok(Some(Self { shape, routing: None, leaves, places }));
        }
        let routing = Routing::of(table, layout, columns)?;
        Ok(routing.map(|routing| Self { shape, routing: Some(routing), leaves, places }))
    }

    /// None for a section that only COPY reads.
    pub fn filler(&self, section: &Section, columns: &[LoadColumn]) -> Option<Filler> {
        let fields = places(section, columns)?;
        let encoding = super::encoding(section.copy.encoding.as_deref()).ok()?;
        let all = section.columns.as_ref().is_some_and(|names| names.len() == columns.len());
        let usual = all && !section.csv && !section.copy.header && encoding == crate::pg::ffi::database_encoding();
        let format = RowFormat::of(BackupFormat::Text, &section.copy).ok().filter(|_| usual)?;
        let (router, key) = self.routing.clone().map(|r| (r.router, r.key)).unzip();
        let filler = Filler::new(self.shape.clone(), router, key.unwrap_or_default(), fields, format);
        Some(filler.sending(&self.places))
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// Some shard is no permanent heap, differs from the others, or has something that every row must meet. Indexes are filled later.
const UNUSUAL: &str = "
    SELECT pg_catalog.count(*) <> pg_catalog.cardinality($1) OR pg_catalog.count(DISTINCT columns) > 1
           OR pg_catalog.bool_or(c.relkind <> 'r' OR c.relpersistence <> 'p' OR a.amname <> 'heap' OR c.relhasrules
              OR EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
              OR EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.conrelid = c.oid AND o.contype NOT IN ('n', 'p', 'u', 'x'))),
           pg_catalog.min((SELECT option_value FROM pg_catalog.pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor')::pg_catalog.int4)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid = c.relam, LATERAL (
        SELECT pg_catalog.array_agg(ROW(attname, atttypid, atttypmod, attstorage, attnotnull)::text ORDER BY attnum) || c.reloptions AS columns
        FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS d
    WHERE c.oid = ANY ($1)";

/// The key's types, NULL for one whose text does not say to which shard it belongs.
const KEY_TYPES: &str = "
    SELECT pg_catalog.array_agg(CASE WHEN coalesce(l.collisdeterministic, true) AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
                                     THEN pg_catalog.format_type(a.atttypid, a.atttypmod) END ORDER BY k.n)
    FROM pg_catalog.unnest($2) WITH ORDINALITY AS k (name, n)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attname = k.name JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation";

/// Pages, words and alignment as the core assumes them; and nobody decodes rows from the WAL, where whole pages have none.
fn server_is_usual() -> bool {
    let pages = pg_sys::BLCKSZ as usize == PAGE && pg_sys::MAXIMUM_ALIGNOF == 8;
    // SAFETY: reads a setting.
    let decoded = unsafe { pg_sys::wal_level } >= pg_sys::WalLevel::WAL_LEVEL_LOGICAL as i32;
    pages && !decoded
}

/// Made by this very transaction and no subtransaction that it may survive: nobody else has seen it, and it goes with its rows.
fn made_here(relation: pg_sys::Oid) -> bool {
    // SAFETY: opened and closed again; the lock of its creation is still held.
    unsafe {
        let open = pg_sys::relation_open(relation, pg_sys::NoLock as i32);
        let made = (*open).rd_createSubid;
        pg_sys::relation_close(open, pg_sys::NoLock as i32);
        made == pg_sys::GetCurrentSubTransactionId()
    }
}

/// None where a column is generated, of a domain, or of a type that is not understood.
fn shape(table: &TableName, columns: &[LoadColumn]) -> Result<Option<Shape>> {
    let Some(oid) = catalog::relation_oid(table)? else { return Ok(None) };
    let attributes = attributes(oid)?;
    if attributes.len() != columns.len() {
        return Ok(None);
    }
    let column = |(attribute, column): (&Attribute, &LoadColumn)| {
        let kind = column.kind.clone().filter(|_| !column.domain && attribute.name == column.name)?;
        let length = kind.length().map_or(Some(-1), |n| i16::try_from(n).ok())?;
        let alignment = match attribute.alignment as u8 {
            b'c' => 1,
            b's' => 2,
            b'i' => 4,
            _ => 8,
        };
        let alike = attribute.length == length && alignment == kind.alignment();
        let packable = attribute.storage as u8 != b'p';
        alike.then_some(Column { kind, not_null: attribute.not_null, packable })
    };
    let columns: Option<Vec<Column>> = attributes.iter().zip(columns).map(column).collect();
    // SAFETY: the transaction's own number; it has one, since it made or renamed a table.
    let xid = unsafe { pg_sys::GetCurrentTransactionId() };
    Ok(columns.map(|columns| Shape { columns, spare: 0, xid: xid.into_inner() }))
}

fn attributes(table: pg_sys::Oid) -> Result<Vec<Attribute>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT attname::pg_catalog.text, attlen, attalign, attstorage, attnotnull
             FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 ORDER BY attnum",
            None,
            &[table.into()],
        )?;
        let mut found = Vec::new();
        for row in rows {
            found.push(Attribute {
                name: row.get(1)?.unwrap_or_default(),
                length: row.get(2)?.unwrap_or_default(),
                alignment: row.get(3)?.unwrap_or_default(),
                storage: row.get(4)?.unwrap_or_default(),
                not_null: row.get(5)?.unwrap_or_default(),
            });
        }
        Ok(found)
    })
}
