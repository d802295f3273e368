#!/usr/bin/env bash
# The launcher and the monitors: one for each database that has the extension, whatever becomes of databases, extensions and processes; what they
# measure, here and on another server, and how it is kept; and that they are in nobody's way.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements,foreshard --conf "foreshard.monitor_interval = '1s'"
server n1 --tcp
monitors() { sql main "SELECT coalesce(string_agg(datname, ' ' ORDER BY datname), 'none') FROM pg_stat_activity WHERE backend_type = 'foreshard monitor'"; }
monitored() { wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard monitor' AND datname = '$1')"; }
unmonitored() { wait_until 60 main "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard monitor' AND datname = '$1')"; }
log() { grep -c -- "$1" "$work/main/log" || true; }
logged() { local deadline=$((SECONDS + 60)); until [ "$(log "$1")" != 0 ] || [ $SECONDS -ge $deadline ]; do sleep 0.1; done; }

# Databases and extensions.
check "a launcher, and no monitor without the extension" "1 none" "$(sql main "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'foreshard launcher'") $(monitors)"
sql main "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION postgres_fdw; CREATE EXTENSION foreshard"
monitored postgres
sql main "BEGIN; DROP EXTENSION foreshard; ROLLBACK"
sql main "CREATE DATABASE other"
sql main "CREATE EXTENSION foreshard" other
monitored other
check "one for each database" "other postgres" "$(monitors)"
check "no second one" "$(sql main "SELECT pid FROM pg_stat_activity WHERE backend_type = 'foreshard monitor' AND datname = 'postgres'")" \
    "$(sql main "SET client_min_messages = error; SELECT foreshard.start_worker()")"
sql main "DROP EXTENSION foreshard" other
unmonitored other
check "it leaves with the extension" "postgres" "$(monitors)"
sql main "CREATE EXTENSION foreshard" other
monitored other
sql main "ALTER DATABASE other RENAME TO another"
check "a database is renamed beside its monitor" another "$(sql main "SELECT datname FROM pg_database WHERE datname LIKE '%other'")"
sql main "SET client_min_messages = error; SELECT foreshard.start_worker()" another >/dev/null
monitored another
sql main "CREATE DATABASE copy TEMPLATE another"
check "a database is a template beside its monitor" 1 "$(sql main "SELECT count(*) FROM pg_extension WHERE extname = 'foreshard'" copy)"
monitored copy
sql main "DROP DATABASE copy"
sql main "SET client_min_messages = error; SELECT foreshard.start_worker()" another >/dev/null
sql main "DROP DATABASE another WITH (FORCE)"
check "databases are dropped beside their monitors" "postgres" "$(monitors)"
sql main "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'foreshard monitor'" >/dev/null
unmonitored postgres || true
sql main "SET client_min_messages = error; SELECT foreshard.start_worker()" >/dev/null
monitored postgres
crash main
start main
monitored postgres
check "it is there again after a crash" "postgres" "$(monitors)"

# What it measures: here, on another server, and of statements.
sql n1 "CREATE ROLE app LOGIN PASSWORD 'secret'"
sql n1 "CREATE DATABASE shards OWNER app"
sql main "CREATE ROLE owner LOGIN; GRANT CREATE ON SCHEMA public TO owner; CREATE SERVER n1 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$(port n1)', dbname 'shards');
    GRANT USAGE ON FOREIGN SERVER n1 TO owner; CREATE USER MAPPING FOR owner SERVER n1 OPTIONS (user 'app', password 'secret');
    CREATE USER MAPPING FOR postgres SERVER n1 OPTIONS (user 'app', password 'secret');
    CREATE TABLE source (id bigint PRIMARY KEY, v int); INSERT INTO source SELECT n, 0 FROM generate_series(1, 2000) n;
    SET client_min_messages = error; SELECT foreshard.add_node('here', tablespace => 'pg_default'), foreshard.add_node('n1', server => 'n1')" >/dev/null
config='"shard_key": ["id"], "method": "hash", "shard_count": 4, "query_log": "off"'
sql main "SET client_min_messages = error; SELECT restore_table('public.t', 'table:public.source', '{$config}'); ALTER TABLE t OWNER TO owner" >/dev/null
check "part here, part there" "2|2" "$(sql main "SELECT count(*) FILTER (WHERE node = 'here'), count(*) FILTER (WHERE node = 'n1') FROM foreshard.shards")"
sleep 3
for _ in 1 2 3 4 5; do sql main "UPDATE t SET v = v + 1; SELECT count(*) FROM t WHERE id = 7" >/dev/null; sleep 0.5; done
wait_until 60 main "SELECT count(*) = 4 AND sum(updated) >= 10000 AND min(bytes) > 0 AND min(live_rows) > 400 FROM (SELECT shard, sum(updated) AS updated, max(bytes) AS bytes, max(live_rows) AS live_rows FROM foreshard._load GROUP BY shard) l"
check "writes of every shard, each once" "4|10000" "$(sql main "SELECT count(DISTINCT shard), sum(updated) FROM foreshard._load")"
check "rates are shown" "4|t|t|t" "$(sql main "SELECT count(*), bool_and(writes_per_second > 0), bool_and(bytes > 0 OR node = 'n1'), abs(sum(load_share) - 1) < 1e-6 FROM foreshard.shards")"
wait_until 60 main "SELECT sum(calls) >= 10 FROM foreshard._statement_load"
calls=$(sql main "SELECT sum(calls) FROM foreshard._statement_load")
sql main "SELECT pg_stat_statements_reset(); SELECT count(*) FROM t" >/dev/null
sleep 3
check "a reset of the statements is no negative load" t "$(sql main "SELECT sum(calls) >= $calls AND min(calls) >= 0 AND min(milliseconds) >= 0 FROM foreshard._statement_load")"
sql main "SELECT pg_stat_reset()" >/dev/null
sleep 3
check "nor is a reset of the counters" "t|10000" "$(sql main "SELECT min(updated) >= 0 AND min(index_scans) >= 0 AND min(work) >= 0, sum(updated) FROM foreshard._load")"
check "its own statements are not in the query log" 0 "$(sql main "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%foreshard._load%' AND query LIKE '%INSERT%'")"
check "nodes answer" "here|t n1|t" "$(sql main "SELECT string_agg(node || '|' || left(answers::text, 1), ' ' ORDER BY node) FROM foreshard.node_states")"
check "a history to forecast" t "$(sql main "SELECT count(*) > 0 FROM foreshard.load_history WHERE shard IS NOT NULL AND load >= 0")"

# A node that is gone does not hold up the others, and is told once.
stop n1
wait_until 60 main "SELECT NOT answers FROM foreshard.node_states WHERE node = 'n1'"
before=$(sql main "SELECT max(seen_at) FROM foreshard._verdicts")
wait_until 60 main "SELECT max(seen_at) > '$before' FROM foreshard._verdicts"
check "the message says why" t "$(sql main "SELECT message LIKE '%refused%' FROM foreshard.node_states WHERE node = 'n1'")"
start n1
wait_until 60 main "SELECT answers FROM foreshard.node_states WHERE node = 'n1'"
check "told once, and when it answers again" "1 1" "$(log 'node "n1" does not answer') $(log 'node "n1" answers again')"

# A tick that fails is told once and tried again, and nobody's lock is waited for.
sql main "ALTER TABLE foreshard._load ADD CONSTRAINT never CHECK (watched < 0) NOT VALID"
logged 'a tick of the monitor failed'
sleep 3
check "a tick that fails is told once" 1 "$(log 'a tick of the monitor failed')"
sql main "ALTER TABLE foreshard._load DROP CONSTRAINT never"
logged 'the monitor works again'
check "and when it works again" 1 "$(log 'the monitor works again')"
seen="SELECT max(seen_at) FROM foreshard._verdicts"
(sql main "BEGIN; LOCK TABLE ONLY t IN ACCESS EXCLUSIVE MODE; LOCK TABLE $(sql main "SELECT shard FROM foreshard.shards WHERE node = 'here' LIMIT 1") IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(120)" >/dev/null 2>&1 || true) &
locked="SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%pg_sleep(120)%')"
wait_until 60 main "$locked"
before=$(sql main "$seen")
wait_until 60 main "SELECT ($seen) > '$before'"
check "a locked shard is looked at all the same" "t|t" "$(sql main "SELECT ($seen) > '$before', ($locked)")"
sql main "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" >/dev/null
wait $!

# Slots are thinned out.
sql main "INSERT INTO foreshard._load SELECT relation, shard, date_trunc('hour', now()) - interval '10 hours' + n * interval '1 minute', 60, 60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, n, 13
    FROM foreshard._shards, generate_series(0, 59) n;
    INSERT INTO foreshard._load SELECT relation, shard, now() - interval '60 days', 3600, 60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 FROM foreshard._shards"
restart main
wait_until 60 main "SELECT count(*) = 4 FROM foreshard._load WHERE slot < now() - interval '7 hours'"
check "sums of an hour, and its last extent" "4|3600|60|360|59" \
    "$(sql main "SELECT count(*), min(watched), min(work), min(updated), min(dead_rows) FROM foreshard._load WHERE slot_seconds = 3600")"

# Who may see what.
sql main "CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher; CREATE ROLE nobody LOGIN"
as() { on main psql -XAtq -U "$1" -d postgres -c "$2" 2>&1 || true; }
check "pg_monitor sees health and history" "0" "$(as watcher "SELECT count(*) FROM foreshard.health WHERE false; " | tail -1)"
check_match "others do not" "permission denied" "$(as nobody "SELECT * FROM foreshard.health")"
check_match "nor do they start workers" "permission denied" "$(as watcher "SELECT foreshard.start_worker()")"
check_match "nor set policies" "permission denied" "$(as watcher "SELECT foreshard.set_policy('public.t', '{}')")"

# A standby has none; once promoted it has.
on main pg_basebackup -D "$work/standby-data" -R -c fast >/dev/null
install -d -m 700 "$work/standby"
as_root() { "$@"; }
mv "$work/standby-data" "$work/standby/data"
mkdir -p "$work/standby/socket" && chmod 777 "$work/standby/socket"
cp "$work/main/password" "$work/standby/password"
free_port >"$work/standby/port"
chown -R "$(server_user)" "$work/standby"
sed -i "s|$work/main/socket|$work/standby/socket|" "$work/standby/data/postgresql.conf"
start standby
check "none on a standby" 0 "$(sql standby "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'foreshard%'")"
check_error "nor can one be started there" '55000.*no monitor can be started here' standby "SELECT foreshard.start_worker()"
sql standby "SELECT pg_promote()" >/dev/null
wait_until 60 standby "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type LIKE 'foreshard%'"
check "they start after a promotion" 2 "$(sql standby "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'foreshard%'")"

# Without preload.
server plain
sql plain "CREATE EXTENSION foreshard"
check "none starts by itself" 0 "$(sql plain "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'foreshard%'")"
check_match "the line to add is told" "shared_preload_libraries" "$(sql plain "SELECT foreshard.start_worker()" 2>&1)"
check "it is there" 1 "$(sql plain "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'foreshard monitor'")"
sql plain "DROP EXTENSION foreshard"
wait_until 60 plain "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'foreshard monitor'"
check "and leaves with the extension" 0 "$(sql plain "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'foreshard monitor'")"
