-- Replaying logged statements on a sharded sample: what the plan predicts is met, and a log that anyone can write into
-- cannot make the one who replays it run anything.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
\set ECHO all
\pset null -
CREATE FUNCTION test.plan(target text, config jsonb) RETURNS bigint LANGUAGE sql AS $$
    SELECT DISTINCT plan_id FROM foreshard.plan_restore(target, test.backup('shop.dump'), config)
$$;
-- Nothing but latencies differs from run to run.
CREATE FUNCTION test.replayed(plan_id bigint, config jsonb DEFAULT '{}')
RETURNS TABLE (rank int, layout text, statement bigint, share numeric, predicted text, of float8, shards numeric, runs int, not_replayed text)
LANGUAGE sql AS $$
    SELECT rank, concat_ws(' ', method, array_to_string(shard_key, ','), within ->> 'method', within ->> 'key', shard_count), statement, round(calls_share::numeric, 3), predicted,
           predicted_shards, round(shards::numeric, 2), runs, not_replayed
    FROM foreshard.replay(plan_id, config) WHERE (latency_ms > 0) = (not_replayed IS NULL) OR latency_ms IS NULL
$$;

-- The statements of a shop, under the choice, its runner-up and a plain table.
SELECT test.plan('shop.orders', '{"query_log": "test.query_log", "growth": 2}') AS plan \gset
SELECT * FROM test.replayed(:plan);
-- Planned only: where rows will be inserted is known only when they come.
SELECT statement, shards FROM test.replayed(:plan, '{"mode": "explain"}') WHERE rank = 1;
-- Of two levels both are told.
SELECT test.plan('shop.orders', '{"query_log": "test.query_log", "shard_key": ["id"], "shard_count": 4, "within": {"shard_key": ["customer_id"], "shard_count": 2}}') AS levels \gset
SELECT rank, layout, statement, predicted, of, shards FROM test.replayed(:levels, '{"statements": 2}');
-- No config is an empty one.
SELECT count(*) FROM foreshard.replay(:plan, NULL);
-- The same again, and nothing has stayed.
SELECT count(*) FROM (SELECT * FROM test.replayed(:plan) EXCEPT ALL SELECT * FROM test.replayed(:plan)) AS different;
SELECT count(*) FROM pg_class WHERE relname LIKE 'foreshard_replay%';
SELECT count(*), sum(hashtextextended(o::text, 0)) = (SELECT sum(hashtextextended(o::text, 0)) FROM original.orders o) FROM original.orders o;

