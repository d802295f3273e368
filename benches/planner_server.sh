#!/usr/bin/env bash
# How long the server takes to plan for a large application: foreshard.plan_restore of one table of a pg_dump archive of 200
# tables, with query logs of 1,000 to 10,000 distinct statements of twelve shapes (tests/e2e/fixtures/large.sql), and how it
# grows with the number of tables. The first figure of a line is with "query_log": "off", so that the rest is what the log costs.
# Install with PROFILE=release first. STATEMENTS and TABLES say which sizes.
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/cluster.sh"
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

work=$(scratch_dir)
trap 'cluster_remove "$work/main"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cluster_create "$work/main" --preload pg_stat_statements
eval "$(cluster_env "$work/main")"
run() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
run -c "CREATE EXTENSION foreshard" -f "$here/../tests/e2e/fixtures/large.sql"

application() {
    run -c "DROP DATABASE IF EXISTS app" -c "CREATE DATABASE app"
    run -d app -f "$here/../tests/e2e/fixtures/large.sql" -c "SET client_min_messages = warning" -c "SELECT large.tables($1)" >/dev/null
    run -d app -c "INSERT INTO tenants SELECT n, 'tenant ' || n, 'free' FROM generate_series(1, 1000) n" \
        -c "INSERT INTO t3 SELECT n, n % 1000 + 1, n, md5(n::text), n % 5, 'a', n, now() FROM generate_series(1, 100000) n"
    pg_dump -Fc -Z1 -N large -f "$work/main/backups/app.dump" app
}

# Seconds of a plan with this log, on the clock and of the backend's processor time, and the choice.
plan() {
    run <<SQL | awk '/^Time:/ { seconds = $2 / 1000 } /^cpu/ { printf "%.2f s (%.2f s of CPU): ", seconds, $2 }'
SET client_min_messages = error;
SELECT pg_backend_pid() AS pid \gset
\setenv BACKEND :pid
\timing on
SELECT count(*) FROM foreshard.plan_restore('public.t3', '$work/main/backups/app.dump', '{"query_log": "$1", "growth": 2}');
\timing off
\! awk -v ticks=\$(getconf CLK_TCK) '{ print "cpu", (\$14 + \$15) / ticks }' /proc/\$BACKEND/stat
SQL
    run -c "SELECT format('%s on %s, %s tables weighed, exact: %s, %s %% of the calls understood', plan #>> '{layout,method}', plan #>> '{layout,key}',
        jsonb_array_length(plan #> '{joint,tables}') + 1, plan #>> '{joint,exact}', 100 * (plan #>> '{coverage,understood_calls}')::numeric)
        FROM foreshard._plans ORDER BY id DESC LIMIT 1"
}

measure() {
    run -c "DROP TABLE IF EXISTS large.log" -c "SET client_min_messages = warning" -c "SELECT large.log($1, $2)" >/dev/null
    printf '%6s statements over %4s tables: %s\n' "$1" "$2" "$(plan large.log)"
}

application 200
printf 'without a log over  200 tables: %s\n' "$(plan off)"
for statements in ${STATEMENTS:-1000 2500 5000 10000}; do measure "$statements" 200; done
for tables in ${TABLES:-50 400 1000}; do
    application "$tables"
    measure 5000 "$tables"
done
