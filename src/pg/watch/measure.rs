//! One look at all shards of this database: what its server counts of those here, in one query. The same words ask other servers of
//! theirs ([`super::remote`]).

use crate::pg::error::Result;
use foreshard_core::model::load::{ShardCounters, ShardExtent};
use pgrx::prelude::*;
use pgrx::{pg_sys, spi};

/// What a server counts of a table `c` (a row of `pg_class`) with the sums over its indexes `i`: the counters in the order of
/// [`ShardCounters::all`], then live and dead rows.
pub(super) const COUNTED: &str = "
    pg_catalog.pg_stat_get_numscans(c.oid)::pg_catalog.float8, coalesce(i.scans, 0)::pg_catalog.float8,
    (pg_catalog.pg_stat_get_tuples_returned(c.oid) + pg_catalog.pg_stat_get_tuples_fetched(c.oid) + coalesce(i.fetched, 0))::pg_catalog.float8,
    pg_catalog.pg_stat_get_tuples_inserted(c.oid)::pg_catalog.float8, pg_catalog.pg_stat_get_tuples_updated(c.oid)::pg_catalog.float8,
    pg_catalog.pg_stat_get_tuples_hot_updated(c.oid)::pg_catalog.float8, pg_catalog.pg_stat_get_tuples_deleted(c.oid)::pg_catalog.float8,
    (pg_catalog.pg_stat_get_blocks_hit(c.oid) + coalesce(i.hit, 0))::pg_catalog.float8,
    (pg_catalog.pg_stat_get_blocks_fetched(c.oid) - pg_catalog.pg_stat_get_blocks_hit(c.oid) + coalesce(i.fetched_blocks - i.hit, 0))::pg_catalog.float8,
    pg_catalog.pg_stat_get_live_tuples(c.oid)::pg_catalog.float8, pg_catalog.pg_stat_get_dead_tuples(c.oid)::pg_catalog.float8";

/// The sums over the indexes of `c`.
pub(super) const INDEXES: &str = "
    LEFT JOIN LATERAL (
        SELECT pg_catalog.sum(pg_catalog.pg_stat_get_numscans(x.indexrelid)) AS scans, pg_catalog.sum(pg_catalog.pg_stat_get_tuples_fetched(x.indexrelid)) AS fetched,
               pg_catalog.sum(pg_catalog.pg_stat_get_blocks_hit(x.indexrelid)) AS hit, pg_catalog.sum(pg_catalog.pg_stat_get_blocks_fetched(x.indexrelid)) AS fetched_blocks
        FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid) i ON true";

/// Relations that somebody has for himself, or waits to have: to ask for their size would be to wait for him.
pub(super) const LOCKED: &str = "
    locked AS MATERIALIZED (SELECT DISTINCT l.relation FROM pg_catalog.pg_locks l WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))";

/// Bytes of `c` with its indexes.
pub(super) const BYTES: &str = "CASE WHEN NOT EXISTS (SELECT FROM locked WHERE locked.relation = c.oid) THEN pg_catalog.pg_total_relation_size(c.oid)::pg_catalog.float8 END";

/// A shard as the ledger knows it, with what was counted of it; a table that is not cut is its own only shard.
#[derive(Debug, Clone)]
pub struct Shard {
    pub relation: pg_sys::Oid,
    pub shard: pg_sys::Oid,
    /// Without its schema, for people.
    pub name: String,
    pub node: String,
    /// The last range: all that is new goes there where the key always increases.
    pub newest: bool,
    /// Its bound lets a single value in.
    pub single_value: bool,
    /// The value of the key with the greatest share of its load, as far as statements were sampled.
    pub hottest_value: Option<(String, f64)>,
    /// Of the table: whoever owns it may see what is behind it.
    pub owner: pg_sys::Oid,
    /// The foreign server with the schema and the name of the table there.
    pub away: Option<(String, String, String)>,
    /// None until the other server has said.
    pub look: Option<Look>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    pub counters: ShardCounters,
    pub extent: ShardExtent,
}

