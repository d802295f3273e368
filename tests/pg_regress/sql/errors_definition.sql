-- Tables that need what is not here, and tables that cannot be cut: SQLSTATE, message, DETAIL and HINT.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
SET client_min_messages = warning;
CREATE SCHEMA old;
SET search_path = old;
CREATE ROLE regress_owner;
CREATE ROLE regress_reader;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE COLLATION upside FROM "C";
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE FUNCTION half(int) RETURNS int IMMUTABLE LANGUAGE sql RETURN $1 / 2;
CREATE TABLE typed (id int PRIMARY KEY, feels mood, much positive);
INSERT INTO typed VALUES (1, 'ok', 1);
CREATE TABLE owned (id int PRIMARY KEY);
ALTER TABLE owned OWNER TO regress_owner;
GRANT SELECT ON owned TO regress_reader, PUBLIC;
CREATE TABLE collated (id int PRIMARY KEY, name text COLLATE upside);
CREATE TABLE triggered (id int PRIMARY KEY);
CREATE TRIGGER stamped BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TABLE defaulted (id int DEFAULT half(4), CHECK (half(id) > 0));
CREATE INDEX halves ON defaulted (half(id));
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (extra text) INHERITS (parent);
CREATE TABLE unhashable (body xml, spot point, id int);
INSERT INTO unhashable VALUES ('<a/>', '(1,2)', 1);
CREATE TABLE made (id int, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO made SELECT generate_series(1, 100);
CREATE TABLE only_made (twice int GENERATED ALWAYS AS (42) STORED);
INSERT INTO only_made DEFAULT VALUES;
CREATE TABLE hollow ();
INSERT INTO hollow DEFAULT VALUES;
CREATE TABLE empty (id int PRIMARY KEY, note text);
CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY);
INSERT INTO fleeting SELECT generate_series(1, 100);
CREATE TABLE excluded (id int, during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO excluded SELECT n, int4range(n, n + 1) FROM generate_series(1, 100) AS n;
CREATE FOREIGN DATA WRAPPER regress_wrapper;
CREATE SERVER regress_server FOREIGN DATA WRAPPER regress_wrapper;
CREATE FOREIGN TABLE far (id int) SERVER regress_server;
CREATE MATERIALIZED VIEW matter AS SELECT 1 AS id;
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg('c' || n || ' int', ', ') FROM generate_series(1, 1600) n) || ')'; END $$;
INSERT INTO wide (c1, c1600) SELECT n, n FROM generate_series(1, 50) AS n;
CREATE EXTENSION hstore SCHEMA old;
CREATE TABLE stored (id int PRIMARY KEY, h hstore);
INSERT INTO stored VALUES (1, 'a=>1');
RESET search_path;
\! cd $FORESHARD_BACKUPS && rm -f old.* && pg_dump -Fc -n old -f old.dump && pg_dump -Fc -e hstore -n old -f extended.dump
CREATE SCHEMA shop;
DROP SCHEMA old CASCADE;
DROP EXTENSION IF EXISTS hstore;
DROP FOREIGN DATA WRAPPER regress_wrapper CASCADE;
DROP OWNED BY regress_owner, regress_reader;
DROP ROLE regress_owner, regress_reader;
CREATE FUNCTION test.old(name text, config jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT test.refused('shop.' || name, 'old.dump', jsonb_build_object('query_log', 'off', 'source', 'old.' || name) || config)
$$;
CREATE FUNCTION test.works(name text, config jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', method, nullif(shard_key, '{}'), shard_count, 'rows', rows, nullif(notes, '[]'))
    FROM restore_table('shop.' || name, test.backup('old.dump'), jsonb_build_object('query_log', 'off', 'source', 'old.' || name) || config)
$$;
\set ECHO all
\pset format unaligned
\pset tuples_only on

-- Missing types, roles, collations, functions, extensions.
SELECT test.old('typed');
SELECT test.old('owned');
SELECT test.old('owned', '{"no_owner": true}');
SELECT test.works('owned', '{"no_owner": true, "no_privileges": true}');
SELECT test.old('collated');
SELECT test.old('triggered');
SELECT test.old('defaulted');
SELECT test.old('stored');
SELECT test.refused('shop.stored', 'extended.dump', '{"query_log": "off", "source": "old.stored"}');

-- Kinds of tables that are not restored.
SELECT test.old('child');
SELECT test.old('far');
SELECT test.old('matter');

-- Columns that cannot be a key.
SELECT test.old('unhashable', '{"shard_key": ["body"]}');
SELECT test.old('unhashable', '{"shard_key": ["spot"], "method": "hash"}');
SELECT test.old('unhashable', '{"shard_key": ["spot"], "method": "range"}');
SELECT test.old('unhashable', '{"shard_key": ["body"], "method": "list"}');
SELECT test.old('unhashable', '{"shard_key": ["id", "body"]}');
SELECT test.old('made', '{"shard_key": ["twice"]}');
SELECT test.old('made', '{"shard_key": ["twice"], "method": "range"}');
SELECT test.old('only_made', '{"shard_key": ["twice"], "shard_count": 2}');
SELECT test.old('only_made', '{"shard_count": 2}');
SELECT test.old('hollow', '{"method": "hash"}');

-- What looks odd and works.
SELECT test.works('unhashable');
SELECT test.works('made', '{"shard_key": ["id"], "shard_count": 2}');
SELECT sum(twice) FROM shop.made;
SELECT test.works('only_made');
SELECT * FROM shop.only_made;
SELECT test.works('hollow');
SELECT count(*) FROM shop.hollow;
SELECT test.works('empty');
SELECT test.works('fleeting', '{"shard_key": ["id"], "shard_count": 2}');
SELECT relname, relpersistence FROM pg_class WHERE relname LIKE 'fleeting%' ORDER BY relname;
SELECT test.works('excluded', '{"shard_key": ["id"], "shard_count": 2}');
SELECT test.works('wide', '{"shard_key": ["c1600"], "shard_count": 2}');
SELECT count(*), sum(c1), sum(c1600) FROM shop.wide;
SELECT test.works('parent');
DROP TABLE shop.empty;
SELECT test.works('empty', '{"shard_key": ["id"], "shard_count": 3}');
SELECT test.old('empty', '{"shard_key": ["note"], "method": "list"}') LIKE '42P07%';
DROP TABLE shop.empty;
-- No value, no bound.
SELECT test.old('empty', '{"shard_key": ["id"], "method": "range"}');
SELECT test.old('empty', '{"shard_key": ["id"], "method": "list"}');

\set ECHO none
DROP EXTENSION foreshard;
DROP SCHEMA test, shop CASCADE;