-- All kinds of statements, on four shards by customer.
TRUNCATE test.query_log;
INSERT INTO test.query_log (queryid, calls, total_exec_time, query) SELECT n, 1000 - n, 1, query FROM unnest(ARRAY[
    'SELECT * FROM shop.orders WHERE customer_id = $1',
    'SELECT * FROM orders WHERE id = $1',
    'SELECT shop.orders.id FROM shop.orders WHERE shop.orders.customer_id = $1 AND placed_at > now() - interval $2',
    'SELECT count(*) FROM shop.orders WHERE customer_id IN ($1, $2)',
    'SELECT count(*) FROM shop.orders WHERE customer_id = ANY ($1)',
    'SELECT count(*) FROM shop.orders WHERE placed_at BETWEEN $1 AND $2',
    'SELECT count(*) FROM shop.orders WHERE status LIKE $1 AND customer_id = $2',
    'WITH orders AS (SELECT * FROM shop.orders WHERE customer_id = $1) SELECT count(*) FROM orders',
    'WITH mine AS (SELECT * FROM shop.orders) SELECT count(*) FROM mine JOIN shop.customers c ON c.id = mine.customer_id WHERE c.email = $1',
    'SELECT (SELECT count(*) FROM shop.items i WHERE i.customer_id = o.customer_id) FROM shop.orders o WHERE o.customer_id = $1 ORDER BY $2 LIMIT $3 OFFSET $4',
    'SELECT id FROM shop.orders WHERE customer_id = $1 FOR UPDATE',
    'SELECT id FROM shop.orders o WHERE customer_id = $1 FOR UPDATE OF o SKIP LOCKED',
    'INSERT INTO shop.orders (customer_id, status, total, placed_at) VALUES ($1, $2, $3 * $4, now()) RETURNING id',
    'INSERT INTO shop.orders (id, customer_id, status, total, placed_at) VALUES ($1, $2, $3, $4, $5), ($6, $7, $8, $9, $10)',
    'INSERT INTO shop.orders (customer_id, status, total, placed_at) SELECT $1, $2, total, now() FROM shop.orders WHERE customer_id = $3',
    'INSERT INTO shop.orders (id, customer_id, status, total, placed_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET status = $6',
    'UPDATE shop.orders SET total = total + $1 * $2, note = concat_ws($3, note, $4) WHERE customer_id = $5 AND id = $6',
    'UPDATE shop.orders o SET customer_id = $1 WHERE o.customer_id = $2 AND o.id = $3',
    'DELETE FROM shop.orders USING shop.customers c WHERE c.id = orders.customer_id AND orders.customer_id = $1',
    'MERGE INTO shop.orders o USING (VALUES ($1::bigint, $2::bigint)) AS v (id, c) ON o.id = v.id AND o.customer_id = v.c WHEN MATCHED THEN UPDATE SET status = $3 WHEN NOT MATCHED THEN DO NOTHING',
    'DECLARE c CURSOR FOR SELECT * FROM shop.orders WHERE customer_id = 7',
    'SELECT count(*) FROM ONLY shop.orders WHERE random() < $1',
    'SELECT count(*) FROM shop.orders WHERE customer_id IN (SELECT id FROM shop.customers WHERE email = $1) AND customer_id = $2',
    'SELECT coalesce(a.id, $1) FROM shop.orders a LEFT JOIN shop.orders b USING (customer_id) WHERE a.customer_id = $2 UNION SELECT id FROM shop.orders WHERE customer_id = $3',
    'SELECT count(*) FROM shop.orders a, shop.orders b, shop.orders c WHERE a.total + b.total + c.total < $1 - $2',
    'SELECT count(*) FROM shop.orders WHERE no_such_column = $1',
    'SELECT 1 / (customer_id - customer_id) FROM shop.orders WHERE customer_id = $1',
    'SELECT count(*) FROM shop.orders, shop.no_such_table',
    'SELECT count(*) FROM shop.orders WHERE point(total, total) <@ $1::circle'
    ]) WITH ORDINALITY AS s(query, n);
SELECT test.plan('shop.orders', '{"query_log": "test.query_log", "shard_key": ["customer_id"], "method": "hash", "shard_count": 4}') AS plan \gset
SELECT statement, predicted, of, shards, runs, not_replayed, query
FROM test.replayed(:plan) LEFT JOIN test.query_log ON queryid = statement
WHERE rank = (SELECT min(rank) FROM test.replayed(:plan, '{"runs": 1, "statements": 1}')) ORDER BY statement;

