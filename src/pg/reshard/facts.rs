//! What the catalog says of a shard that is to be replaced: its definition, what of it cannot be carried over, and what identifies its rows.

use super::task::KeyColumn;
use crate::pg::error::Result;
use foreshard_core::model::Problem;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// A digest of all that the new shards are made from. Where it is another one at the switch, somebody has changed the table meanwhile.
pub fn definition(leaf: pg_sys::Oid) -> Result<String> {
    Ok(Spi::get_one_with_args(DEFINITION, &[leaf.into()])?.unwrap_or_default())
}

/// Columns, constraints, indexes, triggers, grants and settings of the leaf and of what it is a partition of. Those of a job are left out.
const DEFINITION: &str = "
    WITH t AS (SELECT relid AS oid FROM pg_catalog.pg_partition_ancestors($1))
    SELECT pg_catalog.md5(pg_catalog.string_agg(text, E'\\n' ORDER BY text)) FROM (
        SELECT concat_ws('|', 'table', c.oid, c.relname, c.relnamespace, c.relowner, c.relacl, c.reloptions, c.relpersistence, c.relreplident, c.relam,
                         c.relrowsecurity, c.relforcerowsecurity, pg_catalog.pg_get_expr(c.relpartbound, c.oid), pg_catalog.pg_get_partkeydef(c.oid))
        FROM t JOIN pg_catalog.pg_class c USING (oid)
        UNION ALL
        SELECT concat_ws('|', 'column', a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attgenerated, a.attisdropped,
                         a.attstorage, a.attcompression, a.attacl, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
        FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        UNION ALL
        SELECT concat_ws('|', 'constraint', k.conrelid, k.conname, k.convalidated, pg_catalog.pg_get_constraintdef(k.oid))
        FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid
        UNION ALL
        SELECT concat_ws('|', 'index', i.indrelid, i.indisvalid, i.indisreplident, pg_catalog.pg_get_indexdef(i.indexrelid))
        FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
        UNION ALL
        SELECT concat_ws('|', 'trigger', g.tgrelid, g.tgname, g.tgenabled, pg_catalog.pg_get_triggerdef(g.oid))
        FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgname NOT LIKE 'foreshard\\_capture\\_%') AS x (text)";

/// What belongs to the leaf alone and would be lost, in words.
pub fn not_carried(leaf: pg_sys::Oid) -> Result<Vec<String>> {
    Ok(Spi::get_one_with_args(NOT_CARRIED, &[leaf.into()])?.unwrap_or_default())
}

const NOT_CARRIED: &str = "
    SELECT pg_catalog.array_agg(what ORDER BY what) FROM (
        SELECT 'trigger ' || tgname FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal AND tgparentid = 0
        UNION ALL SELECT 'rule ' || rulename FROM pg_catalog.pg_rewrite WHERE ev_class = $1
        UNION ALL SELECT 'policy ' || polname FROM pg_catalog.pg_policy WHERE polrelid = $1
        UNION ALL SELECT 'row security' FROM pg_catalog.pg_class WHERE oid = $1 AND (relrowsecurity OR relforcerowsecurity)
        UNION ALL SELECT 'grants on column ' || attname FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attacl IS NOT NULL AND NOT attisdropped
        UNION ALL SELECT 'constraint ' || conname || ', which is NOT VALID' FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND NOT convalidated
        UNION ALL SELECT 'a security label' FROM pg_catalog.pg_seclabel WHERE objoid = $1
        UNION ALL SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = $1
    ) AS x (what)";

/// Foreign keys of other tables that refer to the table, `shop.items_order_fkey`.
pub fn inbound(leaf: pg_sys::Oid) -> Result<Vec<String>> {
    Ok(Spi::get_one_with_args(
        "SELECT pg_catalog.array_agg(DISTINCT n.nspname || '.' || c.relname || ' (' || k.conname || ')')
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE k.contype = 'f' AND k.conparentid = 0
           AND k.confrelid IN (SELECT relid FROM pg_catalog.pg_partition_ancestors($1))",
        &[leaf.into()],
    )?
    .unwrap_or_default())
}

/// Publications whose subscribers would be sent the copied rows, or changes of a table that they do not have.
pub fn publications(leaf: pg_sys::Oid) -> Result<Vec<String>> {
    Ok(Spi::get_one_with_args(PUBLICATIONS, &[leaf.into()])?.unwrap_or_default())
}

#[cfg(feature = "pg14")]
const PUBLICATIONS: &str = "
    SELECT pg_catalog.array_agg(DISTINCT p.pubname::pg_catalog.text) FROM pg_catalog.pg_publication p
    WHERE p.puballtables OR NOT p.pubviaroot AND EXISTS (
        SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_partition_ancestors($1) a ON a.relid = r.prrelid WHERE r.prpubid = p.oid)";
#[cfg(not(feature = "pg14"))]
const PUBLICATIONS: &str = "
    SELECT pg_catalog.array_agg(DISTINCT p.pubname::pg_catalog.text) FROM pg_catalog.pg_publication p
    WHERE p.puballtables
       OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace s JOIN pg_catalog.pg_class c ON c.relnamespace = s.pnnspid
                  JOIN pg_catalog.pg_partition_ancestors($1) a ON a.relid = c.oid WHERE s.pnpubid = p.oid)
       OR NOT p.pubviaroot AND EXISTS (
            SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_partition_ancestors($1) a ON a.relid = r.prrelid WHERE r.prpubid = p.oid)";

