-- What the monitor measures, concludes and decides. Loads and states are of this server and this moment: they are not dumped.

CREATE TABLE foreshard._load (
    relation     pg_catalog.regclass NOT NULL,
    shard        pg_catalog.regclass NOT NULL,
    slot         pg_catalog.timestamptz NOT NULL,
    slot_seconds pg_catalog.int4 NOT NULL,
    -- Of the slot, as many seconds as were watched; what follows was counted in these.
    watched      pg_catalog.float8 NOT NULL,
    work         pg_catalog.float8 NOT NULL,
    seq_scans    pg_catalog.float8 NOT NULL,
    index_scans  pg_catalog.float8 NOT NULL,
    rows_read    pg_catalog.float8 NOT NULL,
    inserted     pg_catalog.float8 NOT NULL,
    updated      pg_catalog.float8 NOT NULL,
    hot_updated  pg_catalog.float8 NOT NULL,
    deleted      pg_catalog.float8 NOT NULL,
    blocks_hit   pg_catalog.float8 NOT NULL,
    blocks_read  pg_catalog.float8 NOT NULL,
    -- As of the slot's last look.
    live_rows    pg_catalog.float8 NOT NULL,
    dead_rows    pg_catalog.float8 NOT NULL,
    bytes        pg_catalog.float8,
    -- The most work of any shorter slot that was merged into this one, per second.
    peak         pg_catalog.float8,
    PRIMARY KEY (shard, slot, slot_seconds)
) WITH (fillfactor = 50);
CREATE INDEX _load_slot ON foreshard._load USING brin (slot);
COMMENT ON TABLE foreshard._load IS 'what was measured of each shard: fine slots for a while, hours after that';

CREATE TABLE foreshard._statement_load (
    relation     pg_catalog.regclass NOT NULL,
    slot         pg_catalog.timestamptz NOT NULL,
    slot_seconds pg_catalog.int4 NOT NULL,
    watched      pg_catalog.float8 NOT NULL,
    calls        pg_catalog.float8 NOT NULL,
    milliseconds pg_catalog.float8 NOT NULL,
    PRIMARY KEY (relation, slot, slot_seconds)
) WITH (fillfactor = 50);
COMMENT ON TABLE foreshard._statement_load IS 'what pg_stat_statements counted of the statements on each table';

CREATE TABLE foreshard._node_states (
    node       pg_catalog.text PRIMARY KEY,
    answers    pg_catalog.bool NOT NULL,
    since      pg_catalog.timestamptz NOT NULL,
    asked_at   pg_catalog.timestamptz NOT NULL,
    message    pg_catalog.text,
    waits      pg_catalog.jsonb,
    lag_seconds pg_catalog.float8
);
COMMENT ON TABLE foreshard._node_states IS 'which nodes answer the monitor, since when, and what their sessions wait for';

CREATE TABLE foreshard._verdicts (
    relation pg_catalog.regclass PRIMARY KEY,
    verdict  pg_catalog.text NOT NULL,
    since    pg_catalog.timestamptz NOT NULL,
    seen_at  pg_catalog.timestamptz NOT NULL,
    shards   pg_catalog.regclass[] NOT NULL,
    because  pg_catalog.text NOT NULL,
    action   pg_catalog.text NOT NULL,
    forecast pg_catalog.text,
    figures  pg_catalog.jsonb NOT NULL
);
COMMENT ON TABLE foreshard._verdicts IS 'what the monitor last concluded of each table';

CREATE TABLE foreshard._policies (
    relation pg_catalog.regclass PRIMARY KEY,
    policy   pg_catalog.jsonb NOT NULL
);
COMMENT ON TABLE foreshard._policies IS 'what the monitor may do to tables whose policy was set';

CREATE TABLE foreshard._decisions (
    id         pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at pg_catalog.timestamptz NOT NULL,
    relation   pg_catalog.regclass NOT NULL,
    verdict    pg_catalog.text NOT NULL,
    move       pg_catalog.text NOT NULL,
    statement  pg_catalog.text,
    outcome    pg_catalog.text NOT NULL,
    because    pg_catalog.text NOT NULL,
    job_id     pg_catalog.int8,
    bytes      pg_catalog.float8,
    forecast   pg_catalog.jsonb,
    before     pg_catalog.jsonb NOT NULL
);
CREATE INDEX _decisions_relation ON foreshard._decisions (relation, decided_at);
COMMENT ON TABLE foreshard._decisions IS 'what the monitor decided, and what it left undone';
COMMENT ON SEQUENCE foreshard._decisions_id_seq IS 'numbers of decisions';

SELECT pg_catalog.pg_extension_config_dump('foreshard._policies',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)');

CREATE FUNCTION foreshard.start_worker() RETURNS pg_catalog.int4
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'start_worker_wrapper';
COMMENT ON FUNCTION foreshard.start_worker() IS
    'starts the monitor of this database and gives its process; for servers that do not preload foreshard';

CREATE FUNCTION foreshard._start_at_commit() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'start_at_commit_wrapper';
COMMENT ON FUNCTION foreshard._start_at_commit() IS
    'starts the monitor of this database when the transaction commits, on servers that preload foreshard';

CREATE FUNCTION foreshard.set_policy(relation pg_catalog.regclass, policy pg_catalog.jsonb) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'set_policy_wrapper';
COMMENT ON FUNCTION foreshard.set_policy(pg_catalog.regclass, pg_catalog.jsonb) IS
    'says what the monitor may do to a table, and when; null takes the policy back to that of a restored table';

CREATE FUNCTION foreshard._shows_values(relation pg_catalog.oid) RETURNS pg_catalog.bool
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
        OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) $1 AND pg_catalog.pg_has_role(c.relowner, 'USAGE'));
