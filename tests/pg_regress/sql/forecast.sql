-- Load histories: what is forecast from them, what a plan makes of that, and what is refused.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
SET client_min_messages = warning;
SET timezone = 'UTC';
DROP SCHEMA IF EXISTS ops CASCADE;
CREATE SCHEMA ops;
-- Two weeks of quarters of an hour: busy from 8 to 18, growing by a gigabyte a day.
CREATE TABLE ops.load AS
SELECT t AS ts, CASE WHEN extract(hour FROM t) BETWEEN 8 AND 17 THEN 9000 ELSE 1000 END + n * 7919 % 101 AS rate,
       2 + n * 31 % 7 / 10.0 AS mean_ms, 100000000000 + n::bigint * 10800000 AS bytes
FROM (SELECT n, timestamptz '2026-03-02 00:00 UTC' + n * interval '15 minutes' AS t FROM generate_series(0, 1343) AS n) AS s;
-- Copies of the query log, one an hour for three days: of the shop's statements, of which those on orders count; a reset
-- after a day, and a statement that is evicted for a while.
CREATE TABLE ops.log_copies AS
SELECT timestamptz '2026-03-02 00:00 UTC' + h * interval '1 hour' AS taken, q.queryid, q.query,
       (CASE WHEN h < 24 THEN h + 1 ELSE h - 23 END) * 3600 * (q.queryid % 4 + 1) AS calls,
       (CASE WHEN h < 24 THEN h + 1 ELSE h - 23 END) * 3600 * (q.queryid % 4 + 1) * 0.5::float8 AS total_exec_time
FROM generate_series(0, 71) AS h, test.query_log AS q
WHERE NOT (q.queryid = 5 AND h BETWEEN 30 AND 40);
\set ECHO all
\pset null -

-- Series are found by the usual names; concurrency is Little's law's.
SELECT series, count(*), min(time), max(time), round(avg(expected)::numeric, -1) AS expected, bool_and(lower <= expected AND expected <= upper) AS ordered
FROM foreshard.forecast('ops.load') GROUP BY series ORDER BY series;
SELECT time::time, round(expected::numeric, -3) AS expected FROM foreshard.forecast('ops.load', '{"horizon": "1 day", "rate": "rate"}')
WHERE series = 'rate' AND extract(minute FROM time) = 30 ORDER BY time;
-- Any relation with a time and a number will do; times without a zone are in UTC.
CREATE VIEW ops.plain AS SELECT ts::timestamp AS at, rate::numeric AS "Some load" FROM ops.load;
SELECT DISTINCT series, min(time) OVER (), left(because, 35) AS because FROM foreshard.forecast('ops.plain', '{"horizon": "12 hours"}');
SELECT count(*), max(upper - lower) > 0 AS has_width FROM foreshard.forecast('ops.load', '{"value": "rate", "horizon": "15 minutes", "level": 0.99}');
-- Copies of the query log are of all statements here.
SELECT series, count(*), round(avg(expected)::numeric, 1) AS expected, min(because) AS because
FROM foreshard.forecast('ops.log_copies', '{"horizon": "6 hours"}') GROUP BY series ORDER BY series;
-- Little history is an answer.
CREATE TABLE ops.few (at timestamptz, rate float8, bytes bigint);
INSERT INTO ops.few VALUES ('2026-03-02 10:00 UTC', 60, 1000);
SELECT series, time, round(expected::numeric, 2) AS expected, round(lower::numeric, 2) AS lower, round(upper::numeric, 2) AS upper, because
FROM foreshard.forecast('ops.few', '{"horizon": "2 minutes"}');
-- What is wrong with samples is repaired, and said.
INSERT INTO ops.few SELECT timestamptz '2026-03-02 10:00 UTC' + n * interval '1 hour', 60, 1000 + n FROM generate_series(1, 200) AS n;
INSERT INTO ops.few VALUES ('2026-03-03 10:00 UTC', -1, 1000), ('2026-03-03 11:00 UTC', 'NaN', 1000), ('2026-03-03 12:00 UTC', NULL, NULL),
    ('infinity', 1, 1), (NULL, 1, 1), ('2026-03-04 12:00 UTC', 60, 1000), ('2036-03-04 12:00 UTC', 60, 1000), ('1970-01-01 UTC', 60, 1000);
