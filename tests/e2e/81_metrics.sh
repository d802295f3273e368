#!/usr/bin/env bash
# The metrics as those take them who keep them: postgres_exporter with the custom queries of contrib/, the statements of pgwatch, and a dashboard that
# asks for nothing else. All as a role that may monitor and no more.
. "$(dirname -- "$0")/lib.sh"
contrib=$(cd "$(dirname -- "$0")/../../contrib" && pwd)

server main --preload pg_stat_statements,foreshard --conf "foreshard.monitor_interval = '1s'" --conf "foreshard.sample_rate = 1"
sql main "CREATE EXTENSION foreshard; CREATE ROLE metrics LOGIN IN ROLE pg_monitor; CREATE TABLE source (id bigint PRIMARY KEY, v int NOT NULL); INSERT INTO source SELECT n, 0 FROM generate_series(1, 5000) n;
    SET client_min_messages = error; SELECT restore_table('public.t', 'table:public.source', '{\"shard_key\": [\"id\"], \"method\": \"hash\", \"shard_count\": 4, \"query_log\": \"off\"}')" >/dev/null
sql main "ANALYZE t"
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.sampled_keys)"
job=$(sql main "SELECT foreshard.split_shard('t_s0000')")
check "a job" "done" "$(sql main "SELECT foreshard.wait_job($job)")"
for _ in $(seq 200); do echo "SELECT v FROM t WHERE id = 7;"; done | on main psql -XAtq >/dev/null
wait_until 60 main "SELECT count(*) = 5 AND bool_or(load > 0) FROM foreshard.shards WHERE load IS NOT NULL"
sql main "INSERT INTO foreshard._decisions (decided_at, relation, verdict, move, outcome, because, before) VALUES (now(), 't', 'healthy', 'none', 'none', 'for a test', '{}')"

exporter=$(unpacked prometheus-postgres-exporter)/usr/bin/prometheus-postgres-exporter
web=$(free_port)
(eval "$(cluster_env "$work/main")" && DATA_SOURCE_NAME="host=$PGHOST port=$PGPORT user=metrics dbname=postgres sslmode=disable" exec "$exporter" --web.listen-address "127.0.0.1:$web" \
    --disable-default-metrics --disable-settings-metrics --extend.query-path "$contrib/prometheus/queries.yaml") >"$work/exporter.log" 2>&1 &
exporter_pid=$!
trap 'status=$?; kill $exporter_pid 2>/dev/null || true; (exit $status); finish' EXIT
scrape() { "$(test_python)" -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())' "http://127.0.0.1:$web/metrics" 2>/dev/null; }
for _ in $(seq 100); do ! scraped=$(scrape) || break; sleep 0.1; done
series() { grep -E "^$1" <<<"$scraped" | head -n 1; }
check_match "a shard" '^foreshard_shard_bytes\{.*node="default",relation="t",.*shard="t_s[0-9]+"\} [0-9.e+]+$' "$(series 'foreshard_shard_bytes')"
check "every shard" 5 "$(grep -c '^foreshard_shard_load{' <<<"$scraped")"
check_match "a table" '^foreshard_table_shards\{.*relation="t".*\} 5$' "$(series foreshard_table_shards)"
check_match "its rows" '\} 5000$' "$(series foreshard_table_rows)"
check_match "the share of its hottest value" '\} (1|0\.[0-9]+)$' "$(series foreshard_table_hottest_value_share)"
check_match "a verdict" '^foreshard_health_holds\{.*relation="t",.*verdict="[a-z -]+"\} 1$' "$(series foreshard_health_holds)"
check_match "a node" '^foreshard_node_shards\{node="default".*\} 5$' "$(series foreshard_node_shards)"
check_match "a job" '^foreshard_job_jobs\{kind="split",.*state="done"\} 1$' "$(series 'foreshard_job_jobs.*split')"
check_match "a decision" '^foreshard_decision_decisions\{move="none",outcome="none",relation="t".*\} [1-9]' "$(series foreshard_decision_decisions)"
check "nothing failed" "" "$(grep -iE 'level=(error|warn)' "$work/exporter.log" | grep -vi deprecated || true)"

# Of the dashboard: every series that it asks for is one of these.
asked=$(grep -oE 'foreshard_[a-z_]+' "$contrib/grafana/foreshard.json" | sort -u)
unknown=$(comm -23 <(echo "$asked") <(grep -oE '^foreshard_[a-z_]+' "$contrib/prometheus/queries.yaml" | while read -r name; do
    view=$(sed -n "/^$name:/,/query:/s/.*FROM foreshard\.//p" "$contrib/prometheus/queries.yaml")
    sql main "SELECT '${name}_' || attname FROM pg_attribute WHERE attrelid = 'foreshard.$view'::regclass AND attnum > 0"
done | sort -u))
check "the dashboard asks for what there is" "" "$unknown"
check_match "and for something" '^[1-9][0-9]$' "$(wc -l <<<"$asked" | xargs)"
check "columns of a view are described, each" "" "$(for view in shard table health node job decision; do
    sql main "SELECT attname FROM pg_attribute WHERE attrelid = 'foreshard.${view}_metrics'::regclass AND attnum > 0" | while read -r column; do
        sed -n "/^foreshard_$view:/,/^\$/p" "$contrib/prometheus/queries.yaml" | grep -q "^    - $column:" || echo "$view.$column"
    done
done)"

# pgwatch's: as it reads them.
"$(test_python)" - "$contrib/pgwatch/metrics.yaml" >"$work/pgwatch.sql" <<'PY'
import sys, yaml
for name, metric in yaml.safe_load(open(sys.argv[1]))["metrics"].items():
    print(f"\\echo {name}\nSELECT count(*) > 0 AND bool_and(epoch_ns > 0) FROM ({metric['sqls'][15].strip()}) AS s;")
PY
check "pgwatch's statements" "$(printf 'foreshard_%s t ' shard table health node job decision)" "$(on main psql -XAtq -U metrics -v ON_ERROR_STOP=1 -f "$work/pgwatch.sql" | xargs) "

# Without the right to monitor there is nothing.
sql main "CREATE ROLE nobody LOGIN"
check_error "others" '42501' main "SET ROLE nobody; SELECT * FROM foreshard.shard_metrics"
