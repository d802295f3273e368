#!/usr/bin/env bash
# A table that its log wants cut by two keys: planned and restored by that choice over two nodes, compared with the original,
# pruned by either key, relieved of its oldest range by dropping it, and still whole after a dump and restore of the database.
. "$(dirname -- "$0")/lib.sh"
monitoring() { on main env PGDATABASE=shop "$(dirname -- "$0")/../workloads/run.sh" monitoring "$@"; }

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
monitoring load
sql main "CREATE EXTENSION pg_stat_statements" shop
sql main "SELECT pg_stat_statements_reset()" shop >/dev/null
monitoring run 300 >/dev/null
sql main "CREATE TABLE query_log AS SELECT s.* FROM pg_stat_statements s JOIN pg_database d ON d.oid = dbid WHERE datname = 'shop'" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -f "$backup" shop
sql main "CREATE DATABASE new"
sql main "CREATE EXTENSION foreshard" new
on main bash -c "pg_dump -t query_log shop | psql -Xq -d new" >/dev/null
sql main "SELECT foreshard.add_node('a'); SELECT foreshard.add_node('b')" new >/dev/null

restored=$(sql main "SET client_min_messages = error; SELECT shard_count = 4 * (within->>'count')::int OR shard_count = 8 * (within->>'count')::int,
                            (SELECT string_agg(c, ' and ' ORDER BY c) FROM jsonb_array_elements_text(to_jsonb(shard_key) || (within->'key')) c)
                     FROM restore_table('public.samples', '$backup', '{\"query_log\": \"public.query_log\", \"growth\": 100}')" new)
check "two levels are chosen" "t|host_id and ts" "$restored"
content="SELECT count(*), sum(hashtextextended(s::text, 0)) FROM samples s"
check "contents are equal" "$(sql main "$content" shop)" "$(sql main "$content" new)"
verified="SELECT count(*) = (SELECT count(*) FROM foreshard.shards), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('samples')"
check "every row is where it belongs" "t|0|t" "$(sql main "$verified" new)"
check "every index came along, on every shard" "2|t" "$(sql main "
    SELECT count(*), bool_and((SELECT count(*) FROM pg_partition_tree(i.indexrelid) WHERE isleaf) = (SELECT count(*) FROM foreshard.shards))
    FROM pg_index i WHERE i.indrelid = 'samples'::regclass" new)"

# The newest range is on both nodes; the shards of one host are on one.
check "the newest range is on both nodes" "a|b" "$(sql main "
    SELECT string_agg(DISTINCT node, '|' ORDER BY node) FROM foreshard.shards WHERE bound LIKE '%TO (MAXVALUE)%'" new)"
check "a part of the hash is on one" "1" "$(sql main "
    SELECT max(n) FROM (SELECT count(DISTINCT node) AS n FROM foreshard.shards GROUP BY substring(bound FROM 'WITH \([^)]*\)')) q" new)"
scanned() { sql main "EXPLAIN (COSTS off) SELECT * FROM samples WHERE $1" new | grep -cE ' on samples_s[0-9]{4}( |$)' || true; }
all=$(sql main "SELECT count(*) FROM foreshard.shards" new)
ranges=4
check "a host is in one shard of each range" "$ranges" "$(scanned "host_id = 7")"
check "a time is in one shard of each part" "$((all / ranges))" "$(scanned "ts > timestamptz '2200-01-01'")"
check "both are in one" 1 "$(scanned "host_id = 7 AND ts > timestamptz '2200-01-01'")"

# Retention: what the DELETE did, dropping does.
oldest=$(sql main "SELECT string_agg(shard::text, ', ') FROM foreshard.shards WHERE bound LIKE '%FROM (MINVALUE)%'" new)
left=$(sql main "SELECT sum(v.rows) FROM foreshard.verify_table('samples') v JOIN foreshard.shards s USING (shard) WHERE s.bound NOT LIKE '%FROM (MINVALUE)%'" new)
sql main "DROP TABLE $oldest" new
check "the oldest range is gone with its rows" "$left" "$(sql main "SELECT count(*) FROM samples" new)"
check "the ledger follows" "$((all - all / ranges))" "$(sql main "SELECT count(*) FROM foreshard.shards" new)"
check "the rest is whole" "t|0|t" "$(sql main "$verified" new)"

sql main "CREATE DATABASE again"
on main pg_dump -Fc -f "$(backups main)/whole.dump" new
on main pg_restore --exit-on-error -d again "$(backups main)/whole.dump"
shards="SELECT shard, node, bound FROM foreshard.shards ORDER BY shard::text"
check "dump and restore keep it" "$(sql main "$shards" new)" "$(sql main "$shards" again)"
check "and it is whole there" "t|0|t" "$(sql main "$verified" again)"
