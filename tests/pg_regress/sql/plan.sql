-- What plan_restore recommends for each table of a small shop, and that the same input gives the same plan.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
\set ECHO all
\pset null -
\set log '{"query_log": "test.query_log", "growth": 2}'

-- Every candidate for each table, best first.
SELECT name, rank, chosen, method, shard_key, shard_count AS count, round(cost::numeric, 2) AS cost
FROM unnest('{countries,customers,orders,items,events}'::text[]) WITH ORDINALITY AS t(name, place),
     foreshard.plan_restore('shop.' || name, test.backup('shop.dump'), :'log')
ORDER BY place, rank;

-- The choices with their reasons, and why others may not be chosen.
\x on
SELECT name, method, shard_key, because
FROM unnest('{countries,customers,orders,items,events}'::text[]) WITH ORDINALITY AS t(name, place),
     foreshard.plan_restore('shop.' || name, test.backup('shop.dump'), :'log')
WHERE chosen ORDER BY place;
SELECT method, shard_key, rejected FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), :'log') WHERE rejected IS NOT NULL;
SELECT jsonb_pretty(evidence) AS evidence FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), :'log') WHERE chosen;
\x off

-- The plans are stored; nothing else is done.
SELECT DISTINCT plan_id FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), :'log') \gset
SELECT :plan_id = max(plan_id) AS is_the_newest FROM foreshard.plans;
SELECT target, made_by = current_user AS mine, test.masked(backup) AS backup, method, shard_key, shard_count, length(hash) AS hash_length
FROM foreshard.plans ORDER BY plan_id DESC LIMIT 1;
SELECT count(*) FROM pg_class WHERE relnamespace = 'shop'::regnamespace;
SELECT (SELECT count(*) FROM foreshard.jobs) AS jobs, (SELECT count(*) FROM foreshard.tables) AS tables, (SELECT count(*) FROM foreshard.shards) AS shards;

-- The same input gives the same plan, byte for byte, whatever the session's settings are and however the log is ordered.
CREATE VIEW test.query_log_turned AS SELECT * FROM test.query_log ORDER BY queryid DESC;
CREATE FUNCTION test.plan(target text, config jsonb, file text DEFAULT 'shop.dump') RETURNS bigint LANGUAGE sql AS $$
    SELECT DISTINCT plan_id FROM foreshard.plan_restore(target, test.backup(file), config)
$$;
SELECT test.plan('shop.orders', :'log') AS a \gset
SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'; SET extra_float_digits = -10; SET search_path = pg_temp, shop; SET bytea_output = escape; SET intervalstyle = iso_8601;
SELECT test.plan('shop.orders', :'log') AS b \gset
RESET timezone; RESET datestyle; RESET extra_float_digits; RESET search_path; RESET bytea_output; RESET intervalstyle;
SELECT test.plan('shop.orders', :'log', 'shop.dir') AS c \gset
SELECT test.plan('shop.orders', :'log', 'shop.tar') AS d \gset
SELECT test.plan('shop.orders', :'log', 'shop.sql') AS e \gset
SELECT count(DISTINCT plan) AS plans, count(DISTINCT hash) AS hashes
FROM foreshard._plans JOIN foreshard.plans ON plan_id = id WHERE id IN (:a, :b);
-- The formats tell the sizes of the other tables more or less exactly; all else is the same.
SELECT count(DISTINCT (plan -> 'layout', plan -> 'count', plan -> 'candidates' -> 0 -> 'evidence' -> 'statements', plan -> 'notes')) AS choices,
    bool_and(NOT jsonb_path_exists(plan, '$.joint.tables[*] ? (!exists(@.bytes))')) AS sizes_told
FROM foreshard._plans WHERE id IN (:a, :c, :d, :e);
SELECT test.plan('shop.orders', '{"query_log": "test.query_log_turned", "growth": 2}') AS f \gset
SELECT count(DISTINCT plan - 'hash' - 'basis') AS plans FROM foreshard._plans WHERE id IN (:a, :f);
-- The hash is of the content: another plan has another.
SELECT test.plan('shop.orders', :'log'::jsonb || '{"shard_count": 3}') AS g \gset
SELECT count(DISTINCT hash) AS hashes FROM foreshard.plans WHERE plan_id IN (:a, :g);

-- The plan in words.
\pset format unaligned
\pset tuples_only on
SELECT foreshard.explain(:a);
SELECT foreshard.explain(test.plan('shop.countries', :'log'));
SELECT foreshard.explain(test.plan('shop.events', :'log'));
-- One that is not there.
SELECT test.fails('SELECT foreshard.explain(0)');
SELECT test.fails('SELECT foreshard.explain(-1)');
SELECT foreshard.explain(NULL) IS NULL AS nothing_of_nothing;
-- One of another version.
UPDATE foreshard._plans SET plan = '{"version": 0}' WHERE id = :g;
SELECT replace(test.fails(format('SELECT foreshard.explain(%s)', :g)), :'g', 'N');
SELECT replace(test.refused('shop.orders', 'shop.dump', jsonb_build_object('plan', :g)), :'g', 'N');

\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION foreshard;
DROP SCHEMA test, original, shop CASCADE;
