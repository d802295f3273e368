#!/usr/bin/env bash
# What a restore does is seen by other sessions while it runs: phases, bytes and rows; and by nobody who should not.
. "$(dirname -- "$0")/lib.sh"

server main
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA new;
    CREATE TABLE orders (id bigint PRIMARY KEY, customer_id integer NOT NULL, note text);
    INSERT INTO orders SELECT i, i % 999, md5(i::text) FROM generate_series(1, 1000000) AS i;
    CREATE INDEX ON orders (customer_id); CREATE INDEX ON orders (note);
    CREATE ROLE member; CREATE ROLE stranger; CREATE ROLE watcher IN ROLE pg_monitor;
    GRANT USAGE ON SCHEMA foreshard TO stranger, member; GRANT SELECT ON foreshard.jobs TO stranger, member; GRANT EXECUTE ON FUNCTION foreshard._running() TO stranger, member;
    GRANT postgres TO member" postgres
backup=$(backups main)/orders.dump
on main pg_dump -Fc -f "$backup" postgres
restore="SELECT rows FROM restore_table('new.orders', '$backup', '{\"source\": \"public.orders\", \"shard_key\": [\"id\"], \"shard_count\": 8}')"
seen() { sql main "${2:-} SELECT $1 FROM foreshard.jobs WHERE state = 'running'" postgres; }

check "nothing runs" "" "$(seen target)"
on main psql -XAtq -v ON_ERROR_STOP=1 -d postgres -c "SET client_min_messages = error" -c "$restore" >"$work/out" &
restorer=$!
while kill -0 $restorer 2>/dev/null; do
    seen "phase, rows, bytes, bytes_total, bytes_per_second >= 0, remaining >= '0 s', pid > 0, kind, target, started_by, started_at < clock_timestamp(), message" >>"$work/seen" || true
done
wait $restorer
check "the restore is done" 1000000 "$(cat "$work/out")"
check "the phases, in their order" "profiling loading verifying finishing" \
    "$(cut -d'|' -f1 "$work/seen" | grep -xE 'profiling|loading|verifying|finishing' | uniq | tr '\n' ' ' | sed 's/ $//')"
check "whose, what and from where" "t|restore|new.orders|$(sql main 'SELECT current_user' postgres)|t|restoring from $backup" "$(cut -d'|' -f7- "$work/seen" | sort -u)"
check "bytes grow within a phase and stay within the total" "" "$(awk -F'|' '
    $1 == phase && ($3 < bytes || $2 < rows) { print "shrinks: " $0 }
    $4 != "" && $3 > $4 { print "too many: " $0 }
    $3 > 0 && $5 != "t" { print "no rate: " $0 }
    $4 != "" && $3 > 0 && $6 != "t" { print "no time: " $0 }
    { phase = $1; rows = $2; bytes = $3 }' "$work/seen")"
check "the load knows its total" 1 "$(awk -F'|' '$1 == "loading" { print ($4 > 20000000) }' "$work/seen" | sort -u)"
check "afterwards it is a job that is done" "done|new.orders|1000000" "$(sql main 'SELECT state, target, rows FROM foreshard.jobs' postgres)"

# Whoever waits for long is told what is done, once a phase; a restore whose rows are held up takes long.
# An archive that was written to a pipe does not say where its rows are: pg_restore reads them, and can be stopped.
sql main "DROP TABLE new.orders" postgres
on main pg_dump -Fc postgres | cat >"$backup.piped"
on main psql -XAtq -d postgres -c "${restore//$backup/$backup.piped}" >"$work/out" 2>"$work/said" &
wait_until 60 main "SELECT count(*) = 1 FROM foreshard.jobs WHERE state = 'running' AND phase = 'loading'"
child=$(ps -o pid= --ppid "$(seen pid)")
kill -STOP $child
sleep 6
kill -CONT $child
wait
check_match "a long restore tells what it does" '^NOTICE:  loading 1,000,000 rows into 8 shards' "$(cat "$work/said")"
check_match "and how long it took" '^NOTICE:  verifying the rows; loading took [0-9]+ s$' "$(cat "$work/said")"
check "nothing twice" "" "$(sed 's/;.*//' "$work/said" | sort | uniq -d)"

# Nothing stays of one that ends in another way.
files() { sql main "SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp', true, false) AS f WHERE f LIKE '%foreshard%'" postgres; }
sql main "DROP TABLE new.orders" postgres
for way in pg_cancel_backend pg_terminate_backend; do
    on main psql -XAtq -d postgres -c "$restore" >"$work/out" 2>&1 &
    wait_until 60 main "SELECT count(*) = 1 FROM foreshard.jobs WHERE state = 'running' AND phase = 'loading'"
    if [ $way = pg_cancel_backend ]; then
        check "those see it who may" "member:1 stranger:0 watcher:1" "$(for role in member stranger watcher; do echo "$role:$(seen 'count(*)' "SET ROLE $role;")"; done | xargs)"
    fi
    sql main "SELECT $way(pid) FROM foreshard.jobs WHERE state = 'running'" postgres >/dev/null
    wait
    check "$way: nothing is shown any more" "|0" "$(seen target)|$(files)"
done
on main psql -XAtq -d postgres -c "$restore" >"$work/out" 2>&1 &
wait_until 60 main "SELECT count(*) = 1 FROM foreshard.jobs WHERE state = 'running' AND phase = 'loading'"
kill -9 "$(seen pid)"
wait
wait_until 60 main "SELECT true"
check "kill -9: nothing is shown any more" "|0" "$(seen target)|$(files)"
