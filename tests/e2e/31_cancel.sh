#!/usr/bin/env bash
# A restore that is stopped from outside, in each of its phases and in each of the ways there are: it ends at once, its
# pg_restore ends with it, nothing is left behind, and the next restore works. How long it took is printed, not checked,
# except that nothing hangs.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/victim.sh"

rows=${ROWS:-300000}

# More rows are looked at than by default, so that ANALYZE is long enough to be met.
server main --preload pg_stat_statements --conf 'default_statistics_target = 1000'
sql main "CREATE DATABASE shop"
sql main "CREATE DOMAIN amount AS int" shop
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, total amount, note text)" shop
sql main "CREATE INDEX ON orders (customer, id)" shop
sql main "CREATE INDEX ON orders (note)" shop
sql main "INSERT INTO orders SELECT n, n % 9973, n % 1000, md5(n::text) FROM generate_series(1, $rows) n" shop
# Many tables make reading the definitions long enough to be met.
sql main "DO \$\$BEGIN FOR i IN 1..1500 LOOP
    EXECUTE format('CREATE TABLE other_%s (a int PRIMARY KEY, b text DEFAULT %L, c numeric(10,2))', i, i); END LOOP; END\$\$" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -Z1 -f "$backup" shop

sql main "CREATE EXTENSION foreshard"
sql main "CREATE DOMAIN amount AS int"
config='{"query_log": "off", "shard_key": ["customer"], "method": "hash", "shard_count": 4}'
restore="SELECT rows FROM restore_table('public.orders', '$backup', '$config')"

judge() {
    check "$1: ends" yes "$([ $took -lt $((hangs_after * 1000)) ] && echo yes || echo "no, not within $hangs_after s")"
    printf '# %s: ended after %s ms\n' "$1" $took
    check_match "$1: says so" "$2" "$(cat "$work/victim.out")"
    check "$1: no child is left" "" "$(grep 'children left: .' "$work/victim.out" || true)$(children)"
    check "$1: nothing is left" "$before" "$(traces)"
}

cancel() { sql main "SELECT pg_cancel_backend($pid)"; }
terminate() { sql main "SELECT pg_terminate_backend($pid)"; }
interrupt() { kill -INT $victim; }
before=$(traces)

for where in definitions profile load verify indexes analyze; do
    strike $where cancel
    judge "cancel while in $where" 'ERROR:  57014: canceling statement due to user request'

    strike $where terminate
    judge "terminate while in $where" 'FATAL:  57P01: terminating connection'
done

for where in profile load; do
    strike $where interrupt
    judge "Ctrl-C in psql while in $where" 'ERROR:  57014: canceling statement due to user request'
done

# Of the data that COPY refuses, pg_restore has more to say than anybody will read.
sql main "ALTER DOMAIN amount ADD CHECK (VALUE < 999)"
before=$(traces)
since=$(date +%s%3N)
begin ""
wait $victim || true
took=$(($(date +%s%3N) - since))
judge "a row that COPY refuses" 'ERROR:  23514: value for domain public.amount violates check constraint'
check_match "it is named by its place" 'DETAIL:  At COPY orders, line 999, column total' "$(cat "$work/victim.out")"
sql main "ALTER DOMAIN amount DROP CONSTRAINT amount_check"
before=$(traces)

begun=$(date +%s%3N)
check "the whole restore works" "$rows" "$(sql main "$restore")"
whole=$(($(date +%s%3N) - begun))
check "and is verified" "4|$rows|0|t" \
    "$(sql main "SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.orders')")"
forget
before=$(traces)

# The timeout strikes wherever the restore then is. One that was faster than the one measured gets less time.
for tenth in 1 3 5 7; do
    timeout=$((whole * tenth / 10))
    while :; do
        since=$(($(date +%s%3N) + timeout))
        begin "SET statement_timeout = $timeout;"
        wait $victim || true
        took=$(($(date +%s%3N) - since))
        grep -qx "$rows" "$work/victim.out" || break
        forget
        timeout=$((timeout / 2))
    done
    judge "statement_timeout after about $tenth tenths" 'ERROR:  57014: canceling statement due to statement timeout'
done

check "the next restore works" "$rows" "$(sql main "$restore")"
check "and is verified as well" "4|$rows|0|t" \
    "$(sql main "SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.orders')")"
