-- Nothing is for PUBLIC: plans hold values of the data, and restoring reads files of the server.
-- A role that shall use foreshard gets these: USAGE on the schema, EXECUTE on the functions, SELECT, INSERT, UPDATE and
-- DELETE on the tables, and membership in pg_read_server_files.

REVOKE ALL ON FUNCTION restore_table(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA foreshard FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA foreshard FROM PUBLIC;
REVOKE ALL ON SCHEMA foreshard FROM PUBLIC;
GRANT USAGE ON SCHEMA foreshard TO pg_monitor;
GRANT SELECT ON foreshard.nodes, foreshard.jobs, foreshard.tables, foreshard.shards TO pg_monitor;
GRANT SELECT ON foreshard.load_history, foreshard.health, foreshard.decisions, foreshard.node_states, foreshard.hot_values, foreshard.sampled_keys TO pg_monitor;
GRANT SELECT ON foreshard.shard_metrics, foreshard.table_metrics, foreshard.health_metrics, foreshard.node_metrics, foreshard.job_metrics, foreshard.decision_metrics TO pg_monitor;
GRANT EXECUTE ON FUNCTION foreshard.heatmap(pg_catalog.regclass) TO pg_monitor;
-- Views call them.
GRANT EXECUTE ON FUNCTION foreshard._running(), foreshard._shows_values(pg_catalog.oid), foreshard._sampled_keys(), foreshard._hot_values() TO pg_monitor;
