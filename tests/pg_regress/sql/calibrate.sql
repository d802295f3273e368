-- Measuring what a node bears: figures differ from run to run, so only that they are there is shown.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
SET client_min_messages = warning;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_measured LOCATION '';
CREATE ROLE regress_prober LOGIN;
CREATE ROLE regress_group;
-- Scratch tables of other processes are looked at as well.
CREATE FUNCTION test.scratch() RETURNS bigint LANGUAGE sql AS
    $$SELECT count(*) FROM pg_class WHERE relname LIKE 'foreshard_calibration%'$$;
-- Processes of a calibration once all had time to go.
CREATE FUNCTION test.processes() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    FOR i IN 1 .. 1000 LOOP
        PERFORM pg_stat_clear_snapshot();
        SELECT count(*) INTO n FROM pg_stat_activity WHERE backend_type = 'foreshard calibration client';
        EXIT WHEN n = 0;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN n;
END $$;
\set ECHO all
\pset null -
SELECT foreshard.add_node('a', tablespace => 'regress_measured');
SELECT foreshard.add_node('b');

SELECT measure, value > 0 OR measure IN ('clients', 'planning') AS measured, unit FROM foreshard.calibrate('a', '{"seconds": 0.5, "clients": 2}');
-- Kept with its date, and shown.
SELECT name, reads_per_second > 0 AS reads, writes_per_second > 0 AS writes, scan_mb_per_second > 0 AS scan,
       copy_rows_per_second > 0 AS copy, copy_mb_per_second > 0 AS bytes, planning_us_per_partition >= 0 AS planning,
       calibrated_at BETWEEN now() - interval '1 hour' AND clock_timestamp() AS dated, calibrated_by = current_user AS by_us,
       server_version = current_setting('server_version') AS of_this_version
FROM foreshard.nodes ORDER BY name;
-- Two clients were there at the same time, where the server had places for them.
SELECT kind, jsonb_path_query_array(details, '$.*.seen[*].clients') AS clients
FROM foreshard._calibrations, (VALUES ('both')) AS t(kind);
-- One client alone; the same node again replaces what was known.
SELECT count(*) FROM foreshard.calibrate('a', '{"seconds": 0.2, "clients": 1}');
SELECT count(*), bool_and(jsonb_array_length(details #> '{reads,seen}') = 1) AS one_client FROM foreshard._calibrations;
-- Nothing stays.
SELECT test.scratch() AS left_behind;

-- What was measured on another server says nothing of this one.
BEGIN;
UPDATE foreshard._calibrations SET system_identifier = 1;
SELECT name, calibrated_at FROM foreshard.nodes ORDER BY name;
ROLLBACK;

\pset format unaligned
\pset tuples_only on
-- What is refused.
SELECT test.fails($$SELECT foreshard.calibrate('no such node')$$);
SELECT test.fails($$SELECT foreshard.calibrate(NULL)$$);
SELECT test.fails($$SELECT foreshard.calibrate('a', '{"seconds": 0, "clients": 1000}')$$);
SELECT test.fails($$SELECT foreshard.calibrate('a', '{"second": 1}')$$);
SELECT test.fails($$SELECT foreshard.calibrate('a', '[]')$$);
SELECT test.fails($$SET LOCAL search_path = nowhere; SELECT foreshard.calibrate('a', '{"seconds": 0.2}')$$);
-- No node is a foreign server yet; one that were could not be measured from here.
INSERT INTO foreshard._nodes (name, server) VALUES ('far', 'far_away');
SELECT test.fails($$SELECT foreshard.calibrate('far')$$);
DELETE FROM foreshard._nodes WHERE name = 'far';
BEGIN READ ONLY;
SELECT foreshard.calibrate('a');
ROLLBACK;

-- It can be cancelled, here while others work for it, and then nothing stays: no table, no process, and what was known before.
SET statement_timeout = '1s';
SELECT foreshard.calibrate('b', '{"seconds": 60}');
RESET statement_timeout;
SELECT test.processes();
SELECT test.scratch();
SELECT name FROM foreshard.nodes WHERE calibrated_at IS NOT NULL;

-- The query log does not count it.
SELECT count(*) FROM foreshard.nodes;
CREATE EXTENSION pg_stat_statements SCHEMA test;
SET pg_stat_statements.track = 'all';
SELECT count(*) FROM foreshard.calibrate('a', '{"seconds": 0.2, "clients": 2}');
SELECT count(*) FROM test.pg_stat_statements WHERE query LIKE '%foreshard_calibration%';
RESET pg_stat_statements.track;

-- It is for those who may change nodes, and create where it makes its tables.
GRANT EXECUTE ON FUNCTION foreshard.calibrate TO regress_prober, regress_group;
GRANT USAGE ON SCHEMA foreshard, test TO regress_prober, regress_group;
GRANT SELECT ON ALL TABLES IN SCHEMA foreshard TO regress_prober, regress_group;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test TO regress_prober;
CREATE SCHEMA scratch;
ALTER FUNCTION test.traces() SECURITY DEFINER;
SET search_path = scratch;
SET ROLE regress_prober;
SELECT test.fails($$SELECT foreshard.calibrate('a', '{"seconds": 0.2, "clients": 1}')$$);
RESET ROLE;
GRANT UPDATE ON foreshard._nodes TO regress_prober, regress_group;
SET ROLE regress_prober;
SELECT test.fails($$SELECT foreshard.calibrate('a', '{"seconds": 0.2, "clients": 1}')$$);
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA scratch TO regress_prober, regress_group;
SET ROLE regress_prober;
SELECT test.fails($$SELECT foreshard.calibrate('a', '{"seconds": 0.2, "clients": 1}')$$);
RESET ROLE;
GRANT CREATE ON TABLESPACE regress_measured TO regress_prober, regress_group;
SET ROLE regress_prober;
SELECT test.fails($$SELECT foreshard.calibrate('a', '{"seconds": 0.2, "clients": 1}')$$);
RESET ROLE;
GRANT INSERT, UPDATE ON foreshard._calibrations TO regress_prober, regress_group;
SET ROLE regress_prober;
SELECT count(*) FROM foreshard.calibrate('a', '{"seconds": 0.2, "clients": 2}');
RESET ROLE;
SELECT calibrated_by, jsonb_path_query_array(details, '$.reads.seen[*].clients') FROM foreshard._calibrations;
-- A role that may not log in has no other processes to work for it.
SET ROLE regress_group;
SELECT note ~ 'may not log in' FROM foreshard.calibrate('a', '{"seconds": 0.2, "clients": 2}') WHERE measure = 'writes';
RESET ROLE;
RESET search_path;
SELECT test.scratch();

-- A node takes what was measured of it along when it goes.
SELECT foreshard.remove_node('a');
SELECT count(*) FROM foreshard._calibrations;

\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION pg_stat_statements;
DROP EXTENSION foreshard;
DROP SCHEMA test, scratch CASCADE;
DROP OWNED BY regress_prober, regress_group;
DROP ROLE regress_prober, regress_group;
DROP TABLESPACE regress_measured;
