-- Two levels: what is asked for is made, routed, read back, verified and told.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
CREATE FUNCTION test.restored(target text, config jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', relation, method, shard_key, within, shard_count, rows)
    FROM restore_table(target, test.backup('shop.dump'), '{"query_log": "off"}' || config)
$$;
SET client_min_messages = warning;
\set ECHO all
\pset null -
\pset format unaligned
\pset tuples_only on

-- Hash over range: 4 parts with 2 ranges each.
SELECT test.restored('shop.events', '{"method": "hash", "shard_key": ["device"], "shard_count": 8, "within": {"method": "range", "shard_key": ["at"], "shard_count": 2}}');
SELECT relid, level, isleaf FROM pg_partition_tree('shop.events') ORDER BY relid::text COLLATE "C";
SELECT shard, bound FROM foreshard.shards ORDER BY shard::text COLLATE "C";
SELECT relation, method, shard_key, within, shard_count FROM foreshard.tables;
SELECT method, shard_key, within, shard_count FROM foreshard.plans;
SELECT test.differences('shop.events', 'original.events');
SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('shop.events');
-- New rows find their shard, above all known values too.
INSERT INTO shop.events VALUES ('2024-01-01 00:00 UTC', 7, 'noise', 1), ('2044-01-01 00:00 UTC', 7, 'noise', 1) RETURNING tableoid::regclass;
SELECT sum(rows), bool_and(ok) FROM foreshard.verify_table('shop.events');
-- Either condition leaves shards out, both leave one.
CREATE FUNCTION test.visited(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE line text; n int := 0;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP n := n + (line ~ 'Scan on \w+_s\d{4}')::int; END LOOP;
    RETURN n;
END $$;
SELECT test.visited('SELECT * FROM shop.events WHERE device = 7'), test.visited('SELECT * FROM shop.events WHERE at > ''2040-01-01'''),
       test.visited('SELECT * FROM shop.events WHERE device = 7 AND at > ''2040-01-01''');

-- Range over hash, by default hash within a range; the key of both levels is in every unique constraint.
SELECT test.restored('shop.orders', '{"method": "range", "shard_key": ["placed_at"], "shard_count": 6, "within": {"shard_key": ["customer_id"]}}');
SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' AND connamespace = 'shop'::regnamespace ORDER BY conrelid::regclass::text COLLATE "C";
SELECT c.relname FROM pg_class c WHERE relkind IN ('i', 'I') AND relnamespace = 'shop'::regnamespace ORDER BY relname COLLATE "C";
SELECT test.differences('shop.orders', 'original.orders');
SELECT bool_and(ok) FROM foreshard.verify_table('shop.orders');
SELECT DISTINCT split_part(bound, ' WITHIN ', 1) FROM foreshard.shards WHERE relation = 'shop.orders'::regclass ORDER BY 1;
INSERT INTO shop.orders (customer_id, status, total, placed_at) VALUES (1, 'new', 1, '2044-01-01') RETURNING tableoid::regclass, id;
DROP TABLE shop.orders;

-- List over range, with unique constraints within each shard.
SELECT test.restored('shop.orders', '{"method": "list", "shard_key": ["status"], "unique": "per_shard", "within": {"shard_key": ["placed_at"]}}');
SELECT count(*), count(*) FILTER (WHERE bound LIKE '%WITHIN DEFAULT') FROM foreshard.shards WHERE relation = 'shop.orders'::regclass;
SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' AND connamespace = 'shop'::regnamespace ORDER BY conrelid::regclass::text COLLATE "C" LIMIT 2;
DROP TABLE shop.orders;

-- Nodes: every part of the hash is on one, so that each range is on all of them.
SELECT foreshard.add_node('a'), foreshard.add_node('b');
SELECT test.restored('shop.orders', '{"nodes": ["a", "b"], "method": "range", "shard_key": ["placed_at"], "shard_count": 8, "within": {"shard_key": ["customer_id"], "shard_count": 4}}');
SELECT split_part(bound, ' WITHIN ', 2), count(DISTINCT node) FROM foreshard.shards WHERE relation = 'shop.orders'::regclass GROUP BY 1 ORDER BY 1;
SELECT split_part(bound, ' WITHIN ', 1), string_agg(DISTINCT node, ',') FROM foreshard.shards WHERE relation = 'shop.orders'::regclass GROUP BY 1 ORDER BY 1;
DROP TABLE shop.orders;

-- A row that is where it does not belong is found, whichever level it breaks.
BEGIN;
ALTER TABLE shop.events_p0000 DETACH PARTITION shop.events_s0001;
INSERT INTO shop.events_s0001 SELECT '2024-01-01 00:00 UTC', device, kind, reading FROM shop.events_s0001 LIMIT 1;
-- ATTACH would refuse the row.
UPDATE pg_class SET relispartition = true, relpartbound = (SELECT relpartbound FROM pg_class WHERE oid = 'shop.events_s0003'::regclass) WHERE oid = 'shop.events_s0001'::regclass;
INSERT INTO pg_inherits (inhrelid, inhparent, inhseqno, inhdetachpending) VALUES ('shop.events_s0001'::regclass, 'shop.events_p0000'::regclass, 1, false);
SELECT shard, misplaced_rows, ok FROM foreshard.verify_table('shop.events') WHERE NOT ok;
ROLLBACK;

-- Inner partitions are the owner's too.
SET client_min_messages = error;
CREATE ROLE regress_levels_owner;
GRANT CREATE ON SCHEMA shop TO regress_levels_owner;
ALTER TABLE original.events OWNER TO regress_levels_owner;
\! pg_dump -t original.events -Fc -f "$FORESHARD_BACKUPS/owned.dump" && chmod a+r "$FORESHARD_BACKUPS/owned.dump"
SELECT rows FROM restore_table('shop.owned', test.backup('owned.dump'), '{"source": "original.events", "query_log": "off", "shard_key": ["device"], "shard_count": 4, "within": {"shard_key": ["at"]}}');
SELECT relkind, relowner::regrole, count(*) FROM pg_class WHERE relname LIKE 'owned%' GROUP BY 1, 2 ORDER BY 1;
DROP TABLE shop.owned;
REASSIGN OWNED BY regress_levels_owner TO CURRENT_USER;
DROP OWNED BY regress_levels_owner;
DROP ROLE regress_levels_owner;
RESET client_min_messages;

-- Names are cut to what a name may be, and refused where they are taken.
SELECT test.restored('shop.a_name_of_sixty_bytes_that_leaves_no_room_at_all_for_a_number_behind', '{"source": "shop.events", "shard_key": ["device"], "shard_count": 4, "within": {"shard_key": ["at"]}}');
SELECT relname, length(relname) FROM pg_class WHERE relname LIKE 'a\_name%' AND relkind = 'p' ORDER BY relname COLLATE "C";
CREATE TABLE shop.copy_p0001 (i int);
SELECT test.refused('shop.copy', 'shop.dump', '{"source": "shop.events", "query_log": "off", "shard_key": ["device"], "shard_count": 4, "within": {"shard_key": ["at"]}}');

-- What cannot be is refused, all of it at once.
CREATE FUNCTION test.no(target text, config jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT test.refused(target, 'shop.dump', '{"query_log": "off"}' || config)
$$;
SELECT test.no('shop.orders', '{"within": {"shard_key": []}}');
SELECT test.no('shop.orders', '{"within": {"key": ["at"]}}');
SELECT test.no('shop.orders', '{"shard_key": ["customer_id"], "shard_count": 7, "within": {"shard_key": ["placed_at"]}}');
SELECT test.no('shop.orders', '{"shard_key": ["customer_id"], "shard_count": 8, "within": {"shard_key": ["placed_at"], "shard_count": 3}}');
SELECT test.no('shop.orders', '{"method": "none", "within": {"shard_key": ["nope"]}}');
SELECT test.no('shop.orders', '{"shard_key": ["customer_id"], "within": {"method": "range", "shard_key": ["customer_id"]}}');
SELECT test.no('shop.orders', '{"shard_key": ["customer_id"], "unique": "refuse", "within": {"method": "range", "shard_key": ["id"]}}');
SELECT test.no('shop.orders', '{"shard_key": ["customer_id"], "profile": "off", "within": {"method": "range", "shard_key": ["placed_at"]}}');

-- The plan in words.
SELECT foreshard.explain(plan_id) FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'),
    '{"query_log": "test.query_log", "shard_key": ["customer_id"], "within": {"shard_key": ["placed_at"]}}') WHERE chosen;

-- Replayed, its sample is cut by both levels as well.
SELECT DISTINCT method, shard_key, shard_count FROM foreshard.replay((SELECT max(plan_id) FROM foreshard.plans)) WHERE rank = (
    SELECT rank FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'),
        '{"query_log": "test.query_log", "shard_key": ["customer_id"], "within": {"shard_key": ["placed_at"]}}') WHERE chosen);
