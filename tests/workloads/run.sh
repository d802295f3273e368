#!/usr/bin/env bash
# run.sh NAME load | run TRANSACTIONS: a workload against the database of PGDATABASE. Deterministic: a fixed seed and a fixed
# number of transactions a client, each with a thread of its own: clients of one thread draw their scripts from one sequence, in
# the order of chance. MIX names a file for how many of each script there were: `script count`, one pair a line.
set -euo pipefail
workload=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/$1" && pwd)
if [ -e "$workload/run.sh" ]; then
    export CLIENTS=4
    [ "$2" = run ] && exec "$workload/run.sh" transactions "$3"
    exec "$workload/run.sh" "$2"
fi
case $2 in
    load)
        psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -f "$workload/load.sql"
        ;;
    run)
        scripts=()
        for script in "$workload"/*@*.sql; do
            weight=${script##*@}
            scripts+=(-f "$script@${weight%.sql}")
        done
        log=$(pgbench -n -c 4 -j 4 -t "$3" --random-seed=20250101 "${scripts[@]}" 2>/dev/null)
        [ -z "${MIX:-}" ] || "$(dirname -- "$0")/mix.awk" <<<"$log" >"$MIX"
        grep -E '^number of (transactions actually processed|failed)' <<<"$log"
        ;;
    *)
        sed -n '2,4s/^# //p' "$0"
        exit 2
        ;;
esac
