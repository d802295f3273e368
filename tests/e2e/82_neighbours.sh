#!/usr/bin/env bash
# Beside the libraries that others preload, before and after them: each does what it is for, and so does foreshard. Then behind pgbouncer in transaction mode, where a session
# is another one in every transaction.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/load.sh"

others=pg_stat_statements,pg_qualstats,pg_cron,auto_explain,pgaudit
for order in first last; do
    [ $order = first ] && preload=foreshard,$others || preload=$others,foreshard
    server $order --preload $preload --conf "cron.database_name = 'postgres'" --conf "cron.use_background_workers = on" --conf "auto_explain.log_min_duration = 0" --conf "auto_explain.log_analyze = on" \
        --conf "pgaudit.log = 'read, write'" --conf "pg_qualstats.sample_rate = 1" --conf "foreshard.monitor_interval = '1s'" --conf "foreshard.sample_rate = 1"
    sql $order "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_qualstats; CREATE EXTENSION pg_cron; CREATE EXTENSION pgaudit; CREATE EXTENSION foreshard;
        CREATE TABLE source (id bigint PRIMARY KEY, v int NOT NULL); INSERT INTO source SELECT n, 0 FROM generate_series(1, 5000) n"
    on $order pg_dump -Fc -t source -f "$(backups $order)/source.dump"
    sql $order "SELECT pg_stat_statements_reset()" >/dev/null
    for _ in $(seq 50); do echo "SELECT v FROM source WHERE id = 5;"; done | on $order psql -XAtq >/dev/null
    sql $order "SET client_min_messages = error; SELECT restore_table('public.t', '$(backups $order)/source.dump', '{\"source\": \"public.source\", \"method\": \"hash\", \"shard_count\": 4}')" >/dev/null
    check "$order: restored" "hash|{id}|4|5000|t" "$(sql $order "SELECT method, shard_key, shard_count, (SELECT sum(rows) FROM foreshard.verify_table('t')), (SELECT bool_and(ok) FROM foreshard.verify_table('t')) FROM foreshard.tables")"
    wait_until 60 $order "SELECT EXISTS (SELECT FROM foreshard.sampled_keys)"
    for _ in $(seq 50); do echo "/* once */ SELECT v FROM t WHERE id = 7; UPDATE t SET v = v + 1 WHERE id = 7;"; done | on $order psql -XAtq >/dev/null
    check "$order: the sampler" 7 "$(sql $order "SELECT value FROM foreshard.hot_values ORDER BY load_share DESC LIMIT 1")"
    check "$order: pg_stat_statements" "50|50" "$(sql $order "SELECT calls, rows FROM pg_stat_statements WHERE query LIKE '%SELECT v FROM t WHERE id%'")"
    check "$order: with their time and their blocks" t "$(sql $order "SELECT total_exec_time > 0 AND shared_blks_hit > 50 FROM pg_stat_statements WHERE query LIKE '%SELECT v FROM t WHERE id%'")"
    check "$order: pg_qualstats" t "$(sql $order "SELECT sum(occurences) >= 50 FROM pg_qualstats WHERE lrelid IN (SELECT 't'::regclass UNION SELECT shard FROM foreshard.shards)")"
    check "$order: auto_explain, with what was measured" t "$([ "$(grep -A4 'Query Text: UPDATE t SET v' "$work/$order/log" | grep -c 'actual time=')" -ge 50 ] && echo t)"
    check "$order: pgaudit" 50 "$(grep -c 'AUDIT: SESSION,.*WRITE,UPDATE,,,UPDATE t SET v' "$work/$order/log")"
    check_error "$order: an error is what it was" '23505.*duplicate key value violates unique constraint "t_s[0-9]+_pkey"' $order "INSERT INTO t VALUES (7, 1)"
    job=$(sql $order "SELECT foreshard.split_shard('t_s0000')")
    check "$order: a split" "done|5" "$(sql $order "SELECT foreshard.wait_job($job)")|$(sql $order "SELECT count(*) FROM foreshard.shards")"
    sql $order "SELECT cron.schedule('split', '* * * * *', 'SELECT foreshard.split_shard(''t_s0001'')')" >/dev/null
done
# At the next full minute, on both.
for order in first last; do
    wait_until 180 $order "SELECT EXISTS (SELECT FROM cron.job_run_details WHERE status IN ('succeeded', 'failed'))"
    sql $order "SELECT cron.unschedule('split')" >/dev/null
    check "$order: pg_cron begins a job" "succeeded|split" "$(sql $order "SELECT status, (SELECT kind FROM foreshard.jobs ORDER BY job_id DESC LIMIT 1) FROM cron.job_run_details ORDER BY runid LIMIT 1")"
    check "$order: which is done" "done|6" "$(sql $order "SELECT foreshard.wait_job(max(job_id)) FROM foreshard.jobs")|$(sql $order "SELECT count(*) FROM foreshard.shards")"
    check "$order: nothing crashed" "" "$(grep -E 'PANIC|terminated by signal|server process' "$work/$order/log" || true)"
    cluster_stop "$work/$order"
done

# Behind pgbouncer.
server main --preload pg_stat_statements,foreshard
sql main "CREATE EXTENSION foreshard"
make_orders 5000
bouncer=$(unpacked pgbouncer libc-ares2 libevent-2.1-7)
mkdir "$work/bouncer"; door=$(free_port)
cat >"$work/bouncer/ini" <<INI
[databases]
* = host=$(socket main) port=$(port main)
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $door
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
logfile = $work/bouncer/log
pidfile = $work/bouncer/pid
ignore_startup_parameters = extra_float_digits
INI
sed -i "s|^\* = .*|& user=postgres|" "$work/bouncer/ini"
chmod -R a+rwX "$work/bouncer"; chmod a+x "$work"
as_server env LD_LIBRARY_PATH="$bouncer/usr/lib/$(uname -m)-linux-gnu" "$bouncer/usr/sbin/pgbouncer" -q "$work/bouncer/ini" &
bouncer_pid=$!
# The process itself, and not only what has started it as another user.
end_bouncer() { as_root kill "$(cat "$work/bouncer/pid")" 2>/dev/null || true; wait $bouncer_pid 2>/dev/null || true; }
trap 'status=$?; end_bouncer; (exit $status); finish' EXIT
behind() { PGHOST=127.0.0.1 PGPORT=$door PGUSER=postgres PGDATABASE=postgres "$@"; }
for _ in $(seq 100); do ! behind psql -XAtqc "SELECT" >/dev/null 2>&1 || break; sleep 0.1; done
check "pgbouncer: restored" 6000 "$(behind psql -XAtqc "SET client_min_messages = error" -c "SELECT rows FROM restore_table('public.orders', 'table:public.source', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 2}')")"
sql main "CREATE TABLE shadow (LIKE source INCLUDING ALL); INSERT INTO shadow (id, customer, region, day, note) SELECT id, customer, region, day, note FROM source"
on() { if [ "$2" = pgbench ]; then shift; behind "$@"; else (shift; eval "$(cluster_env "$work/main")" && "$@"); fi; }
begin_load
job=$(behind psql -XAtqc "SELECT foreshard.split_shard('orders_s0000')")
check "pgbouncer: a split" "done" "$(behind psql -XAtqc "SELECT foreshard.wait_job($job, '60 s')")"
same "pgbouncer: a split"
check "pgbouncer: the session was another one's" t "$(sql main "SELECT count(DISTINCT pid) BETWEEN 1 AND 7 FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = 'postgres'")"
