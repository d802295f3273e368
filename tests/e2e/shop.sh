# shellcheck shell=bash
# The wholesale supplier of tests/workloads/tpcc at work, for tests that source lib.sh first: server main with the database shop,
# its backup in $backup, and the database new with the extension and a copy of shop's query log in public.query_log. $tables are its
# tables in the order of their references.
tpcc=$(dirname -- "$0")/../workloads/tpcc/run.sh
export WAREHOUSES=10 ORDERS=40
tables='warehouse district customer history item stock orders new_order order_line'

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
on main env PGDATABASE=shop "$tpcc" load
sql main "CREATE EXTENSION pg_stat_statements" shop
sql main "SELECT pg_stat_statements_reset()" shop >/dev/null
on main env PGDATABASE=shop "$tpcc" run 5 >/dev/null
sql main "CREATE TABLE query_log AS SELECT s.* FROM pg_stat_statements s JOIN pg_database d ON d.oid = dbid WHERE datname = 'shop'" shop
sql main "CREATE EXTENSION foreshard" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -T query_log -f "$backup" shop

sql main "CREATE DATABASE new"
sql main "CREATE EXTENSION foreshard" new
on main bash -c "pg_dump -t query_log shop | psql -Xq -d new" >/dev/null
