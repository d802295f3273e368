//! What the catalog says that matters to statistics: how a column's values sort, how many rows to sample, who has to analyze.

use super::collation::Locale;
use crate::pg::error::Result;
use crate::pg::ffi::{self, cstring};
use crate::pg::load::LoadColumn;
use foreshard_core::heap::Kind;
use foreshard_core::statistics::{Column, Order, rows_for};
use pgrx::{Spi, pg_sys};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A column as its statistics are stored.
#[derive(Debug)]
pub struct Attribute {
    pub name: String,
    pub number: i16,
    pub type_oid: pg_sys::Oid,
    pub collation: pg_sys::Oid,
    pub kind: Option<Kind>,
}

/// The table, or a partition.
#[derive(Debug)]
pub struct Table {
    pub oid: pg_sys::Oid,
    /// It has no rows of its own.
    pub inherits: bool,
    /// The tables above it.
    pub within: Vec<usize>,
    /// For each column its statistics target.
    pub targets: Vec<usize>,
    /// And the number of different values that the user has set, if any.
    pub distinct: Vec<Option<f64>>,
}

impl Table {
    /// Rows to sample.
    pub fn sampled(&self) -> usize {
        rows_for(self.targets.iter().copied())
    }
}

/// The columns, and how the statistics of each are worked out: None for one that is left to the server.
pub fn understood(table: pg_sys::Oid, columns: &[LoadColumn]) -> Result<(Vec<Attribute>, Vec<Option<Column>>)> {
    let (mut attributes, mut how) = (Vec::new(), Vec::new());
    Spi::connect(|client| {
        for (row, column) in client.select(COLUMNS, None, &[table.into()])?.zip(columns) {
            let kind = column.kind.clone();
            let collation = match row.get::<String>(4)? {
                // The type has a way of its own.
                Some(_) if row.get(5)? != Some(true) => None,
                found => found,
            };
            how.push(kind.as_ref().zip(collation).and_then(|(kind, collation)| {
                let order = order(kind, &collation, row.get(6).ok()?)?;
                Some(Column { order, length: kind.length() })
            }));
            attributes.push(Attribute {
                name: column.name.clone(),
                number: row.get(1)?.unwrap_or_default(),
                type_oid: row.get(2)?.unwrap_or(pg_sys::InvalidOid),
                collation: row.get(3)?.unwrap_or(pg_sys::InvalidOid),
                kind,
            });
        }
        Ok((attributes, how))
    })
}

/// None: not known here. `collation`: empty for that of the bytes.
fn order(kind: &Kind, collation: &str, labels: Option<Vec<String>>) -> Option<Option<Order>> {
    let text = |trimmed| {
        let collation = match collation {
            "" => None,
            name => {
                let locale: Arc<dyn foreshard_core::statistics::Collate> = Arc::new(Locale::new(&cstring(name))?);
                Some(locale)
            }
        };
        Some(Order::Text { trimmed, collation })
    };
    match kind {
        // No operator compares these.
        Kind::Json => Some(None),
        Kind::Text { .. } => text(false).map(Some),
        Kind::Bpchar { .. } => text(true).map(Some),
        Kind::Name if collation.is_empty() => Some(Some(Order::Bytes)),
        Kind::Name => None,
        Kind::Enum(_) => {
            let ranks: BTreeMap<Vec<u8>, u64> = labels?.into_iter().map(String::into_bytes).zip(0..).collect();
            Some(Some(Order::Labels(ranks)))
        }
        other => Order::of(other).map(Some),
    }
}

