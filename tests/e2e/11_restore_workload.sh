#!/usr/bin/env bash
# The main job on the real workload: every table of the shop is planned from its query log and restored, in the order of
# their references, into a new database with two nodes; contents and foreign keys are compared with the original.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/shop.sh"
sql main "CREATE TABLESPACE fast LOCATION '$(tablespace main fast)'"
sql main "SELECT foreshard.add_node('a', tablespace => 'fast'); SELECT foreshard.add_node('b')" new

config='{"query_log": "public.query_log"}'
choices=$(for table in $tables; do
    sql main "SELECT '$table', method = 'reference', array_to_string(shard_key, ',') ~ '^[a-z_]*w_id\$' AS by_warehouse
              FROM foreshard.plan_restore('public.$table', '$backup', '$config') WHERE chosen" new
done)
check "every large table goes by its warehouse, item is a reference table" "\
warehouse|f|t
district|f|t
customer|f|t
history|f|t
item|t|f
stock|f|t
orders|f|t
new_order|f|t
order_line|f|t" "$choices"

check "coverage is part of the plan" "1|1" "$(sql main "
    SELECT plan #>> '{coverage,understood_calls}', plan #>> '{coverage,understood_ms}'
    FROM foreshard._plans ORDER BY id LIMIT 1" new | sed 's/1\.0/1/g')"
check "the same inputs give the same plan" "1" "$(sql main "
    SELECT count(DISTINCT p.hash) FROM foreshard.plans p,
           foreshard.plan_restore('public.stock', '$backup', '$config') WHERE p.target = 'public.stock'" new)"

for table in $tables; do
    sql main "SELECT rows FROM restore_table('public.$table', '$backup', '$config')" new >/dev/null
done
content() {
    for table in $tables; do
        sql main "SELECT '$table', count(*), sum(hashtextextended(t::text, 0)) FROM $table t" "$1"
    done
}
check "contents are equal" "$(content shop)" "$(content new)"

foreign_keys="SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
              WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace ORDER BY 1, 2"
check "foreign keys came along" "$(sql main "$foreign_keys" shop)" "$(sql main "$foreign_keys" new)"
check "every row is where it belongs" "0|t" "$(sql main "
    SELECT sum(misplaced_rows), bool_and(ok) FROM foreshard.tables, foreshard.verify_table(relation)" new)"
check "the views know the tables" "9" "$(sql main "SELECT count(*) FROM foreshard.tables" new)"
check "shards are spread over both nodes" "a|b" "$(sql main "
    SELECT string_agg(DISTINCT node, '|' ORDER BY node) FROM foreshard.shards" new)"
check "shards lie where their nodes are" "a|fast
b|" "$(sql main "
    SELECT DISTINCT s.node, t.spcname FROM foreshard.shards s JOIN pg_class c ON c.oid = s.shard
    LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace ORDER BY 1" new)"
check "and so do their indexes" "a|fast
b|" "$(sql main "
    SELECT DISTINCT s.node, t.spcname FROM foreshard.shards s JOIN pg_index i ON i.indrelid = s.shard
    JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace ORDER BY 1" new)"
