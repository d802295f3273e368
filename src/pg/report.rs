//! What a report shows, gathered with the caller's rights from what the monitor stored.

use super::error::Result;
use foreshard_core::report::heat::{HeatMap, Row};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// The last 24 hours, or as many as were watched.
const HEAT: &str = r#"
    WITH span AS (
        SELECT GREATEST(date_trunc('hour', min("time")), date_trunc('hour', now()) - interval '23 hours') AS first
        FROM foreshard.load_history WHERE relation = $1 AND shard IS NOT NULL),
    hours AS (SELECT generate_series(first, date_trunc('hour', now()), interval '1 hour') AS hour FROM span),
    loads AS (
        SELECT shard, date_trunc('hour', "time") AS hour, sum(load * slot_seconds) / sum(slot_seconds) AS load
        FROM foreshard.load_history
        WHERE relation = $1 AND shard IS NOT NULL AND "time" >= (SELECT first FROM span) GROUP BY 1, 2)
    SELECT s.shard::regclass::text, array_agg(l.load ORDER BY h.hour), array_agg(to_char(h.hour, 'HH24') ORDER BY h.hour)
    FROM foreshard.shards s CROSS JOIN hours h LEFT JOIN loads l ON l.shard = s.shard AND l.hour = h.hour
    WHERE s.relation = $1 GROUP BY s.shard ORDER BY 1"#;

pub fn heat_map(relation: pg_sys::Oid) -> Result<HeatMap> {
    Spi::connect(|client| {
        let mut map = HeatMap::default();
        for row in client.select(HEAT, None, &[relation.into()])? {
            let shard = row.get::<String>(1)?.unwrap_or_default();
            let loads = row.get::<Vec<Option<f64>>>(2)?.unwrap_or_default();
            map.hours = row.get::<Vec<String>>(3)?.unwrap_or_default();
            map.shards.push(Row { shard, loads });
        }
        Ok(map)
    })
}
