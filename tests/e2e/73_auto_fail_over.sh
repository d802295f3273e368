#!/usr/bin/env bash
# A node that does not answer, on a server that lets the monitor see to it: its copies take over where nothing can be lost, and nothing is done
# where something could. Without the setting nothing is done at all.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/nodes.sh"

server main --preload foreshard --conf "foreshard.monitor_interval = '1s'"
quiet="SET client_min_messages = error"
sql main "CREATE EXTENSION foreshard"
for node in n1 n2 n3; do
    copying_node $node
    register $node ", connect_timeout '2'"
done
sql main "CREATE TABLE source (id bigint PRIMARY KEY, v int NOT NULL); INSERT INTO source SELECT n, 0 FROM generate_series(1, 3000) n"
sql main "$quiet; SELECT restore_table('public.t', 'table:public.source', '{\"query_log\": \"off\", \"shard_key\": [\"id\"], \"method\": \"hash\", \"shard_count\": 6, \"replicas\": 1, \"synchronous\": true}')" >/dev/null
check "two shards each" "n1|2 n2|2 n3|2" "$(sql main "SELECT string_agg(node || '|' || n, ' ' ORDER BY node) FROM (SELECT node, count(*) AS n FROM foreshard.shards GROUP BY node) s")"
wait_until 60 main "SELECT count(*) = 3 AND bool_and(answers) FROM foreshard.node_states"

# It hangs: nothing is refused, and nothing answered, as behind a network that is cut.
# shellcheck disable=SC2046 # words
as_root kill -STOP $(processes n2)
wait_until 60 main "SELECT NOT answers FROM foreshard.node_states WHERE node = 'n2'"
sleep 4
check "without the setting nothing is done" 2 "$(sql main "SELECT count(*) FROM foreshard.shards WHERE node = 'n2'")"
sql main "ALTER SYSTEM SET foreshard.auto_fail_over = '2s'"
sql main "SELECT pg_reload_conf()" >/dev/null
wait_until 60 main "SELECT count(*) = 0 FROM foreshard.shards WHERE node = 'n2'"
check "the copies are in their place" "6|0" "$(sql main "SELECT count(*), count(*) FILTER (WHERE node = 'n2') FROM foreshard.shards")"
check "all rows can be read and written" "3000" "$(sql main "WITH u AS (UPDATE t SET v = v + 1 RETURNING 1) SELECT count(*) FROM u")"
check_match "told in the log" 'foreshard: fail-over of node "n2": 2 shards have their copies in their place' "$(as_server grep 'fail-over' "$work/main/log")"

# It goes on as if nothing had been, and becomes a copy of what has taken its place.
# shellcheck disable=SC2046 # words
as_root kill -CONT $(processes n2)
wait_until 60 main "SELECT answers FROM foreshard.node_states WHERE node = 'n2'"
check "what comes back is a copy" "t|t" "$(sql main "$quiet; SELECT count(*) > 0, bool_and(ok) FROM foreshard.rejoin('n2')")"
wait_until 60 main "SELECT bool_and(state = 'following' AND lag_bytes = 0) FROM foreshard.replicas"
check "and equal" "6|3000|t" "$(sql main "$quiet; SELECT count(*), sum(rows), bool_and(ok) FROM foreshard.verify_table('t')")"

# Copies that commits have not waited for.
sql main "$quiet; SELECT restore_table('public.u', 'table:public.source', '{\"query_log\": \"off\", \"shard_key\": [\"id\"], \"method\": \"hash\", \"shard_count\": 4, \"replicas\": 1, \"nodes\": [\"n1\", \"n3\"]}')" >/dev/null

# One of them falls behind, and is told before anything is lost.
link=$(sql main "SELECT min(link) FROM foreshard.replicas WHERE shard::text LIKE 'u%' AND primary_node = 'n1'")
wait_until 60 main "SELECT lag_seconds < 10 FROM foreshard.node_states WHERE node = 'n1'"
sql n3 "ALTER SUBSCRIPTION $link DISABLE" shards
sql main "UPDATE u SET v = v + 1"
wait_until 120 main "SELECT verdict = 'lagging' FROM foreshard.health WHERE relation = 'u'::regclass"
check_match "a copy that is behind is told" 'Copies of what node n1 has are [0-9.]+ s behind' "$(sql main "SELECT because FROM foreshard.health WHERE relation = 'u'::regclass")"
sql n3 "ALTER SUBSCRIPTION $link ENABLE" shards
wait_until 60 main "SELECT lag_seconds < 10 FROM foreshard.node_states WHERE node = 'n1'"

before=$(sql main "SELECT string_agg(shard || '@' || node, ' ' ORDER BY shard::text) FROM foreshard.shards")
crash n3
wait_until 60 main "SELECT NOT answers FROM foreshard.node_states WHERE node = 'n3'"
deadline=$((SECONDS + 90))
until as_server grep -q 'fail-over of node "n3"' "$work/main/log" || [ $SECONDS -ge $deadline ]; do sleep 0.2; done
check_match "what could be lost is not" 'fail-over of node "n3": not done: .*could lose rows' "$(as_server grep 'fail-over of node "n3"' "$work/main/log")"
sleep 3
check "told once" 1 "$(as_server grep -c 'fail-over of node "n3"' "$work/main/log")"
check "and nothing is done" "$before" "$(sql main "SELECT string_agg(shard || '@' || node, ' ' ORDER BY shard::text) FROM foreshard.shards")"