SELECT DISTINCT series, CASE series WHEN 'rate' THEN substr(because, position('; 1 of' IN because) + 2) ELSE because END AS because
FROM foreshard.forecast('ops.few', '{"horizon": "1 hour"}') ORDER BY series;
-- Nothing is written, and the session keeps its settings: a read-only transaction will do.
BEGIN READ ONLY;
SELECT count(*) FROM foreshard.forecast('ops.load', '{"horizon": "1 hour"}');
COMMIT;

-- A plan with a history: its count, its document and its text.
CREATE FUNCTION test.plan(config jsonb) RETURNS bigint LANGUAGE sql AS $$
    SELECT plan_id FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), '{"query_log": "test.query_log"}'::jsonb || config) WHERE chosen
$$;
\set plan 'SELECT jsonb_pretty(plan -> ''forecast'' #- ''{series}'') AS forecast, plan -> ''next_split'' AS next_split, plan #> ''{count,decided_by}'' AS decided_by, plan #> ''{count,count}'' AS count FROM foreshard._plans WHERE id ='
\x on
SELECT test.plan('{"history": "ops.load"}') AS id \gset
:plan :id;
SELECT s ->> 'metric' AS metric, s ->> 'name' AS name, s ->> 'from' AS "from", s ->> 'until' AS until, s ->> 'slots' AS slots, s ->> 'interval' AS interval,
       round((s ->> 'now')::numeric, 1) AS now, round((s ->> 'expected')::numeric, 1) AS expected, s ->> 'tried' AS tried,
       (s ->> 'peak')::numeric > (s ->> 'now')::numeric AS peak_above, s ->> 'per_day' AS per_day, jsonb_array_length(s -> 'days') AS days
