CREATE SCHEMA ops;

CREATE TABLE ops.query_log AS
SELECT s.* FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
WHERE d.datname = current_database();

SELECT calls, round(total_exec_time) AS ms, left(query, 76) AS query
FROM ops.query_log ORDER BY calls DESC LIMIT 5;
