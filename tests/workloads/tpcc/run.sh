#!/usr/bin/env bash
# The workload against the server and database of the PG* variables.
#   run.sh load           tables, rows, keys
#   run.sh run SECONDS    the five transactions in their mix, CLIENTS at a time; fails when a transaction failed
#   run.sh transactions NUMBER    the same for a number of transactions a client, whatever the time
# MIX names a file for how many of each transaction there were: `script count`, one pair a line.
# WAREHOUSES (100), CUSTOMERS and ORDERS of each district (30, 105), ITEMS (1000) and CLIENTS (8) set the size.
set -euo pipefail
cd -- "$(dirname -- "$0")"

warehouses=${WAREHOUSES:-100} customers=${CUSTOMERS:-30} items=${ITEMS:-1000} clients=${CLIENTS:-8}

load() {
    local file
    for file in schema load keys; do
        psql -X -q -v ON_ERROR_STOP=1 -v warehouses="$warehouses" -v customers="$customers" -v items="$items" \
            -v orders="${ORDERS:-105}" -f $file.sql
    done
}

run() {
    local limit=("$@") log
    [ "$clients" -le "$warehouses" ] || { echo "error: more clients than warehouses" >&2; exit 1; }
    # -n: the tables are not pgbench's own. Simple protocol, since a name stands between quotes in some statements.
    log=$(PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" pgbench -n -M simple -c "$clients" -j "$clients" "${limit[@]}" \
        --random-seed="${SEED:-1}" -D warehouses="$warehouses" -D customers="$customers" -D items="$items" \
        -D clients="$clients" -f new_order.sql@45 -f payment.sql@43 -f order_status.sql@4 -f delivery.sql@4 \
        -f stock_level.sql@4 2>&1) || { printf '%s\n' "$log" >&2; exit 1; }
    [ -z "${MIX:-}" ] || ../mix.awk <<<"$log" >"$MIX"
    printf '%s\n' "$log" | grep -E '^(number of transactions|number of failed|latency average|tps)' | sort -u
    printf '%s\n' "$log" | grep -q '^number of failed transactions: 0 ' || { echo "error: transactions failed" >&2; exit 1; }
}

case ${1:-} in
    load) load ;;
    run) run -T "${2:-20}" ;;
    transactions) run -t "$2" ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