FROM foreshard._plans, jsonb_array_elements(plan #> '{forecast,series}') AS s WHERE id = :id;
\x off
\pset format unaligned
\pset tuples_only on
SELECT line FROM foreshard.explain(:id), regexp_split_to_table(explain, '\n(?!    )') AS line WHERE line ~ '^  (Forecast|Next split):';
SELECT b ->> 'name', substring(b ->> 'because' FROM 'growing [0-9.]+-fold|^[0-9,]+ (?:statements|clients)') FROM foreshard._plans, jsonb_array_elements(plan #> '{count,bounds}') AS b WHERE id = :id AND b ->> 'name' IN ('volume', 'throughput', 'concurrency');
-- What the config says itself holds.
SELECT test.plan('{"history": "ops.load", "throughput": 100, "concurrency": 3, "growth": 1.5}') AS id \gset
SELECT b ->> 'name', substring(b ->> 'because' FROM 'growing [0-9.]+-fold|^[0-9,]+ (?:statements|clients)') FROM foreshard._plans, jsonb_array_elements(plan #> '{count,bounds}') AS b WHERE id = :id AND b ->> 'name' IN ('volume', 'throughput', 'concurrency');
-- The same history, however it lies, gives the same plan.
CREATE TABLE ops.turned AS SELECT * FROM ops.load ORDER BY md5(ts::text);
SELECT test.plan('{"history": {"relation": "ops.load", "time": "ts"}}') AS a, test.plan('{"history": "ops.turned"}') AS b \gset
SELECT count(DISTINCT plan - 'hash' #- '{forecast,source}') FROM foreshard._plans WHERE id IN (:a, :b);
-- The next split: when it is near, forced to be, and where nothing grows.
SELECT test.plan('{"history": "ops.load", "method": "none"}') AS id \gset
SELECT (plan -> 'next_split') - 'because' FROM foreshard._plans WHERE id = :id;
CREATE VIEW ops.sizes AS SELECT ts, bytes FROM ops.load;
SELECT test.plan('{"history": "ops.sizes", "method": "none", "target_shard_size": "1MB"}') AS id \gset
SELECT plan -> 'next_split' FROM foreshard._plans WHERE id = :id;
SELECT test.plan('{"history": "ops.few", "horizon": "1 hour"}') AS id \gset
SELECT line FROM foreshard.explain(:id), regexp_split_to_table(explain, '\n(?!    )') AS line WHERE line ~ '^  (Forecast|Next split):';
-- Of copies of the query log the statements on the table count.
SELECT test.plan('{"history": "ops.log_copies", "horizon": "1 day"}') AS id \gset
SELECT line FROM foreshard.explain(:id), regexp_split_to_table(explain, '\n(?!    )') AS line WHERE line ~ '^  (Forecast|Next split):';
CREATE TABLE ops.one_copy AS SELECT * FROM ops.log_copies WHERE taken = (SELECT min(taken) FROM ops.log_copies);
SELECT test.plan('{"history": "ops.one_copy"}') AS id \gset
SELECT line FROM foreshard.explain(:id), regexp_split_to_table(explain, '\n(?!    )') AS line WHERE line ~ '^  (Forecast|Next split):';
-- A stored plan keeps its forecast.
SELECT count(*) FROM restore_table('shop.orders', test.backup('shop.dump'), format('{"plan": %s}', :id)::jsonb);
DROP TABLE shop.orders;

-- What is refused.
SELECT test.fails($$SELECT foreshard.forecast(NULL)$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.nothing')$$);
SELECT test.fails($$SELECT foreshard.forecast('a.b.c')$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.load', '{"horizon": "7 moons", "level": "high", "when": 1}')$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.load', '{"horizon": "2 years", "level": 1}')$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.load', '{"horizon": 7.5}')$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.load', '{"horizon": "500 weeks", "level": 2}')$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.load', '{"rate": "Rate", "time": "rate", "bytes": "ts"}')$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.load', '{"rate": "rate; DROP TABLE ops.load"}')$$);
CREATE TABLE ops.odd (a timestamptz, b date, name text);
SELECT test.fails($$SELECT foreshard.forecast('ops.odd')$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.odd', '{"time": "a"}')$$);
SELECT test.fails($$SELECT foreshard.forecast('test.query_log')$$);
CREATE TABLE ops.empty (ts timestamptz, rate float8);
SELECT test.fails($$SELECT foreshard.forecast('ops.empty')$$);
INSERT INTO ops.empty VALUES (now(), 'NaN'), (now() - interval '1 hour', -4), (now() - interval '2 hours', 1), (now() - interval '3 hours', -7);
SELECT test.fails($$SELECT foreshard.forecast('ops.empty')$$);
SELECT test.fails($$SELECT foreshard.forecast('ops.one_copy')$$);
CREATE VIEW ops.broken AS SELECT ts, 1 / (rate::int - rate::int) AS rate FROM ops.load;
SELECT test.fails($$SELECT foreshard.forecast('ops.broken')$$);
SELECT test.refused('shop.orders', 'shop.dump', '{"history": 7}');
SELECT test.refused('shop.orders', 'shop.dump', '{"history": {"time": "ts"}}');
SELECT test.refused('shop.orders', 'shop.dump', '{"history": {"relation": "ops.load", "tps": "x"}}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "horizon": "1 day"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "history": "ops.load", "horizon": "1 second"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "nowhere.log", "history": "ops.nothing", "nodes": ["x"]}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "history": "ops.empty"}');
-- It is read with the caller's rights.
CREATE ROLE regress_planner;
GRANT USAGE ON SCHEMA foreshard, test, ops TO regress_planner;
GRANT EXECUTE ON FUNCTION foreshard.forecast TO regress_planner;
SET ROLE regress_planner;
SELECT foreshard.forecast('ops.load');
RESET ROLE;

\set ECHO none
DROP EXTENSION foreshard;
DROP SCHEMA test, original, shop, ops CASCADE;
DROP OWNED BY regress_planner;
DROP ROLE regress_planner;