impl Look {
    /// Eleven numbers in the order of [`COUNTED`], and the bytes.
    pub(super) fn of(numbers: &[f64], bytes: Option<f64>) -> Option<Self> {
        let (counters, extent) = numbers.split_at_checked(9)?;
        let [live_rows, dead_rows] = *extent else { return None };
        let counters = ShardCounters::of(counters.try_into().ok()?);
        Some(Self { counters, extent: ShardExtent { live_rows, dead_rows, bytes } })
    }
}

/// Numbers that [`COUNTED`] asks for.
pub(super) const NUMBERS: usize = 11;

/// Whether the inner bound of a shard lets one value in: a list of one, or two whole numbers that follow each other.
const SINGLE: &str = r"coalesce(pg_catalog.jsonb_array_length(coalesce(within, bound) #> '{list,values}') = 1
    OR (CASE WHEN coalesce(within, bound) #>> '{range,from,0}' ~ '^-?[0-9]{1,18}$' AND coalesce(within, bound) #>> '{range,to,0}' ~ '^-?[0-9]{1,18}$'
        THEN (coalesce(within, bound) #>> '{range,to,0}')::pg_catalog.int8 - (coalesce(within, bound) #>> '{range,from,0}')::pg_catalog.int8 = 1 END), false)";

/// All shards of the database; those of other servers without a look. Sizes are asked for where `sized`.
pub fn shards(sized: bool) -> Result<Vec<Shard>> {
    let bytes = if sized { BYTES } else { "NULL::pg_catalog.float8" };
    let query = format!(
        "WITH {LOCKED}, s AS (
             SELECT relation, shard, node, coalesce(bound -> 'range' -> 'to' = 'null', false) AS newest, {SINGLE} AS single FROM foreshard._shards
             UNION ALL SELECT t.relation, t.relation, 'default', false, false FROM foreshard._tables t
                 WHERE NOT EXISTS (SELECT FROM foreshard._shards k WHERE k.relation = t.relation))
         SELECT s.relation::pg_catalog.oid, c.oid, s.node, r.relowner, f.srvname::pg_catalog.text,
                coalesce((SELECT o.option_value FROM pg_catalog.pg_options_to_table(t.ftoptions) o WHERE o.option_name = 'schema_name'), n.nspname)::pg_catalog.text,
                coalesce((SELECT o.option_value FROM pg_catalog.pg_options_to_table(t.ftoptions) o WHERE o.option_name = 'table_name'), c.relname)::pg_catalog.text,
                CASE WHEN t.ftrelid IS NULL THEN {bytes} END, c.relname::pg_catalog.text, s.newest, s.single, {COUNTED}
         FROM s JOIN pg_catalog.pg_class c ON c.oid = s.shard JOIN pg_catalog.pg_class r ON r.oid = s.relation
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_foreign_table t ON t.ftrelid = c.oid LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = t.ftserver
         {INDEXES}
         WHERE c.relispartition OR s.shard = s.relation
         ORDER BY 1, 2"
    );
    Ok(Spi::connect(|client| {
        let mut found = Vec::new();
        for row in client.select(&query, None, &[])? {
            let (Some(relation), Some(shard), Some(owner)) = (row.get(1)?, row.get(2)?, row.get(4)?) else { continue };
            let away = match row.get::<String>(5)? {
                Some(server) => Some((server, row.get(6)?.unwrap_or_default(), row.get(7)?.unwrap_or_default())),
                None => None,
            };
            let mut numbers = Vec::with_capacity(NUMBERS);
            for column in 12..12 + NUMBERS {
                numbers.push(row.get::<f64>(column)?.unwrap_or_default());
            }
            let look = if away.is_none() { Look::of(&numbers, row.get(8)?) } else { None };
            let name = row.get(9)?.unwrap_or_default();
            let newest = row.get(10)?.unwrap_or(false);
            let single_value = row.get(11)?.unwrap_or(false);
            found.push(Shard {
                relation,
                shard,
                name,
                newest,
                single_value,
                hottest_value: None,
                node: row.get(3)?.unwrap_or_default(),
                owner,
                away,
                look,
            });
        }
        Ok::<_, spi::Error>(found)
    })?)
}
