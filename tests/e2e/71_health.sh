#!/usr/bin/env bash
# A table restored for a uniform load, of which then the most goes to one shard: the monitor notices, says so, and advises with SQL that can be
# run; what it may do is what the setting and the table's policy let it.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements,foreshard --conf "foreshard.monitor_interval = '1s'" --conf "foreshard.auto_reshard = advise"
sql main "CREATE EXTENSION foreshard"
sql main "CREATE TABLE source (id bigint PRIMARY KEY, v int NOT NULL); INSERT INTO source SELECT n, 0 FROM generate_series(1, 20000) n;
    SET client_min_messages = error; SELECT restore_table('public.t', 'table:public.source', '{\"shard_key\": [\"id\"], \"method\": \"hash\", \"shard_count\": 4}')" >/dev/null
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.health)"
check "nobody uses it yet" "healthy|Nobody uses it at the moment." "$(sql main "SELECT verdict, because FROM foreshard.health")"
hot=$(sql main "SELECT tableoid::regclass FROM t WHERE id = 7")

# Two thirds of the statements are about rows of one shard.
sql main "CREATE TABLE hot AS SELECT row_number() OVER () AS n, id FROM t WHERE tableoid = '$hot'::regclass; CREATE UNIQUE INDEX ON hot (n)"
cat >"$work/load.sql" <<SQL
\set n random(1, $(sql main "SELECT count(*) FROM hot"))
\set any random(1, 20000)
SELECT id AS hot FROM hot WHERE n = :n \gset
UPDATE t SET v = v + 1 WHERE id = :any;
UPDATE t SET v = v + 1 WHERE id = :hot;
SELECT v FROM t WHERE id = :hot;
SQL
on main pgbench -n -c 2 -T 60 -f "$work/load.sql" >"$work/bench" 2>&1 &
bench=$!
wait_until 60 main "SELECT verdict = 'hot shard' FROM foreshard.health"
check_match "the hot shard is told, and how hot it is" "^\{$hot\}\|Shard $hot has [67][0-9] % of the load; a fair share of 4 shards would be 25 %\.$" \
    "$(sql main "SELECT shards, because FROM foreshard.health")"
check "and shown" "$hot" "$(sql main "SELECT shard FROM foreshard.shards ORDER BY temperature DESC NULLS LAST LIMIT 1")"
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.decisions WHERE outcome = 'advised')"
advice=$(sql main "SELECT statement FROM foreshard.decisions WHERE outcome = 'advised' ORDER BY decision_id DESC LIMIT 1")
check "advice that can be run" "SELECT foreshard.split_shard('public.$hot');" "$advice"
check "with the reason, the forecast and the state before" t \
    "$(sql main "SELECT because LIKE '%avoids%' AND (forecast ->> 'gain_seconds')::float8 > 2 * (forecast ->> 'cost_seconds')::float8 AND before -> 'shards' ? '$hot'
        FROM foreshard.decisions WHERE outcome = 'advised' LIMIT 1")"
check_match "the verdict says what to do" "^Advice: SELECT foreshard.split_shard" "$(sql main "SELECT action FROM foreshard.health")"
check_match "one line of the log" "decision: table=public.t verdict=\"hot shard\" move=split outcome=advised" "$(grep 'foreshard: decision' "$work/main/log")"
check "nothing else was done" "4|0" "$(sql main "SELECT (SELECT count(*) FROM foreshard.shards), (SELECT count(*) FROM foreshard.jobs WHERE kind <> 'restore')")"

# The policy of a table, below the setting.
check_error "a policy is checked" '22023.*unknown config field "wndow"' main "SELECT foreshard.set_policy('t', '{\"wndow\": \"22:00-06:00\"}')"
check_error "of restored tables only" '42704.*not a table that foreshard has restored' main "SELECT foreshard.set_policy('source', '{}')"
sql main "SELECT foreshard.set_policy('t', '{\"auto_reshard\": \"off\"}')"
wait_until 70 main "SELECT action = 'Nothing: auto_reshard is off.' FROM foreshard.health"
check "off" "Nothing: auto_reshard is off." "$(sql main "SELECT action FROM foreshard.health")"
kill $bench 2>/dev/null || true
wait $bench 2>/dev/null || true
sql main "DROP TABLE t"
wait_until 60 main "SELECT count(*) = 0 FROM foreshard.health"
check "a table that is dropped leaves no verdict" 0 "$(sql main "SELECT count(*) FROM foreshard.health")"
