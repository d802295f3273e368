-- What people look at. Tables that were dropped since are left out, and shards that were dropped or detached.

CREATE VIEW foreshard.nodes AS
SELECT n.name, n.tablespace, n.server, n.capacity, n.zone, n.serves, n.active, n.added_at,
       c.reads_per_second, c.writes_per_second, c.scan_mb_per_second, c.copy_rows_per_second, c.copy_mb_per_second,
       c.planning_us_per_partition, c.clients, c.calibrated_at, c.calibrated_by, c.server_version
FROM foreshard._nodes n
LEFT JOIN foreshard._calibrations c ON c.node OPERATOR(pg_catalog.=) n.name
    AND c.system_identifier OPERATOR(pg_catalog.=) (SELECT s.system_identifier FROM pg_catalog.pg_control_system() s);
COMMENT ON VIEW foreshard.nodes IS 'places where shards live, and what was measured of them on this server';

CREATE VIEW foreshard.plans AS
SELECT id AS plan_id, made_at, made_by, target, backup,
       plan OPERATOR(pg_catalog.#>>) '{layout,method}' AS method,
       ARRAY(SELECT pg_catalog.jsonb_array_elements_text(plan OPERATOR(pg_catalog.#>) '{layout,key}')) AS shard_key,
       (plan OPERATOR(pg_catalog.#>>) '{count,count}')::pg_catalog.int4 AS shard_count,
       plan OPERATOR(pg_catalog.->>) 'hash' AS hash,
       plan OPERATOR(pg_catalog.#>) '{layout,within}' AS within
FROM foreshard._plans;
COMMENT ON VIEW foreshard.plans IS 'stored plans; foreshard.explain(plan_id) tells one in words';

CREATE VIEW foreshard.jobs AS
SELECT j.id AS job_id, j.kind, j.target, j.state, j.plan_id, j.started_by, j.started_at, j.finished_at, j.rows, j.bytes, j.message,
       NULL::pg_catalog.int4 AS pid, u.phase, NULL::pg_catalog.int8 AS bytes_total,
       NULL::pg_catalog.int8 AS bytes_per_second, NULL::pg_catalog.interval AS remaining,
       NULL::pg_catalog.int4 AS attempts, NULL::pg_catalog.float8 AS longest_lock_ms
FROM foreshard._jobs j LEFT JOIN foreshard._unfinished u ON u.job_id OPERATOR(pg_catalog.=) j.id
WHERE NOT EXISTS (SELECT FROM foreshard._reshards r WHERE r.job_id OPERATOR(pg_catalog.=) j.id)
UNION ALL
-- Tasks of one job are done one after the other. The files of the new shards grow while their rows are copied.
SELECT j.id, j.kind, j.target, j.state, j.plan_id, j.started_by, j.started_at, j.finished_at, r.rows, r.bytes, j.message,
       r.pid, r.step, r.bytes_total, (r.bytes OPERATOR(pg_catalog./) r.gone)::pg_catalog.int8,
       CASE WHEN r.step OPERATOR(pg_catalog.=) 'copy' AND r.bytes OPERATOR(pg_catalog.>) 0 AND r.bytes_total OPERATOR(pg_catalog.>=) r.bytes
            THEN pg_catalog.make_interval(secs => pg_catalog.round(
                (r.bytes_total OPERATOR(pg_catalog.-) r.bytes) OPERATOR(pg_catalog.*) r.gone OPERATOR(pg_catalog./) r.bytes)) END,
       r.attempts, r.longest_lock_ms
FROM foreshard._jobs j, LATERAL (
    SELECT pg_catalog.sum(t.rows)::pg_catalog.int8 AS rows, pg_catalog.sum(t.bytes_total)::pg_catalog.int8 AS bytes_total,
           pg_catalog.sum(t.attempts)::pg_catalog.int4 AS attempts, pg_catalog.max(t.longest_lock_ms) AS longest_lock_ms,
           pg_catalog.sum((SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid)) FROM pg_catalog.jsonb_array_elements(t.task OPERATOR(pg_catalog.->) 'new') AS n
               JOIN pg_catalog.pg_class c ON c.relname OPERATOR(pg_catalog.=) (n OPERATOR(pg_catalog.#>>) '{name,name}')::pg_catalog.name
               JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace
                   AND s.nspname OPERATOR(pg_catalog.=) (n OPERATOR(pg_catalog.#>>) '{name,schema}')::pg_catalog.name))::pg_catalog.int8 AS bytes,
           pg_catalog.max(CASE WHEN t.step OPERATOR(pg_catalog.<>) 'done' THEN t.pid END) AS pid,
           (pg_catalog.array_agg(t.step ORDER BY t.number) FILTER (WHERE t.step OPERATOR(pg_catalog.<>) 'done'))[1] AS step,
           GREATEST(extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.max(t.step_started_at)), 0.001)::pg_catalog.float8 AS gone
    FROM foreshard._reshards t WHERE t.job_id OPERATOR(pg_catalog.=) j.id HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0) AS r
UNION ALL
-- Under way: rows and bytes of the phase. A number is given when it is done.
SELECT NULL, 'restore', r.target, 'running', NULL, pg_catalog.pg_get_userbyid(r.role), r.started_at, NULL, r.rows, r.bytes, r.message,
       r.pid, r.phase, r.bytes_total, (r.bytes OPERATOR(pg_catalog./) s.gone)::pg_catalog.int8,
       CASE WHEN r.bytes OPERATOR(pg_catalog.>) 0 AND r.bytes_total OPERATOR(pg_catalog.>=) r.bytes
            THEN pg_catalog.make_interval(secs => pg_catalog.round(
                (r.bytes_total OPERATOR(pg_catalog.-) r.bytes) OPERATOR(pg_catalog.*) s.gone OPERATOR(pg_catalog./) r.bytes)) END, NULL, NULL
FROM foreshard._running() AS r,
     LATERAL (SELECT GREATEST(extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.phase_started_at), 0.001)::pg_catalog.float8)
     AS s (gone);
COMMENT ON VIEW foreshard.jobs IS 'long pieces of work, done or under way';

CREATE VIEW foreshard.shards AS
SELECT s.relation, s.shard, s.node,
       pg_catalog.pg_get_expr(c.relpartbound, c.oid) OPERATOR(pg_catalog.||)
           CASE WHEN p.oid OPERATOR(pg_catalog.<>) s.relation
                THEN ' WITHIN ' OPERATOR(pg_catalog.||) pg_catalog.pg_get_expr(p.relpartbound, p.oid) ELSE '' END AS bound,
       CASE WHEN c.reltuples OPERATOR(pg_catalog.>=) 0 THEN c.reltuples::pg_catalog.int8 END AS rows,
       pg_catalog.pg_total_relation_size(s.shard) AS bytes,
       l.reads OPERATOR(pg_catalog./) l.watched AS reads_per_second, l.writes OPERATOR(pg_catalog./) l.watched AS writes_per_second,
       l.work OPERATOR(pg_catalog./) l.watched AS load,
       l.work OPERATOR(pg_catalog./) nullif(pg_catalog.sum(l.work) OVER (PARTITION BY s.relation), 0) AS load_share,
       l.work OPERATOR(pg_catalog./) nullif(pg_catalog.avg(coalesce(l.work, 0)) OVER (PARTITION BY s.relation), 0) AS temperature
FROM foreshard._shards s
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) s.shard AND c.relispartition
JOIN pg_catalog.pg_inherits i ON i.inhrelid OPERATOR(pg_catalog.=) c.oid
JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) i.inhparent
-- The slot that the monitor is filling, and the one before. Without a monitor there are none.
LEFT JOIN LATERAL (
    SELECT pg_catalog.sum(w.watched) AS watched, pg_catalog.sum(w.work) AS work, pg_catalog.sum(w.seq_scans OPERATOR(pg_catalog.+) w.index_scans) AS reads,
           pg_catalog.sum(w.inserted OPERATOR(pg_catalog.+) w.updated OPERATOR(pg_catalog.+) w.deleted) AS writes
    FROM foreshard._load w WHERE w.shard OPERATOR(pg_catalog.=) s.shard
        AND w.slot OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.make_interval(hours => 2))
        AND w.slot OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => 2 OPERATOR(pg_catalog.*) w.slot_seconds))
) l ON l.watched OPERATOR(pg_catalog.>) 0;
COMMENT ON VIEW foreshard.shards IS 'the shards of restored tables: node, bound (within that of its part, for two levels), rows as last analyzed, bytes with indexes, and what the monitor saw of them in the last minutes: temperature is the load over the mean of the table''s shards';

CREATE VIEW foreshard.tables AS
SELECT t.relation, t.method, t.shard_key,
       CASE WHEN t.method OPERATOR(pg_catalog.=) ANY ('{reference,none}') THEN 1
            ELSE (SELECT pg_catalog.count(*)::pg_catalog.int4 FROM foreshard._shards s
                  JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) s.shard AND c.relispartition
                  WHERE s.relation OPERATOR(pg_catalog.=) t.relation) END AS shard_count,
       t.plan_id, t.job_id, t.backup, t.checksum, t.restored_at, t.within
FROM foreshard._tables t
WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) t.relation);
COMMENT ON VIEW foreshard.tables IS 'restored tables with the strategy that they were restored with';
