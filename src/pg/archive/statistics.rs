//! What ANALYZE left in the catalog of a table, as far as the caller may read the columns that it is about.

use crate::pg::error::Result;
use crate::pg::ffi::quote_table;
use foreshard_core::backup::profile::statistics::{ColumnStatistics, Statistics};
use foreshard_core::model::profile::PairProfile;
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// # Errors
/// 55000 for a table that was never analysed.
pub(super) fn of_table(table: pg_sys::Oid, name: &TableName) -> Result<Statistics> {
    let mut statistics = size(table)?;
    statistics.columns = columns(table)?;
    statistics.pairs = pairs(table)?;
    if statistics.columns.is_empty() || statistics.rows == 0 {
        return Err(Problem::new("55000", format!("the server has no statistics of \"{name}\""))
            .detail("It was never analysed, or when it had no rows.")
            .hint(format!("ANALYZE {};", quote_table(name)))
            .into());
    }
    Ok(statistics)
}

/// Rows, size and age.
fn size(table: pg_sys::Oid) -> Result<Statistics> {
    let unsigned = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT greatest(c.reltuples, 0)::pg_catalog.int8, c.relpages::pg_catalog.int8, size.pages,
                    (size.pages + coalesce(toast.relpages, 0)) * size.block,
                    CASE WHEN c.relkind = 'r' AND coalesce(s.last_analyze, s.last_autoanalyze) IS NOT NULL THEN s.n_mod_since_analyze END
             FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
             LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
             CROSS JOIN LATERAL (
                 SELECT b AS block, CASE c.relkind WHEN 'r' THEN pg_catalog.pg_relation_size(c.oid) / b
                     WHEN 'p' THEN (SELECT sum(pg_catalog.pg_relation_size(p.relid))::pg_catalog.int8 / b
                                    FROM pg_catalog.pg_partition_tree(c.oid) p WHERE p.isleaf)
                     ELSE c.relpages END AS pages
                 FROM (SELECT pg_catalog.current_setting('block_size')::pg_catalog.int8 AS b) x) size
             WHERE c.oid = $1",
            Some(1),
            &[table.into()],
        )?;
        let Some(row) = rows.into_iter().next() else { return Ok(Statistics::default()) };
        Ok(Statistics {
            rows: unsigned(row.get(1)?).unwrap_or_default(),
            pages: (unsigned(row.get(2)?).unwrap_or_default(), unsigned(row.get(3)?).unwrap_or_default()),
            bytes: unsigned(row.get(4)?).unwrap_or_default(),
            modified: unsigned(row.get(5)?),
            ..Statistics::default()
        })
    })
}

/// Values of array types are arrays of arrays there, and are no keys: they are left out.
fn columns(table: pg_sys::Oid) -> Result<Vec<ColumnStatistics>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT a.attname::pg_catalog.text, s.null_frac::pg_catalog.float8,
                    s.avg_width::pg_catalog.float8, s.n_distinct::pg_catalog.float8,
                    CASE WHEN t.typcategory <> 'A' THEN s.most_common_vals::pg_catalog.text::pg_catalog.text[] END,
                    CASE WHEN t.typcategory <> 'A' THEN s.most_common_freqs::pg_catalog.float8[] END,
                    CASE WHEN t.typcategory <> 'A' THEN s.histogram_bounds::pg_catalog.text::pg_catalog.text[] END,
                    s.correlation::pg_catalog.float8
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.inherited = (c.relkind = 'p')
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
             WHERE c.oid = $1 ORDER BY a.attnum",
            None,
            &[table.into()],
        )?;
        let mut columns = Vec::new();
        for row in rows {
            let number = |n| Ok::<_, pgrx::spi::Error>(row.get::<f64>(n)?.unwrap_or_default());
            let values: Vec<String> = row.get(5)?.unwrap_or_default();
            let shares: Vec<f64> = row.get(6)?.unwrap_or_default();
            columns.push(ColumnStatistics {
                name: row.get(1)?.unwrap_or_default(),
                null_frac: number(2)?,
                avg_width: number(3)?,
                n_distinct: number(4)?,
                most_common: values.into_iter().zip(shares).collect(),
                histogram: row.get(7)?.unwrap_or_default(),
                correlation: number(8)?,
            });
        }
        Ok(columns)
    })
}

/// Of CREATE STATISTICS … (ndistinct). Its text is a JSON object by column numbers.
fn pairs(table: pg_sys::Oid) -> Result<Vec<PairProfile>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attnum = ANY (pg_catalog.string_to_array(d.key, ', ')::pg_catalog.int2[]) ORDER BY a.attnum),
                    pg_catalog.array_length(pg_catalog.string_to_array(d.key, ', '), 1), d.value::pg_catalog.float8::pg_catalog.int8
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_catalog.pg_stats_ext e ON e.schemaname = n.nspname AND e.tablename = c.relname AND e.n_distinct IS NOT NULL
                  AND coalesce((pg_catalog.to_jsonb(e) ->> 'inherited')::pg_catalog.bool, c.relkind = 'p') = (c.relkind = 'p')
             CROSS JOIN LATERAL pg_catalog.json_each_text(e.n_distinct::pg_catalog.text::pg_catalog.json) d
             WHERE c.oid = $1 ORDER BY 1, 3",
            None,
            &[table.into()],
        )?;
        let mut pairs = Vec::new();
        for row in rows {
            let columns: Vec<String> = row.get(1)?.unwrap_or_default();
            // An expression among them has no name.
            let all = row.get::<i32>(2)?.and_then(|n| usize::try_from(n).ok()) == Some(columns.len());
            let distinct = row.get::<i64>(3)?.and_then(|n| u64::try_from(n).ok());
            pairs.extend(distinct.filter(|_| all).map(|distinct| PairProfile { columns, distinct }));
        }
        Ok(pairs)
    })
}
