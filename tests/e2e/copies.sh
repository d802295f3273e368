# shellcheck shell=bash
# A coordinator, three nodes that copy from each other, and a table whose shards have copies: sourced after lib.sh by tests of fail-overs.
. "$(dirname -- "${BASH_SOURCE[0]}")/nodes.sh"

rows=${ROWS:-3000}
server main
quiet="SET client_min_messages = error"
sql main "CREATE EXTENSION foreshard"
for node in n1 n2 n3; do
    copying_node $node
    register $node
done
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, note text); INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1, $rows) n" shop
on main pg_dump -Fc -d shop -f "$(backups main)/shop.dump"
restore() { sql main "$quiet; SELECT rows FROM restore_table('public.$1', '$(backups main)/shop.dump', '{\"source\": \"public.orders\", \"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 6, \"replicas\": 1$2}')"; }
contents() { sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM $1 AS t"; }
following() { wait_until 60 main "SELECT bool_and(state = 'following' AND lag_bytes = 0) FROM foreshard.replicas"; }
verified() { sql main "$quiet; SELECT count(*), bool_and(ok) FROM foreshard.verify_table('$1')"; }
layout() { sql main "SELECT string_agg(shard || '@' || node, ' ' ORDER BY shard::text) FROM foreshard.shards"; }
writes() { sql main "UPDATE orders SET note = note || '.' WHERE id <= 60; SELECT count(*) FROM orders WHERE id <= 60"; }
back() { start "$1"; wait_until 60 "$1" "SELECT true"; }