END;
COMMENT ON FUNCTION foreshard._shows_values(pg_catalog.oid) IS
    'whether the caller may see values of a table: its owner, and whoever may read all statistics';

CREATE FUNCTION foreshard._sampled_keys()
RETURNS TABLE (relation pg_catalog.oid, samples pg_catalog.float8, known_share pg_catalog.float8, direction pg_catalog.text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sampled_keys_wrapper';
COMMENT ON FUNCTION foreshard._sampled_keys() IS
    'what the sampler knows of the shard keys of tables whose values the caller may see; the view foreshard.sampled_keys shows it';

CREATE FUNCTION foreshard._hot_values()
RETURNS TABLE (relation pg_catalog.oid, value pg_catalog.text, shard pg_catalog.oid, load_share pg_catalog.float8, shard_share pg_catalog.float8)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'hot_values_wrapper';
COMMENT ON FUNCTION foreshard._hot_values() IS
    'the values of shard keys that the sampler met most, of tables whose values the caller may see; the view foreshard.hot_values shows them';

CREATE VIEW foreshard.sampled_keys AS
SELECT c.oid::pg_catalog.regclass AS relation, a.attname AS shard_key, k.samples, k.known_share, k.direction
FROM foreshard._sampled_keys() AS k
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) k.relation
JOIN pg_catalog.pg_partitioned_table p ON p.partrelid OPERATOR(pg_catalog.=) c.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.=) p.partattrs[0];
COMMENT ON VIEW foreshard.sampled_keys IS 'how many statements the sampler has looked at in the last minutes, the share of the load that asks for a value of the shard key, and how new keys follow each other';

CREATE VIEW foreshard.hot_values AS
SELECT c.oid::pg_catalog.regclass AS relation, a.attname AS shard_key, v.value, s.oid::pg_catalog.regclass AS shard, v.load_share, v.shard_share
FROM foreshard._hot_values() AS v
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) v.relation
JOIN pg_catalog.pg_partitioned_table p ON p.partrelid OPERATOR(pg_catalog.=) c.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.=) p.partattrs[0]
LEFT JOIN pg_catalog.pg_class s ON s.oid OPERATOR(pg_catalog.=) v.shard;
COMMENT ON VIEW foreshard.hot_values IS 'the values of the shard key that carry the load, as sampled in the last minutes, with their shares of the load of the table and of their shard; of tables that the reader owns, or all for pg_read_all_stats';

CREATE VIEW foreshard.load_history AS
SELECT l.relation, l.shard, l.slot AS "time", l.slot_seconds,
       (l.seq_scans OPERATOR(pg_catalog.+) l.index_scans) OPERATOR(pg_catalog./) l.watched AS reads_per_second,
       (l.inserted OPERATOR(pg_catalog.+) l.updated OPERATOR(pg_catalog.+) l.deleted) OPERATOR(pg_catalog./) l.watched AS writes_per_second,
       l.work OPERATOR(pg_catalog./) l.watched AS load,
       l.rows_read OPERATOR(pg_catalog./) l.watched AS rows_read_per_second,
       l.blocks_read OPERATOR(pg_catalog./) nullif(l.blocks_hit OPERATOR(pg_catalog.+) l.blocks_read, 0) AS cache_misses,
       l.dead_rows OPERATOR(pg_catalog./) nullif(l.live_rows OPERATOR(pg_catalog.+) l.dead_rows, 0) AS dead_share,
       l.live_rows::pg_catalog.int8 AS rows, l.bytes::pg_catalog.int8 AS bytes,
       NULL::pg_catalog.float8 AS calls_per_second, NULL::pg_catalog.float8 AS mean_ms
FROM foreshard._load l
WHERE l.watched OPERATOR(pg_catalog.>) 0
UNION ALL
SELECT s.relation, NULL, s.slot, s.slot_seconds, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       s.calls OPERATOR(pg_catalog./) s.watched, s.milliseconds OPERATOR(pg_catalog./) nullif(s.calls, 0)
FROM foreshard._statement_load s
WHERE s.watched OPERATOR(pg_catalog.>) 0;
COMMENT ON VIEW foreshard.load_history IS
    'what was measured of each shard over time; rows without a shard are what the statements on the whole table took';

CREATE VIEW foreshard.health AS
SELECT v.relation, v.verdict, v.since, v.shards, v.because, v.forecast,
       CASE WHEN v.verdict OPERATOR(pg_catalog.<>) 'hot value' OR foreshard._shows_values(v.relation) THEN v.action END AS action,
       v.figures, v.seen_at
FROM foreshard._verdicts v
WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) v.relation);
COMMENT ON VIEW foreshard.health IS 'what the monitor concludes of each table, since when, because of what, and what it will do';

CREATE VIEW foreshard.decisions AS
SELECT d.id AS decision_id, d.decided_at, d.relation, d.verdict, d.move,
       CASE WHEN s.shown THEN d.statement END AS statement, d.outcome, d.because, d.job_id, d.bytes::pg_catalog.int8 AS bytes,
       CASE WHEN s.shown THEN d.forecast ELSE d.forecast OPERATOR(pg_catalog.-) 'action' END AS forecast, d.before
FROM foreshard._decisions d,
     LATERAL (SELECT d.move OPERATOR(pg_catalog.<>) 'isolate' OR foreshard._shows_values(d.relation)) AS s (shown);
COMMENT ON VIEW foreshard.decisions IS 'what the monitor decided or advised, and what it left undone and why';

CREATE VIEW foreshard.node_states AS
SELECT node, answers, since, asked_at, message, waits, lag_seconds FROM foreshard._node_states;
COMMENT ON VIEW foreshard.node_states IS 'which nodes answer the monitor, and since when';

SELECT foreshard._start_at_commit();
