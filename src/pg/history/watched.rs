//! What the monitor has stored of a table: the table's own name is the name of its load history.

use super::columns::Columns;
use crate::pg::catalog;
use crate::pg::error::Result;
use foreshard_core::model::{Metric, TableName};
use pgrx::prelude::*;

/// The hours of a restored table that is or was watched, but for the one that is not over; None for other relations. `any`: its work too,
/// which is no load that a plan is made for.
pub(super) fn columns(name: &TableName, any: bool) -> Result<Option<Columns>> {
    let Some(relation) = catalog::relation_oid(name)? else { return Ok(None) };
    // Whoever may not look is told of the relation itself. A query's rights are checked before it runs, whatever it comes to: so it takes two.
    let may: Option<bool> = Spi::get_one(
        "SELECT pg_catalog.has_schema_privilege('foreshard', 'USAGE') AND pg_catalog.has_table_privilege('foreshard.load_history', 'SELECT')
             AND pg_catalog.has_table_privilege('foreshard.tables', 'SELECT')",
    )?;
    if may != Some(true) {
        return Ok(None);
    }
    let watched: Option<bool> = Spi::get_one_with_args(
        "SELECT EXISTS (SELECT FROM foreshard.tables WHERE relation = $1::pg_catalog.regclass)
             AND EXISTS (SELECT FROM foreshard.load_history WHERE relation = $1::pg_catalog.regclass)",
        &[relation.into()],
    )?;
    if watched != Some(true) {
        return Ok(None);
    }
    // Slots are minutes at first and hours later; each shard counts with its own, and the statements on the whole table with no shard.
    let query = format!(
        "SELECT hour AS \"time\", sum(load) AS load, max(rate) AS rate, max(mean_ms) AS mean_ms, sum(bytes) AS bytes, sum(rows) AS rows FROM (
             SELECT pg_catalog.date_trunc('hour', h.\"time\") AS hour, h.shard,
                    sum(h.load * h.slot_seconds) / sum(h.slot_seconds) FILTER (WHERE h.load IS NOT NULL) AS load,
                    sum(h.calls_per_second * h.slot_seconds) / sum(h.slot_seconds) FILTER (WHERE h.calls_per_second IS NOT NULL) AS rate,
                    sum(h.mean_ms * h.calls_per_second * h.slot_seconds) / nullif(sum(h.calls_per_second * h.slot_seconds), 0) AS mean_ms,
                    max(h.bytes) AS bytes, max(h.rows) AS rows
             FROM foreshard.load_history h
             WHERE h.relation = {} AND h.\"time\" < pg_catalog.date_trunc('hour', pg_catalog.now()) GROUP BY 1, 2) AS s GROUP BY 1",
        relation.to_u32()
    );
    let mut metrics =
        vec![(Metric::Rate, "rate"), (Metric::MeanMs, "mean_ms"), (Metric::Bytes, "bytes"), (Metric::Rows, "rows")];
    if any {
        metrics.push((Metric::Value, "load"));
    }
    Ok(Some(Columns::by_query(name, &query, &metrics)))
}