/// The columns of the primary key, or of another index that identifies rows.
///
/// # Errors
/// 0A000 where there is none.
pub fn key(leaf: pg_sys::Oid) -> Result<Vec<KeyColumn>> {
    let found = Spi::connect(|client| {
        let rows = client.select(KEY, None, &[leaf.into()])?;
        rows.map(|row| Ok((row.get::<String>(1)?, row.get::<String>(2)?)))
            .collect::<std::result::Result<Vec<_>, pgrx::spi::Error>>()
    })?;
    let key: Vec<KeyColumn> =
        found.into_iter().filter_map(|(name, operator)| Some(KeyColumn { name: name?, operator: operator? })).collect();
    if !key.is_empty() {
        return Ok(key);
    }
    Err(Problem::new("0A000", "a table without a key cannot change its shape while it is written to")
        .detail("Changes are logged by the key of their rows.")
        .hint("Add a primary key, or a unique index on columns that are NOT NULL.")
        .into())
}

/// Of the primary key before others, of the one with the fewest columns, with the operator of the index' own equality.
const KEY: &str = "
    WITH chosen AS (
        SELECT i.indexrelid, i.indrelid, i.indkey, i.indclass, i.indnkeyatts FROM pg_catalog.pg_index i
        WHERE i.indrelid = $1 AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND NOT a.attnotnull
                          AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]))
        ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1)
    SELECT a.attname::pg_catalog.text, format('OPERATOR(%I.%s)', n.nspname, o.oprname)
    FROM chosen CROSS JOIN LATERAL generate_series(0, chosen.indnkeyatts - 1) AS place
    JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum = chosen.indkey[place]
    JOIN pg_catalog.pg_opclass c ON c.oid = chosen.indclass[place]
    JOIN pg_catalog.pg_amop m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3 AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
    JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
    ORDER BY place";

/// What an index is, as it is made on another table.
#[derive(Debug)]
pub struct Index {
    pub oid: pg_sys::Oid,
    pub name: String,
    /// From ` USING` on.
    pub definition: String,
    pub unique: bool,
    /// `PRIMARY KEY`, `UNIQUE`; with what makes it deferrable.
    pub constraint: Option<(String, String)>,
    /// Of an exclusion constraint: the whole of it.
    pub exclusion: Option<String>,
    pub replica_identity: bool,
    pub clustered: bool,
}

/// Those of a leaf, by name.
pub fn indexes(leaf: pg_sys::Oid) -> Result<Vec<Index>> {
    Spi::connect(|client| {
        let mut found = Vec::new();
        for row in client.select(INDEXES, None, &[leaf.into()])? {
            let kind: Option<String> = row.get(5)?;
            let constraint = match kind.as_deref() {
                Some("p") => Some("PRIMARY KEY".to_owned()),
                Some("u") => Some("UNIQUE".to_owned()),
                _ => None,
            };
            let suffix: String = row.get(6)?.unwrap_or_default();
            found.push(Index {
                oid: row.get(1)?.unwrap_or(pg_sys::InvalidOid),
                name: row.get(2)?.unwrap_or_default(),
                definition: row.get(3)?.unwrap_or_default(),
                unique: row.get(4)?.unwrap_or(false),
                constraint: constraint.map(|kind| (kind, suffix)),
                exclusion: row.get(7)?,
                replica_identity: row.get(8)?.unwrap_or(false),
                clustered: row.get(9)?.unwrap_or(false),
            });
        }
        Ok(found)
    })
}

const INDEXES: &str = "
    SELECT i.indexrelid, x.relname::pg_catalog.text,
           substr(d.text, length(format('CREATE %sINDEX %I ON %I.%I', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, n.nspname, t.relname)) + 1),
           i.indisunique, c.contype::pg_catalog.text,
           CASE WHEN c.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN c.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END,
           CASE WHEN c.contype = 'x' THEN pg_catalog.pg_get_constraintdef(c.oid) END, i.indisreplident, i.indisclustered
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
    CROSS JOIN LATERAL pg_catalog.pg_get_indexdef(i.indexrelid) AS d (text)
    LEFT JOIN pg_catalog.pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = $1 ORDER BY x.relname";

/// Foreign keys of the leaf, as they are written.
pub fn outbound(leaf: pg_sys::Oid) -> Result<Vec<(String, String)>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT conname::pg_catalog.text, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
             WHERE conrelid = $1 AND contype = 'f' ORDER BY conname",
            None,
            &[leaf.into()],
        )?;
        let all = rows
            .map(|row| Ok((row.get::<String>(1)?.unwrap_or_default(), row.get::<String>(2)?.unwrap_or_default())))
            .collect::<std::result::Result<_, pgrx::spi::Error>>()?;
        Ok(all)
    })
}

/// The columns that are written, all but the generated ones.
pub fn columns(leaf: pg_sys::Oid) -> Result<Vec<String>> {
    Ok(Spi::get_one_with_args(
        "SELECT pg_catalog.array_agg(attname::pg_catalog.text ORDER BY attnum) FROM pg_catalog.pg_attribute
         WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        &[leaf.into()],
    )?
    .unwrap_or_default())
}
