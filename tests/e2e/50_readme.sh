#!/usr/bin/env bash
# Every SQL block of the README and of docs/ runs, in order, on a server like the one they speak of.
. "$(dirname -- "$0")/lib.sh"
tpcc=$(dirname -- "$0")/../workloads/tpcc/run.sh
export WAREHOUSES=10 ORDERS=40

server main --preload pg_stat_statements,pg_cron --conf "cron.database_name = 'shop_new'" --conf "cron.use_background_workers = on"
sql main "CREATE DATABASE shop"
on main env PGDATABASE=shop "$tpcc" load
sql main "CREATE EXTENSION pg_stat_statements" shop
on main env PGDATABASE=shop "$tpcc" run 3 >/dev/null
sql main "CREATE SCHEMA ops; CREATE TABLE ops.query_log AS TABLE pg_stat_statements" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -f "$backup" shop
sql main "CREATE TABLESPACE fast LOCATION '$(tablespace main fast)'"
# The other server that docs/nodes.md speaks of.
server far --tcp
sql far "CREATE ROLE app LOGIN PASSWORD 'secret'"
sql far "CREATE DATABASE shards OWNER app"
sql main "CREATE TABLESPACE large LOCATION '$(tablespace main large)'"

# blocks FILE NUMBER: the SQL block of that number, with the backup's real path.
block() {
    awk -v wanted="$2" '/^```sql$/ { n++; inside = 1; next } /^```/ { inside = 0 } inside && n == wanted' "$1" |
        sed -e "s|/backups/shop.dump|$backup|g" -e "s|host 'db1.example', port '5432'|host '127.0.0.1', port '$(port far)'|"
}

new_database() {
    sql main "DROP DATABASE IF EXISTS shop_new WITH (FORCE)"
    sql main "CREATE DATABASE shop_new"
    sql main "CREATE SCHEMA ops; CREATE EXTENSION foreshard; CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_cron" shop_new
    on main pg_restore -d shop_new --schema=ops "$backup"
}

cd -- "$ROOT"
for page in README.md docs/*.md; do
    blocks=$(grep -c '^```sql$' "$page" || true)
    [ "$blocks" -gt 0 ] || continue
    new_database
    for number in $(seq "$blocks"); do
        text=$(block "$page" "$number")
        if result=$(sql main "$text" shop_new 2>&1); then outcome=ok; else outcome=$result; fi
        check "$page, SQL block $number" ok "$outcome"
        # The README opens with the whole product in two statements; its example then starts from an empty database.
        [ "$page $number" != "README.md 1" ] || { check "the opening restores" 1 "$(sql main "SELECT count(*) FROM foreshard.tables" shop_new)"; new_database; }
    done
done
