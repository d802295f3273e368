#!/usr/bin/env bash
# Reads of shards on other servers, and where the shards are for whom: a tenant's shards are on the node near its application, a query
# asks only the nodes that it needs, all of them at once, and joins and groups of tables that are cut alike are worked out there.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/nodes.sh"

server main
sql main "CREATE EXTENSION foreshard"
near=(x berlin tokyo austin)
for n in 1 2 3; do
    node n$n
    register n$n "" ", zone => 'z$n', serves => '{${near[$n]}}'"
done
# What the old server answered: a report of all customers, and some look-ups.
sql main "CREATE TABLE log (query text, calls bigint, total_exec_time float8, rows bigint, dbid oid, userid oid, queryid bigint);
    INSERT INTO log VALUES ('SELECT tenant, name, sum(amount) FROM orders o JOIN customers c USING (tenant) WHERE o.customer = c.id GROUP BY tenant, name', 1000, 50000, 6000000, 5, 10, 1),
        ('SELECT * FROM orders WHERE tenant = \$1 AND id = \$2', 10000, 500, 10000, 5, 10, 2)"
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE customers (tenant int, id int, name text, PRIMARY KEY (tenant, id));
    CREATE TABLE orders (tenant int, id int, customer int, amount numeric(9, 2), PRIMARY KEY (tenant, id));
    INSERT INTO customers SELECT n % 12, n, 'name ' || n FROM generate_series(1, 6000) n;
    INSERT INTO orders SELECT n % 12, n, 1 + n % 6000, n / 7.0 FROM generate_series(1, 60000) n" shop
on main pg_dump -Fc -d shop -f "$(backups main)/shop.dump"

# Tenants of Tokyo and Austin; nobody said who uses the others.
affinity='[{"application": "tokyo", "values": ["3", "4", "5"]}, {"application": "austin", "values": ["6", "7", "8"]}]'
for table in customers orders; do
    sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.$table', '$(backups main)/shop.dump',
        '{\"query_log\": \"public.log\", \"method\": \"list\", \"shard_key\": [\"tenant\"], \"shard_count\": 12, \"affinity\": $affinity}')" >/dev/null
done
on_node() { sql main "SELECT string_agg(DISTINCT s.node, ' ' ORDER BY s.node) FROM orders o JOIN foreshard.shards s ON s.shard = o.tableoid WHERE tenant IN ($1)"; }
check "tenants of Tokyo are near Tokyo" n2 "$(on_node 3,4,5)"
check "tenants of Austin are near Austin" n3 "$(on_node 6,7,8)"
check "each node has its share" "t" "$(sql main "SELECT count(*) = 3 AND min(n) >= 3 FROM (SELECT count(*) AS n FROM foreshard.shards WHERE relation = 'orders'::regclass GROUP BY node) s")"
check "tables that are cut alike are together" 12 "$(sql main "SELECT count(*) FROM foreshard.shards a JOIN foreshard.shards b USING (bound, node) WHERE a.relation = 'orders'::regclass AND b.relation = 'customers'::regclass")"

# plan QUERY: what is done where, with the servers' names for the shards'.
plan() {
    sql main "SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on; EXPLAIN (COSTS OFF, VERBOSE) $1"
}
count() { grep -cE "$1" <<<"$2" || true; }
# Of twelve shards one is for tenants to come, which is empty, and may be read in another way.
most() { [ "$(count "$@")" -ge 11 ] && echo yes || count "$@"; }
one=$(plan "SELECT name, amount FROM orders JOIN customers c USING (tenant) WHERE tenant = 4 AND customer = c.id AND orders.id = 100")
# PostgreSQL 15 does not see that the partitions of a fixed value can be joined one by one: the node is asked twice, for few rows.
check "a tenant's join asks two shards for what is the tenant's" "2|2" "$(count 'Foreign Scan' "$one")|$(count 'Remote SQL:.*tenant = 4' "$one")"
check "a tenant's rows" "100|name 101" "$(sql main "SELECT o.id, name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.tenant = 4 AND c.tenant = 5 AND o.id = 100")"
check "joins by the key are left to the nodes, and why" "async_capable true,batch_size 1000,fetch_size 10000,use_remote_estimate true|joins by the key are left to the nodes" "$(sql main "SELECT string_agg(concat_ws(' ', o ->> 'name', o ->> 'value'), ',' ORDER BY o ->> 'name'),
    min(split_part(o ->> 'because', ',', 1)) FILTER (WHERE o ->> 'name' = 'use_remote_estimate') FROM foreshard.tables t JOIN foreshard._plans p ON p.id = t.plan_id, jsonb_array_elements(plan -> 'wrapper') o WHERE relation = 'orders'::regclass")"
all=$(plan "SELECT tenant, count(*), sum(amount) FROM orders GROUP BY tenant")
check "groups by the key are worked out there" yes "$(most 'Remote SQL:.*GROUP BY' "$all")"
check "by all nodes at once" yes "$(most 'Async Foreign Scan' "$all")"
joined=$(plan "SELECT tenant, name, sum(amount) FROM orders o JOIN customers c USING (tenant) WHERE o.customer = c.id GROUP BY tenant, name")
check "a join and its groups, too" yes "$(most 'Remote SQL:.*INNER JOIN.*GROUP BY' "$joined")"
check "what the nodes worked out is right" "$(sql main "SELECT count(*), sum(hashtextextended(s::text, 0)) FROM (SELECT tenant, name, sum(amount) FROM orders o JOIN customers c USING (tenant) WHERE o.customer = c.id GROUP BY tenant, name) s" shop)" \
    "$(sql main "SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on;
        SELECT count(*), sum(hashtextextended(s::text, 0)) FROM (SELECT tenant, name, sum(amount) FROM orders o JOIN customers c USING (tenant) WHERE o.customer = c.id GROUP BY tenant, name) s")"
few=$(plan "SELECT * FROM orders WHERE tenant IN (3, 6) AND amount > 100")
check "two tenants are two questions, with their conditions" "2|2" "$(count 'Foreign Scan' "$few")|$(count 'Remote SQL:.*WHERE.*amount' "$few")"
prepared=$(sql main "SET plan_cache_mode = force_generic_plan; PREPARE q AS SELECT * FROM orders WHERE tenant = \$1; EXPLAIN (COSTS OFF, VERBOSE) EXECUTE q(4)")
check "a prepared statement, too" "1|11" "$(count 'Foreign Scan' "$prepared")|$(sed -n 's/.*Subplans Removed: //p' <<<"$prepared")"
