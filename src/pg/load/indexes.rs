//! The indexes of a new table: which of them are made of plain words, and how their pages get to their files.
#![allow(unsafe_code)]

use super::LoadColumn;
use super::writer;
use crate::pg::compat;
use crate::pg::error::Result;
use foreshard_core::btree::{Key, Keys};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// An index of one table.
#[derive(Debug, Clone)]
pub struct LeafIndex {
    pub oid: pg_sys::Oid,
    pub unique: bool,
    /// What it is made of; None for one that the server has to build.
    pub keys: Option<Keys>,
}

/// The indexes of a table that `columns` are the columns of.
pub fn of_table(table: pg_sys::Oid, columns: &[LoadColumn]) -> Result<Vec<LeafIndex>> {
    Spi::connect(|client| {
        let mut found = Vec::new();
        for row in client.select(INDEXES, None, &[table.into()])? {
            let Some(oid) = row.get::<pg_sys::Oid>(1)? else { continue };
            let names: Option<Vec<String>> = row.get(3)?;
            let key = |name: &String| {
                let at = columns.iter().position(|c| c.name == *name)?;
                Key::new(at, columns.get(at)?.kind.as_ref()?)
            };
            let keys: Option<Vec<Key>> = names.and_then(|names| names.iter().map(key).collect());
            let unique = row.get(2)?.unwrap_or(true);
            found.push(LeafIndex { oid, unique, keys: keys.and_then(|keys| Keys::new(&keys)) });
        }
        Ok(found)
    })
}

/// Each index (before version 15 NULLs were always distinct, and no column says so); the names of its columns only where it is a plain ascending b-tree over them, with the usual operators and settings.
const INDEXES: &str = "
    SELECT i.indexrelid, i.indisunique,
           CASE WHEN a.amname = 'btree' AND i.indnatts = i.indnkeyatts AND i.indpred IS NULL AND i.indexprs IS NULL AND c.reloptions IS NULL
                     AND NOT i.indisexclusion AND i.indimmediate AND c.relpersistence = 'p'
                     AND NOT coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::pg_catalog.bool, false) THEN (
               SELECT pg_catalog.array_agg(t.attname::pg_catalog.text ORDER BY k.n)
               FROM pg_catalog.generate_series(0, i.indnatts - 1) AS k (n)
               LEFT JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[k.n] AND o.opcdefault AND o.opcnamespace = 'pg_catalog'::pg_catalog.regnamespace
               LEFT JOIN pg_catalog.pg_attribute t ON t.attrelid = i.indrelid AND t.attnum = i.indkey[k.n] AND t.atttypid = o.opcintype
               HAVING pg_catalog.bool_and(t.attname IS NOT NULL AND i.indoption[k.n] = 0)) END
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am a ON a.oid = c.relam
    WHERE i.indrelid = $1 ORDER BY i.indexrelid";

/// Gives an index a new file with these pages, as REINDEX does.
pub fn write(index: pg_sys::Oid, mut pages: Vec<Box<[u8]>>) {
    // SAFETY: an index of a table that this transaction made, opened and closed here; its lock stays.
    unsafe {
        let relation = pg_sys::index_open(index, pg_sys::AccessExclusiveLock as i32);
        compat::new_file(relation);
        let mut pages: Vec<&mut [u8]> = pages.iter_mut().map(Box::as_mut).collect();
        writer::append(relation, &mut pages, writer::logged(relation));
        pg_sys::index_close(relation, pg_sys::NoLock as i32);
    }
}

/// Waits until indexes are on the disk.
pub fn sync(indexes: &[pg_sys::Oid]) {
    for index in indexes {
        pgrx::check_for_interrupts!();
        // SAFETY: as above.
        unsafe {
            let relation = pg_sys::index_open(*index, pg_sys::AccessExclusiveLock as i32);
            if writer::logged(relation) {
                writer::sync(relation);
            }
            pg_sys::index_close(relation, pg_sys::NoLock as i32);
        }
    }
}

/// The server builds an index anew, and has the right error where its rows cannot be in one.
pub fn rebuild(index: pg_sys::Oid) -> Result<()> {
    let named = "SELECT pg_catalog.format('REINDEX INDEX %I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1";
    if let Some(statement) = Spi::get_one_with_args::<String>(named, &[index.into()])? {
        Spi::run(&statement)?;
    }
    Ok(())
}
