-- Registering, changing and removing nodes.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_fast LOCATION '';
CREATE TABLESPACE regress_large LOCATION '';
\set ECHO all
\pset null -

-- None at first: a restore uses the database's own tablespace.
SELECT * FROM foreshard.nodes;

SELECT foreshard.add_node('a', tablespace => 'regress_fast', capacity => 2.5, zone => 'north', serves => '{web,batch}');
SELECT foreshard.add_node('b', tablespace => 'regress_large');
SELECT foreshard.add_node('plain');
SELECT foreshard.add_node('Ünïcode "node"; --', tablespace => 'regress_fast');
SELECT foreshard.add_node(repeat('n', 63));
SELECT foreshard.add_node('defaults', tablespace => NULL, capacity => NULL, zone => NULL, serves => NULL);
SELECT name, tablespace, server, capacity, zone, serves, active FROM foreshard.nodes ORDER BY name COLLATE "C";

\pset format unaligned
\pset tuples_only on
-- What is refused.
SELECT test.fails($$SELECT foreshard.add_node('a', tablespace => 'regress_large')$$);
SELECT test.fails($$SELECT foreshard.add_node('')$$);
SELECT test.fails($$SELECT foreshard.add_node(repeat('n', 64))$$);
SELECT test.fails($$SELECT foreshard.add_node(NULL)$$);
SELECT test.fails($$SELECT foreshard.add_node('c', tablespace => 'no_such_tablespace')$$);
SELECT test.fails($$SELECT foreshard.add_node('c', tablespace => 'pg_global')$$);
SELECT test.fails($$SELECT foreshard.add_node('c', tablespace => '')$$);
SELECT test.fails($$SELECT foreshard.add_node('c', capacity => 0)$$);
SELECT test.fails($$SELECT foreshard.add_node('c', capacity => -1)$$);
SELECT test.fails($$SELECT foreshard.add_node('c', capacity => 'NaN')$$);
SELECT test.fails($$SELECT foreshard.add_node('c', capacity => 'Infinity')$$);
SELECT test.fails($$SELECT foreshard.add_node('c', serves => '{web,NULL}')$$);
SELECT test.fails($$SELECT foreshard.add_node('c', server => 'far_away')$$);
SELECT test.fails($$SELECT foreshard.add_node('c', tablespace => 'regress_fast', server => 'far_away')$$);
-- Everything that is wrong at once.
SELECT test.fails($$SELECT foreshard.add_node('a', tablespace => 'no_such_tablespace', capacity => 0)$$);
SELECT test.fails($$SELECT foreshard.alter_node('no such node', capacity => 2)$$);
SELECT test.fails($$SELECT foreshard.alter_node(NULL, capacity => 2)$$);
SELECT test.fails($$SELECT foreshard.alter_node('a', capacity => 0)$$);
SELECT test.fails($$SELECT foreshard.alter_node('a', capacity => 'NaN')$$);
SELECT test.fails($$SELECT foreshard.alter_node('a', serves => '{NULL}')$$);
SELECT test.fails($$SELECT foreshard.remove_node('no such node')$$);
SELECT count(*) FROM foreshard.nodes;
\pset format aligned
\pset tuples_only off

-- Changing only what is given.
SELECT foreshard.alter_node('a', zone => 'south');
SELECT foreshard.alter_node('b', capacity => 3, serves => '{reports}', active => false);
SELECT foreshard.alter_node('plain');
SELECT name, capacity, zone, serves, active FROM foreshard.nodes WHERE name IN ('a', 'b', 'plain') ORDER BY name;
SELECT foreshard.remove_node('defaults');

SELECT foreshard.remove_node('Ünïcode "node"; --');
SELECT foreshard.remove_node(repeat('n', 63));
SELECT name FROM foreshard.nodes ORDER BY name;

-- Registering is part of the transaction.
BEGIN;
SELECT foreshard.add_node('gone');
ROLLBACK;
SELECT name FROM foreshard.nodes WHERE name = 'gone';

-- A node with shards stays until they are gone.
\set ECHO none
\i :tests/fixtures/shop.sql
\set ECHO all
SET client_min_messages = warning;
SELECT shard_count FROM restore_table('shop.events', test.backup('shop.dump'),
    '{"query_log": "off", "shard_key": ["device"], "method": "hash", "shard_count": 4, "nodes": ["a", "plain"]}');
SELECT shard, node, spcname AS tablespace
FROM foreshard.shards JOIN pg_class c ON c.oid = shard LEFT JOIN pg_tablespace t ON t.oid = reltablespace ORDER BY shard::text;
-- The tablespace in use is the server's to protect; the node is ours.
\pset format unaligned
\pset tuples_only on
SELECT test.fails($$SELECT foreshard.remove_node('a')$$);
SELECT test.fails($$SELECT restore_table('shop.orders', test.backup('shop.dump'), '{"nodes": ["b", "c", "a", "a"]}')$$);
DROP TABLE shop.events;
SELECT foreshard.remove_node('a');
SELECT name FROM foreshard.nodes ORDER BY name;

\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION foreshard;
DROP SCHEMA test, original, shop CASCADE;
DROP TABLESPACE regress_fast;
DROP TABLESPACE regress_large;
