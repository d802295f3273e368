-- Names and values of every kind: quotes, unicode, the longest ones, keywords, and attempts to break out of them.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE SCHEMA "Old ""Schema""; --";
CREATE TABLE test.canary AS SELECT 1 AS alive;
SET search_path = "Old ""Schema""; --";
CREATE TABLE "Ta""ble" ("Co""l" int PRIMARY KEY, "select" text, "ünïcödé ✓" text DEFAULT 'it''s "so"', "a.b" text, " " text, "new
line" text, "tab	bed" text, "back\slash" text, "$1" text, "%s" text, "'; DROP TABLE test.canary; --" text);
ALTER TABLE "Ta""ble" ADD CONSTRAINT "check'; DROP TABLE test.canary; --" CHECK ("Co""l" <> -1 AND "%s" <> $$'); DROP TABLE test.canary; --$$);
CREATE INDEX "in""dex; DROP TABLE test.canary; --" ON "Ta""ble" ("a.b", " ");
COMMENT ON TABLE "Ta""ble" IS 'it''s a comment''); DROP TABLE test.canary; -- \ $1 %s';
COMMENT ON COLUMN "Ta""ble"."select" IS $$\'; DROP TABLE test.canary; --$$;
INSERT INTO "Ta""ble"
    SELECT n, $$'); DROP TABLE test.canary; --$$, '\N', '\.', E'\\.\n\\.', E'\r\n', E'\t', '\\', E'\x01\x7f', 'NULL', E'a\bb\f\v' FROM generate_series(1, 200) AS n;
-- Its list values are hostile as well.
CREATE TABLE hostile (kind text, n int);
INSERT INTO hostile SELECT v, n FROM unnest(ARRAY[$$'); DROP TABLE test.canary; --$$, E'back\\slash', '$1', 'ünï', E'new\nline', '', NULL, '"', 'DEFAULT']) WITH ORDINALITY AS u(v, n), generate_series(1, 20);
CREATE TABLE "sixty-three bytes are the most that a name may have, as this has!" (id int PRIMARY KEY, "sixty-three bytes are the most that a name may have, as this has!" text);
INSERT INTO "sixty-three bytes are the most that a name may have, as this has!" SELECT n, n FROM generate_series(1, 100) AS n;
CREATE TABLE "日本語の表日本語の表日本語の表日本語の表日" (id int PRIMARY KEY, "列" text);
INSERT INTO "日本語の表日本語の表日本語の表日本語の表日" SELECT n, '値' || n FROM generate_series(1, 100) AS n;
CREATE TABLE "user" ("table" serial PRIMARY KEY, "order" text);
INSERT INTO "user" ("order") SELECT 'by' FROM generate_series(1, 100);
CREATE TABLE "UPPER" (id int);
CREATE TABLE upper (id int, other int);
INSERT INTO "UPPER" VALUES (1);
INSERT INTO upper VALUES (2, 2), (3, 3);
CREATE TABLE "%" (id int);
INSERT INTO "%" VALUES (1);
CREATE TABLE "*" (id int);
INSERT INTO "*" VALUES (1), (2);
CREATE TABLE "--option" (id int);
INSERT INTO "--option" VALUES (1), (2), (3);
RESET search_path;
\! cd $FORESHARD_BACKUPS && rm -f odd* && pg_dump -Fc -n '"Old ""Schema""; --"' -f "odd 'name'; \$(touch owned).dump" && pg_dump -n '"Old ""Schema""; --"' -f odd.sql
\set archive 'odd ''name''; $(touch owned).dump'
CREATE FUNCTION test.works(target text, file text, source text, config jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
    SELECT concat_ws(' ', relation, method, nullif(shard_key, '{}'), shard_count, 'rows', rows) INTO STRICT said
    FROM restore_table(target, test.backup(file), jsonb_build_object('query_log', 'off', 'source', '"Old ""Schema""; --".' || source) || config);
    said := concat_ws(E'\n', said, 'differences ' || test.differences(('"Old ""Schema""; --".' || source)::regclass, target::regclass),
        (SELECT 'misplaced ' || sum(misplaced_rows) FROM foreshard.verify_table(target::regclass)));
    EXECUTE 'DROP TABLE ' || target;
    RETURN said;
END $$;
\set ECHO all
\pset format unaligned
\pset tuples_only on

SELECT test.works('shop."T''a""ble"', :'archive', '"Ta""ble"', '{"shard_key": ["Co\"l"], "shard_count": 3}');
SELECT test.works('shop."T''a""ble"', 'odd.sql', '"Ta""ble"', '{"shard_key": ["Co\"l"], "shard_count": 3}');
SELECT test.works('shop."T''a""ble"', 'odd.sql', '"Ta""ble"', '{"shard_key": ["Co\"l"], "method": "range", "shard_count": 3}');
SELECT test.works('shop."T''a""ble"', 'odd.sql', '"Ta""ble"', '{"shard_key": ["''; DROP TABLE test.canary; --"], "shard_count": 2, "unique": "per_shard"}');
SELECT test.works('shop."T''a""ble"', 'odd.sql', '"Ta""ble"', '{"method": "none"}');
SELECT rows FROM restore_table('shop."Ta""ble"', test.backup(:'archive'), '{"query_log": "off", "source": "\"Old \"\"Schema\"\"; --\".\"Ta\"\"ble\"", "shard_key": ["Co\"l"], "shard_count": 2}');
\d shop."Ta""ble"
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'shop."Ta""ble"'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shop."Ta""ble"'::regclass ORDER BY conname COLLATE "C";
SELECT obj_description('shop."Ta""ble"'::regclass), col_description('shop."Ta""ble"'::regclass, 2);
SELECT shard FROM foreshard.shards ORDER BY shard::text;
DROP TABLE shop."Ta""ble";

SELECT test.works('shop.hostile', :'archive', 'hostile', '{"shard_key": ["kind"], "method": "list", "shard_count": 10}');
SELECT test.works('shop.hostile', 'odd.sql', 'hostile', '{"shard_key": ["kind"], "shard_count": 4}');
SELECT test.works('shop."sixty-three bytes are the most that a name may have, as this has!"', :'archive', '"sixty-three bytes are the most that a name may have, as this has!"', '{"shard_key": ["id"], "shard_count": 12}');
SELECT test.works('shop."sixty-three bytes are the most that a name may have, as this has!"', 'odd.sql', '"sixty-three bytes are the most that a name may have, as this has!"', '{"shard_key": ["sixty-three bytes are the most that a name may have, as this ha"], "shard_count": 2}');
-- A longer name is cut by the server as in SQL, but the config's names are taken as they are.
SELECT test.refused('shop.short', 'odd.sql', '{"query_log": "off", "source": "\"Old \"\"Schema\"\"; --\".\"sixty-three bytes are the most that a name may have, as this has!\"", "shard_key": ["sixty-three bytes are the most that a name may have, as this has!"]}');
SELECT test.works('shop.short', 'odd.sql', '"sixty-three bytes are the most that a name may have, as this has!"', '{"shard_key": ["id"], "shard_count": 2}');
SELECT test.works('shop."日本語の表日本語の表日本語の表日本語の表日"', :'archive', '"日本語の表日本語の表日本語の表日本語の表日"', '{"shard_key": ["列"], "shard_count": 3}');
SELECT test.works('shop."user"', :'archive', '"user"', '{"shard_key": ["table"], "shard_count": 2}');
-- Names are told apart by case, and are no patterns or options of pg_restore.
SELECT test.works('shop."UPPER"', :'archive', '"UPPER"', '{}');
SELECT test.works('shop."UPPER"', :'archive', 'UPPER', '{}');
SELECT test.works('shop."%"', :'archive', '"%"', '{}');
SELECT test.works('shop."*"', :'archive', '"*"', '{}');
SELECT test.works('shop."--option"', :'archive', '"--option"', '{}');
-- The caller's own texts.
SELECT test.refused('shop.x''; DROP TABLE test.canary; --', 'odd.sql');
SELECT test.refused('shop.x', 'odd.sql', '{"source": "shop.x''; DROP TABLE test.canary; --"}');
SELECT test.refused('shop."x''; DROP TABLE test.canary; --"', 'odd.sql', '{"query_log": "off"}');
SELECT test.refused('shop.x', '$/tmp/x''; DROP TABLE test.canary; --', '{"query_log": "off"}');
SELECT test.refused('shop.x', 'odd.sql', '{"query_log": "off", "nodes": ["''; DROP TABLE test.canary; --"]}');
SELECT test.refused('shop.x', 'odd.sql', '{"query_log": "\"x''; DROP TABLE test.canary; --\""}');
-- Nobody got out.
SELECT alive FROM test.canary;
\! ls $FORESHARD_BACKUPS | grep -c owned$

-- A relation in front of the server's own in search_path, and a hostile function beside it, are not looked at.
CREATE SCHEMA trap;
CREATE TABLE trap.pg_class (oid oid, relname text);
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN DROP TABLE test.canary; RETURN NULL; END $$;
CREATE FUNCTION trap.is_text(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.is_text);
SET search_path = trap, shop, pg_catalog, public;
SELECT rows FROM restore_table('shop.hostile', test.backup('odd.sql'), '{"query_log": "off", "source": "\"Old \"\"Schema\"\"; --\".hostile", "shard_key": ["kind"], "method": "list"}');
SELECT bool_and(ok) FROM foreshard.verify_table('shop.hostile');
SELECT count(*) > 0 FROM foreshard.shards;
SELECT shard_count > 1 FROM foreshard.tables;
SELECT foreshard.add_node('t'), foreshard.remove_node('t');
RESET search_path;
SELECT alive FROM test.canary;

\set ECHO none
DROP EXTENSION foreshard;
DROP SCHEMA test, shop, trap, "Old ""Schema""; --" CASCADE;
