#!/usr/bin/env bash
# What people look at: a restored table under load, watched by the monitor, as text.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements,foreshard --conf "foreshard.monitor_interval = '1s'" --conf "foreshard.sample_rate = 1"
sql main "CREATE EXTENSION foreshard; CREATE ROLE reader LOGIN; GRANT pg_monitor TO reader; CREATE ROLE other LOGIN;
    CREATE TABLE orders (tenant int NOT NULL, id bigint NOT NULL, note text, PRIMARY KEY (tenant, id));
    INSERT INTO orders SELECT n % 500, n, 'x' FROM generate_series(1, 20000) n; SET client_min_messages = error;
    SELECT restore_table('public.\"<script>\"', 'table:public.orders', '{\"shard_key\": [\"tenant\"], \"method\": \"hash\", \"shard_count\": 4, \"query_log\": \"off\"}')" >/dev/null
table="'\"<script>\"'::regclass"
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.sampled_keys WHERE relation = $table)"
{ for _ in $(seq 200); do echo "SELECT note FROM \"<script>\" WHERE tenant = 11;"; done; } | on main psql -XAtq >/dev/null
wait_until 60 main "SELECT sum(load) > 0 FROM foreshard.load_history WHERE relation = $table"

check "heat: two lines of hours, one for each shard, the scale" 7 "$(sql main "SELECT foreshard.heatmap($table)" | wc -l)"
check "the busiest is the darkest" 1 "$(sql main "SELECT foreshard.heatmap($table)" | grep -c '|.*@|')"
check "for those who watch" 7 "$(sql main "SET ROLE reader; SELECT foreshard.heatmap($table)" | wc -l)"
check_error "for nobody else" "permission denied" main "SET ROLE other; SELECT foreshard.heatmap($table)"
check_match "a table without load says so" "No load was measured" "$(sql main "SELECT foreshard.heatmap('orders')")"