-- Whatever is in the log: a sequence that a function has moved stays moved, whatever is rolled back.
CREATE SEQUENCE test.mark;
CREATE FUNCTION test.evil() RETURNS int LANGUAGE sql AS $$ SELECT nextval('test.mark')::int $$;
CREATE FUNCTION test.evil_fold(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM nextval('test.mark'); RETURN $1; END $$;
CREATE FUNCTION test.evil_true(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM nextval('test.mark'); RETURN true; END $$;
CREATE FUNCTION test.evil_set() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('test.mark'); RETURN NEXT 1; END $$;
CREATE FUNCTION pg_temp.evil_here() RETURNS int LANGUAGE sql AS $$ SELECT nextval('test.mark')::int $$;
CREATE OPERATOR test.<<< (FUNCTION = test.evil_true, LEFTARG = int, RIGHTARG = int);
CREATE FUNCTION test.evil_plus(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('test.mark'); RETURN 1; END $$;
CREATE AGGREGATE test.evil_sum (int) (SFUNC = test.evil_plus, STYPE = int);
CREATE DOMAIN test.evil_domain AS int CHECK (test.evil_fold(VALUE) IS NOT NULL);
CREATE TYPE test.evil_row AS (a test.evil_domain);
CREATE VIEW test.evil_view AS SELECT test.evil() AS x;
CREATE COLLATION test.evil_collation FROM "C";
CREATE TABLE test.victim (x int);
CREATE DOMAIN pg_temp.evil_near AS int CHECK (test.evil_fold(VALUE) IS NOT NULL);
-- What an administrator has put where the server's own things are is not the server's own.
CREATE FUNCTION pg_catalog.test_evil() RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT nextval('test.mark')::int $$;
CREATE OPERATOR pg_catalog.<<< (FUNCTION = test.evil_true, LEFTARG = int, RIGHTARG = int);
CREATE AGGREGATE pg_catalog.test_evil_sum (int) (SFUNC = test.evil_plus, STYPE = int);
CREATE DOMAIN pg_catalog.test_evil_domain AS int CHECK (test.evil_fold(VALUE) IS NOT NULL);
-- They do leave a mark when they run: analysis alone is enough for some.
SELECT '(1)'::test.evil_row;
SELECT is_called FROM test.mark;
ALTER SEQUENCE test.mark RESTART;
SELECT record_in('(1)', 'test.evil_row'::regtype, -1)::text;
SELECT is_called FROM test.mark;
ALTER SEQUENCE test.mark RESTART;

TRUNCATE test.query_log;
INSERT INTO test.query_log (queryid, calls, total_exec_time, query) SELECT n, 1000 - n, 1, query FROM unnest(ARRAY[
    'SELECT test.evil() FROM shop.orders',
    'SELECT evil() FROM shop.orders',
    'SELECT pg_temp.evil_here() FROM shop.orders',
    'SELECT * FROM shop.orders WHERE customer_id = test.evil_fold(1)',
    'SELECT * FROM shop.orders LIMIT test.evil_fold(1)',
    'SELECT * FROM shop.orders ORDER BY test.evil_fold(1)',
    'SELECT test.evil_sum(1) FROM shop.orders',
    'SELECT * FROM shop.orders WHERE 1 OPERATOR(test.<<<) 2',
    'SELECT * FROM shop.orders WHERE 1 OPERATOR(test.<<<) ANY (SELECT 2)',
    'SELECT * FROM shop.orders ORDER BY id USING OPERATOR(test.<<<)',
    'SELECT * FROM shop.orders ORDER BY note COLLATE test.evil_collation',
    'SELECT * FROM shop.orders, test.evil_set()',
    'SELECT * FROM shop.orders, ROWS FROM (generate_series(1, 2), test.evil_set()) AS x',
    'SELECT * FROM shop.orders TABLESAMPLE test.evil_method (1)',
    'SELECT test.evil_domain ''1'' FROM shop.orders',
    'SELECT ''1''::test.evil_domain FROM shop.orders',
    'SELECT ''1''::evil_near FROM shop.orders',
    'SELECT $1::test.evil_domain FROM shop.orders',
    'SELECT ''{1}''::test.evil_domain[] FROM shop.orders',
    'SELECT ''(1)''::test.evil_row FROM shop.orders',
    'SELECT test.evil_row(''(1)'') FROM shop.orders',
    'SELECT CAST(ROW(1) AS test.evil_row) FROM shop.orders',
    'WITH RECURSIVE t AS (SELECT id FROM shop.orders UNION SELECT id FROM t) CYCLE id SET c TO test.evil_row ''(1)'' DEFAULT test.evil_row ''(2)'' USING p SELECT 1 FROM t',
    'SELECT record_in(''(1)'', 16384, -1) FROM shop.orders',
    'SELECT record_in(''(1)'', ''test.evil_row''::regtype, -1) FROM shop.orders',
    'SELECT domain_in(''1'', ''test.evil_domain''::regtype, -1) IS NULL FROM shop.orders',
    'SELECT array_in(''{(1)}'', ''test.evil_row''::regtype, -1) IS NULL FROM shop.orders',
    'SELECT json_populate_record(NULL::test.evil_row, ''{"a": 1}'') FROM shop.orders',
    'SELECT x.a FROM shop.orders, json_to_record(''{"a": 1}'') AS x (a test.evil_domain)',
    'SELECT x.a FROM shop.orders, XMLTABLE(''/'' PASSING ''<a/>'' COLUMNS a test.evil_domain PATH ''1'') AS x',
    'SELECT XMLSERIALIZE(CONTENT ''<a/>'' AS test.evil_domain) FROM shop.orders',
    'SELECT * FROM shop.orders, test.evil_view',
    'SELECT * FROM shop.orders, pg_catalog.pg_authid',
    'SELECT * FROM shop.orders, pg_authid',
    'WITH x AS (DELETE FROM test.victim RETURNING x) SELECT 1 FROM shop.orders',
    'WITH x AS (INSERT INTO test.victim VALUES (test.evil()) RETURNING x) SELECT 1 FROM shop.orders',
    'SELECT table_to_xml(''test.evil_view'', true, true, '''') FROM shop.orders',
    'SELECT schema_to_xml(''test'', true, true, '''') FROM shop.orders',
    'SELECT query_to_xml(''SELECT test.evil()'', true, true, '''') FROM shop.orders',
    'SELECT * FROM shop.orders, ts_stat(''SELECT test.evil()::text::tsvector'')',
    'SELECT ts_rewrite(''a'', ''SELECT test.evil()::text::tsquery, NULL::tsquery'') FROM shop.orders',
    'SELECT nextval(''test.mark'') FROM shop.orders',
    'SELECT setval(''test.mark'', 5) FROM shop.orders',
    'SELECT pg_advisory_lock(1) FROM shop.orders',
    'SELECT pg_read_file(''postgresql.conf'') FROM shop.orders',
    'SELECT lo_creat(1) FROM shop.orders',
    'SELECT set_config(''search_path'', ''test'', false) FROM shop.orders',
    'SELECT pg_sleep(100) FROM shop.orders',
    'SELECT pg_get_viewdef(''test.evil_view''::regclass) FROM shop.orders',
    'SELECT fmgr_sql_validator(1) FROM shop.orders',
    'SELECT * INTO test.made FROM shop.orders',
    'CREATE TABLE test.made AS SELECT * FROM shop.orders',
    'COPY shop.orders TO PROGRAM ''true''',
    'COPY shop.orders FROM PROGRAM ''true''',
    'UPDATE shop.orders SET total = 0 WHERE CURRENT OF c',
    'DELETE FROM shop.orders WHERE ctid = ''(0,1)''',
    'SELECT 1 FROM shop.orders TABLESAMPLE system (1)',
    'SELECT test_evil() FROM shop.orders',
    'SELECT pg_catalog.test_evil() FROM shop.orders',
    'SELECT 1 FROM shop.orders WHERE 1 <<< 2',
    'SELECT 1 FROM shop.orders WHERE 1 <<< ANY (ARRAY[2])',
    'SELECT test_evil_sum(1) OVER () FROM shop.orders',
    'SELECT ''1''::test_evil_domain FROM shop.orders',
    'SELECT 1 FROM shop.orders; SELECT test.evil()',
    'PREPARE p AS SELECT test.evil() FROM shop.orders',
    'EXPLAIN ANALYZE SELECT test.evil() FROM shop.orders',
    'SELECT 1 FROM shop.orders WHERE id = $1 ' || repeat('OR id = 1 + 2 ', 8000)
    ]) WITH ORDINALITY AS s(query, n);
SELECT test.plan('shop.orders', '{"query_log": "test.query_log", "growth": 2}') AS plan \gset
SELECT statement, runs, not_replayed, left(query, 100) AS query FROM test.replayed(:plan, '{"statements": 1000}')
LEFT JOIN test.query_log ON queryid = statement WHERE rank = 1 ORDER BY statement;
-- Every statement has an answer under every layout, none was run, and no mark was left: not by planning only, either.
SELECT count(*) AS asked, count(*) FILTER (WHERE not_replayed IS NULL) AS run FROM test.replayed(:plan, '{"statements": 1000, "mode": "explain"}');
SELECT last_value, is_called FROM test.mark;
SELECT count(*) FROM pg_class WHERE relname = 'made';
DROP FUNCTION pg_catalog.test_evil();
DROP OPERATOR pg_catalog.<<< (int, int);
DROP AGGREGATE pg_catalog.test_evil_sum (int);
DROP DOMAIN pg_catalog.test_evil_domain;

-- The log is not filled by its own replay, however much of it is kept.
CREATE EXTENSION pg_stat_statements;
TRUNCATE test.query_log;
INSERT INTO test.query_log (queryid, calls, total_exec_time, query) VALUES (1, 5, 1, 'SELECT 123 FROM shop.orders WHERE customer_id = $1'),
    (2, 4, 1, 'SELECT count(*) FROM shop.orders a, shop.orders b, shop.orders c WHERE a.total + b.total + c.total < $1');
SELECT test.plan('shop.orders', '{"query_log": "test.query_log", "shard_key": ["customer_id"], "shard_count": 4}') AS plan \gset
SET pg_stat_statements.track = 'all';
SELECT pg_stat_statements_reset() IS NULL AS reset;
SELECT statement, runs, not_replayed FROM test.replayed(:plan) WHERE layout LIKE 'hash%';
SELECT count(*) FILTER (WHERE query LIKE '%FROM shop.orders%') AS replayed, count(*) > 10 AS others FROM pg_stat_statements;
RESET pg_stat_statements.track;
DROP EXTENSION pg_stat_statements;
-- The caller's own time limit ends the whole call, and goes on counting behind it.
\set VERBOSITY sqlstate
SET statement_timeout = '2s';
SELECT count(*) FROM foreshard.replay(:plan, '{"timeout": 60000}');
SELECT pg_sleep(60) FROM (SELECT count(*) FROM test.replayed(:plan, '{"timeout": 50}')) AS done;
RESET statement_timeout;
\set VERBOSITY default
-- Without the server's counters nothing is said of shards.
SET track_counts = off;
SELECT layout, statement, shards, runs FROM test.replayed(:plan, '{"statements": 1}') WHERE layout LIKE 'hash%';
RESET track_counts;

-- What it takes: reading the file, the plan and the log, and temporary tables.
CREATE ROLE regress_replayer;
GRANT pg_read_server_files TO regress_replayer;
GRANT USAGE ON SCHEMA foreshard, test TO regress_replayer;
GRANT EXECUTE ON FUNCTION foreshard.replay TO regress_replayer;
GRANT SELECT ON test.query_log TO regress_replayer;
SET ROLE regress_replayer;
SELECT statement FROM foreshard.replay(:plan, '{"statements": 1}');
RESET ROLE;
GRANT SELECT ON foreshard._plans TO regress_replayer;
SET ROLE regress_replayer;
SELECT method, statement, shards, not_replayed FROM foreshard.replay(:plan, '{"statements": 1}');
RESET ROLE;
REVOKE TEMPORARY ON DATABASE contrib_regression FROM PUBLIC;
SET ROLE regress_replayer;
SELECT statement FROM foreshard.replay(:plan, '{"statements": 1}');
RESET ROLE;
GRANT TEMPORARY ON DATABASE contrib_regression TO PUBLIC;
DROP OWNED BY regress_replayer;
DROP ROLE regress_replayer;

-- Types that are not the server's own are kept as text or as what they are made of: no check of theirs runs.
CREATE TYPE test.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE test.people (id bigint PRIMARY KEY, mood test.mood, age test.evil_domain, pair test.evil_row, made timestamptz GENERATED ALWAYS AS ('2024-01-01Z'::timestamptz) STORED);
INSERT INTO test.people SELECT n, ('{sad,ok,happy}'::test.mood[])[1 + n % 3], n % 90, ('(' || n || ')')::test.evil_row FROM generate_series(1, 300) AS n;
\! cd "$FORESHARD_BACKUPS" && pg_dump -t test.people -Fc -f people.dump && chmod a+r people.dump
ALTER SEQUENCE test.mark RESTART;
TRUNCATE test.query_log;
INSERT INTO test.query_log (queryid, calls, total_exec_time, query) VALUES
    (1, 5, 1, 'SELECT * FROM test.people WHERE id = $1 AND mood = $2 AND age > $3'),
    (2, 4, 1, 'INSERT INTO test.people (id, mood, age, pair) VALUES ($1, $2, $3, $4)'),
    (3, 3, 1, 'SELECT (pair).a FROM test.people'),
    (4, 2, 1, 'SELECT * FROM test.people WHERE mood = $1::test.mood');
CREATE SCHEMA test_new;
SELECT DISTINCT plan_id AS plan FROM foreshard.plan_restore('test_new.people', test.backup('people.dump'),
    '{"query_log": "test.query_log", "source": "test.people", "shard_key": ["id"], "shard_count": 3}') \gset
ALTER SEQUENCE test.mark RESTART;
SELECT statement, shards, not_replayed FROM test.replayed(:plan) WHERE layout = 'hash id 3';
SELECT last_value, is_called FROM test.mark;

-- No log, no such plan, and configs that are wrong.
SELECT test.plan('shop.orders', '{"query_log": "off", "growth": 2}') AS plan \gset
SELECT test.fails(format('SELECT foreshard.replay(%s)', :plan));
SELECT test.fails('SELECT foreshard.replay(-1)');
SELECT test.fails('SELECT foreshard.replay(NULL)');
SELECT test.fails($$SELECT foreshard.replay(1, '{"row": 5}')$$);
SELECT test.fails($$SELECT foreshard.replay(1, '{"rows": 0, "runs": 5000}')$$);
SELECT test.fails($$SELECT foreshard.replay(1, '{"mode": "dance", "seed": -1}')$$);
SELECT test.fails($$SELECT foreshard.replay(1, '[]')$$);
BEGIN READ ONLY;
SELECT test.fails('SELECT foreshard.replay(1)');
COMMIT;
DROP SCHEMA test_new;
