-- The functions. restore_table stands in the schema chosen at CREATE EXTENSION, everything else in schema foreshard.

CREATE FUNCTION restore_table(target pg_catalog.text, backup pg_catalog.text, config pg_catalog.jsonb DEFAULT '{}')
RETURNS TABLE (job_id pg_catalog.int8, plan_id pg_catalog.int8, relation pg_catalog.regclass, method pg_catalog.text,
               shard_key pg_catalog.text[], shard_count pg_catalog.int4, rows pg_catalog.int8,
               seconds pg_catalog.float8, notes pg_catalog.jsonb, within pg_catalog.jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'restore_table_wrapper';
COMMENT ON FUNCTION restore_table(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS
    'restores one table of a backup into the shards that its query log, its rows and the nodes ask for';

CREATE FUNCTION foreshard.plan_restore(target pg_catalog.text, backup pg_catalog.text, config pg_catalog.jsonb DEFAULT '{}')
RETURNS TABLE (rank pg_catalog.int4, chosen pg_catalog.bool, method pg_catalog.text, shard_key pg_catalog.text[],
               shard_count pg_catalog.int4, cost pg_catalog.float8, because pg_catalog.text, rejected pg_catalog.text,
               evidence pg_catalog.jsonb, plan_id pg_catalog.int8, within pg_catalog.jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'plan_restore_wrapper';
COMMENT ON FUNCTION foreshard.plan_restore(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS
    'says what restore_table would do with the same arguments: one row for each candidate layout, best first';

CREATE FUNCTION foreshard.explain(plan_id pg_catalog.int8) RETURNS pg_catalog.text
LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'explain_wrapper';
COMMENT ON FUNCTION foreshard.explain(pg_catalog.int8) IS
    'tells a plan in words: what was chosen, because of what, and what was not';

CREATE FUNCTION foreshard.plan_sql(plan_id pg_catalog.int8, target pg_catalog.text DEFAULT 'plain') RETURNS pg_catalog.text
LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'plan_sql_wrapper';
COMMENT ON FUNCTION foreshard.plan_sql(pg_catalog.int8, pg_catalog.text) IS
    'writes a plan as SQL for servers without this extension: target plain (partitions made by hand) or citus';

CREATE FUNCTION foreshard.replay(plan_id pg_catalog.int8, config pg_catalog.jsonb DEFAULT '{}')
RETURNS TABLE (rank pg_catalog.int4, method pg_catalog.text, shard_key pg_catalog.text[], shard_count pg_catalog.int4,
               statement pg_catalog.int8, query pg_catalog.text, calls_share pg_catalog.float8, predicted pg_catalog.text,
               predicted_shards pg_catalog.float8, shards pg_catalog.float8, latency_ms pg_catalog.float8,
               runs pg_catalog.int4, not_replayed pg_catalog.text, within pg_catalog.jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'replay_wrapper';
COMMENT ON FUNCTION foreshard.replay(pg_catalog.int8, pg_catalog.jsonb) IS
    'runs the logged statements on a sharded sample of the backup: what a plan predicts of them beside what they met';

CREATE FUNCTION foreshard._running()
RETURNS TABLE (pid pg_catalog.int4, target pg_catalog.text, role pg_catalog.oid, started_at pg_catalog.timestamptz, phase pg_catalog.text,
               phase_started_at pg_catalog.timestamptz, rows pg_catalog.int8, bytes pg_catalog.int8, bytes_total pg_catalog.int8,
               message pg_catalog.text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'running_wrapper';
COMMENT ON FUNCTION foreshard._running() IS
    'restores under way in this database, of the roles that the caller may see; the view foreshard.jobs shows them';

CREATE FUNCTION foreshard.cancel_job(job_id pg_catalog.int8) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cancel_job_wrapper';
COMMENT ON FUNCTION foreshard.cancel_job(pg_catalog.int8) IS
    'ends a job that changes the shape of a table, and undoes what it did; drops what was kept of a restore that failed (one that is under way ends by pg_cancel_backend)';

CREATE FUNCTION foreshard.forecast(relation pg_catalog.text, config pg_catalog.jsonb DEFAULT '{}')
RETURNS TABLE (series pg_catalog.text, "time" pg_catalog.timestamptz, expected pg_catalog.float8, lower pg_catalog.float8,
               upper pg_catalog.float8, because pg_catalog.text)
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'forecast_wrapper';
COMMENT ON FUNCTION foreshard.forecast(pg_catalog.text, pg_catalog.jsonb) IS
    'forecasts the loads of a relation with a time, or of copies of pg_stat_statements: what to expect of each slot ahead, with an interval';

CREATE FUNCTION foreshard.verify_table(relation pg_catalog.regclass)
RETURNS TABLE (shard pg_catalog.regclass, node pg_catalog.text, rows pg_catalog.int8, misplaced_rows pg_catalog.int8,
               checksum pg_catalog.text, ok pg_catalog.bool)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'verify_table_wrapper';
COMMENT ON FUNCTION foreshard.verify_table(pg_catalog.regclass) IS
    'reads every shard of a table: rows, rows that belong elsewhere, and a checksum that does not depend on their order';

CREATE FUNCTION foreshard.add_node(name pg_catalog.text, tablespace pg_catalog.text DEFAULT NULL, server pg_catalog.text DEFAULT NULL,
                                   capacity pg_catalog.float8 DEFAULT 1.0, zone pg_catalog.text DEFAULT '',
                                   serves pg_catalog.text[] DEFAULT '{}', replication pg_catalog.text DEFAULT '')
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'add_node_wrapper';
COMMENT ON FUNCTION foreshard.add_node(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.float8, pg_catalog.text, pg_catalog.text[], pg_catalog.text) IS
    'registers a place for shards: a tablespace of this server, its default one, or a foreign server of postgres_fdw';

CREATE FUNCTION foreshard.alter_node(name pg_catalog.text, capacity pg_catalog.float8 DEFAULT NULL, zone pg_catalog.text DEFAULT NULL,
                                     serves pg_catalog.text[] DEFAULT NULL, active pg_catalog.bool DEFAULT NULL,
                                     replication pg_catalog.text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'alter_node_wrapper';
COMMENT ON FUNCTION foreshard.alter_node(pg_catalog.text, pg_catalog.float8, pg_catalog.text, pg_catalog.text[], pg_catalog.bool, pg_catalog.text) IS
    'changes what is given of a node; the next plan follows it';

CREATE FUNCTION foreshard.remove_node(name pg_catalog.text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'remove_node_wrapper';
COMMENT ON FUNCTION foreshard.remove_node(pg_catalog.text) IS 'forgets a node that has no shards';

CREATE FUNCTION foreshard.sweep_nodes("all" pg_catalog.bool DEFAULT false)
RETURNS TABLE (node pg_catalog.text, target pg_catalog.text, relation pg_catalog.text, bytes pg_catalog.int8)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sweep_nodes_wrapper';
COMMENT ON FUNCTION foreshard.sweep_nodes(pg_catalog.bool) IS
    'drops on all nodes the shards of tables that are not in this database any more: one row for each table on each node';

CREATE FUNCTION foreshard.calibrate(node pg_catalog.text, config pg_catalog.jsonb DEFAULT '{}')
RETURNS TABLE (measure pg_catalog.text, value pg_catalog.float8, unit pg_catalog.text, note pg_catalog.text)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'calibrate_wrapper';
COMMENT ON FUNCTION foreshard.calibrate(pg_catalog.text, pg_catalog.jsonb) IS
    'measures for some seconds what a node bears, in scratch tables of which nothing stays; the next plan follows it';