/// Each column, with the C library's name of its collation. It is empty where texts sort as their bytes do: without a collation, by C and POSIX, by the
/// server's own (version 17), and by C.UTF-8, in which code points sort (glibc 2.35; what went before was the same by another name). It is NULL where only the server
/// knows: ICU, and collations by which texts of other bytes may be equal.
const COLUMNS: &str = "
    SELECT a.attnum, a.atttypid, a.attcollation,
           CASE WHEN l.oid IS NULL THEN '' WHEN NOT l.collisdeterministic THEN NULL
                ELSE CASE v.provider WHEN 'b' THEN '' WHEN 'c' THEN CASE WHEN v.name ~* '^(C|POSIX|C\\.UTF-?8)$' THEN '' ELSE v.name END END END,
           t.typanalyze = 0,
           CASE WHEN t.typtype = 'e' THEN (SELECT pg_catalog.array_agg(e.enumlabel::pg_catalog.text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) END
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation,
    LATERAL (SELECT CASE WHEN l.collprovider = 'd' THEN coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') ELSE l.collprovider::pg_catalog.text END AS provider,
                    CASE WHEN l.collprovider = 'd' THEN d.datcollate ELSE l.collcollate END::pg_catalog.text AS name) AS v
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// The table and all partitions below it, in the order of ANALYZE.
pub fn tables(target: pg_sys::Oid) -> Result<Vec<Table>> {
    let mut found: Vec<Table> = Vec::new();
    Spi::connect(|client| {
        for row in client.select(TABLES, None, &[target.into()])? {
            let above: Option<pg_sys::Oid> = row.get(2)?;
            let above = above.and_then(|oid| found.iter().position(|table| table.oid == oid));
            let upper = above.and_then(|n| found.get(n)).map(|table| table.within.clone()).unwrap_or_default();
            let inherits = row.get(3)?.unwrap_or(false);
            let usual = ffi::statistics_target();
            let targets = row.get::<Vec<Option<i32>>>(4)?.unwrap_or_default();
            let targets =
                targets.into_iter().map(|t| t.and_then(|t| usize::try_from(t).ok()).unwrap_or(usual)).collect();
            let distinct = row.get::<Vec<Option<f64>>>(if inherits { 6 } else { 5 })?.unwrap_or_default();
            found.push(Table {
                oid: row.get(1)?.unwrap_or(pg_sys::InvalidOid),
                inherits,
                within: above.into_iter().chain(upper).collect(),
                targets,
                distinct: distinct.into_iter().map(|d| d.filter(|d| *d != 0.0)).collect(),
            });
        }
        Ok(found)
    })
}

const TABLES: &str = "
    SELECT r.relid::pg_catalog.oid, r.parentrelid::pg_catalog.oid, c.relkind = 'p',
           pg_catalog.array_agg(a.attstattarget::pg_catalog.int4 ORDER BY a.attnum),
           pg_catalog.array_agg(o.own ORDER BY a.attnum), pg_catalog.array_agg(o.inherited ORDER BY a.attnum)
    FROM (SELECT relid, CASE WHEN relid <> $1 THEN parentrelid END AS parentrelid, n FROM pg_catalog.pg_partition_tree($1) WITH ORDINALITY AS t (relid, parentrelid, leaf, level, n)
          UNION ALL SELECT $1, NULL, 1 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree($1))) AS r
    JOIN pg_catalog.pg_class c ON c.oid = r.relid JOIN pg_catalog.pg_attribute a ON a.attrelid = r.relid AND a.attnum > 0 AND NOT a.attisdropped,
    LATERAL (SELECT pg_catalog.max(option_value) FILTER (WHERE option_name = 'n_distinct')::pg_catalog.float8 AS own,
                    pg_catalog.max(option_value) FILTER (WHERE option_name = 'n_distinct_inherited')::pg_catalog.float8 AS inherited
             FROM pg_catalog.pg_options_to_table(a.attoptions)) AS o
    GROUP BY r.relid, r.parentrelid, c.relkind, r.n ORDER BY r.n";

/// There are statistics of expressions or of several columns, or an index of some rows whose number its build has not told.
pub fn need_server(tables: &[pg_sys::Oid]) -> Result<bool> {
    let needed = Spi::get_one_with_args::<bool>(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext WHERE stxrelid = ANY ($1))
             OR EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am a ON a.oid = c.relam
                        WHERE i.indrelid = ANY ($1) AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL AND a.amname <> 'btree'))",
        &[tables.to_vec().into()],
    )?;
    Ok(needed.unwrap_or(true))
}
