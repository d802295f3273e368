#!/usr/bin/env bash
# A plan as SQL for a server that cannot have the extension: run there between the sections of pg_restore, it gives the same table.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements
server managed
sql main "CREATE DATABASE shop"
sql main "CREATE ROLE seller"; sql managed "CREATE ROLE seller"
sql main "CREATE TABLE orders (id bigserial, customer int NOT NULL, day date NOT NULL DEFAULT '2024-02-03', note text CHECK (note <> ''), twice int GENERATED ALWAYS AS (customer * 2) STORED,
        PRIMARY KEY (id, customer, day));
    CREATE TABLE \"odd Kinds\" (k int PRIMARY KEY);
    COMMENT ON COLUMN orders.note IS 'said'; CREATE INDEX orders_note ON orders (note); ALTER TABLE orders OWNER TO seller; GRANT SELECT ON orders TO PUBLIC; GRANT INSERT ON orders TO seller WITH GRANT OPTION;
    INSERT INTO orders (customer, day, note) SELECT n % 97, date '2024-01-01' + n % 60, 'n' || n FROM generate_series(1, 5000) n; INSERT INTO \"odd Kinds\" VALUES (1)" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -f "$backup" shop
sql main "CREATE EXTENSION foreshard"
# plan TABLE CONFIG: its number
plan() { sql main "SELECT plan_id FROM foreshard.plan_restore('$1', '$backup', '{\"query_log\": \"off\", $2}') WHERE chosen"; }
text() { sql main "SELECT foreshard.plan_sql($1, '$2')"; }

# applied WHAT CONFIG PARTITIONS
applied() {
    local number
    number=$(plan public.orders "$2")
    sql managed "DROP DATABASE IF EXISTS shop"; sql managed "CREATE DATABASE shop"
    on managed pg_restore -d shop --section=pre-data "$backup"
    text "$number" plain >"$work/script.sql"
    on managed psql -Xq -v ON_ERROR_STOP=1 -d shop -f "$work/script.sql"
    on managed pg_restore -d shop --section=data --disable-triggers "$backup"
    on managed pg_restore -d shop --section=post-data "$backup"
    check "$1: rows" "$(sql main "SELECT count(*), sum(hashtextextended(o::text, 0)) FROM orders o" shop)" "$(sql managed "SELECT count(*), sum(hashtextextended(o::text, 0)) FROM orders o" shop)"
    check "$1: partitions" "$3" "$(sql managed "SELECT count(*) FROM pg_partition_tree('orders') WHERE isleaf" shop)"
    check "$1: the table" "seller|5001|t|said|orders_note orders_pkey" "$(sql managed "INSERT INTO orders (customer) VALUES (1);
        SELECT pg_get_userbyid(relowner), (SELECT max(id) FROM orders), has_table_privilege('seller', 'orders', 'INSERT WITH GRANT OPTION') AND relacl::text LIKE '%,=r/%', col_description(oid, 4),
            (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = c.oid) FROM pg_class c WHERE oid = 'orders'::regclass" shop)"
    check "$1: nothing else is left" 0 "$(sql managed "SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_before'" shop)"
}
applied hash '"method": "hash", "shard_key": ["customer"], "shard_count": 4' 4
applied "two levels" '"method": "hash", "shard_key": ["customer"], "shard_count": 6, "within": {"method": "range", "shard_key": ["day"], "shard_count": 3}' 6

number=$(plan public.orders '"method": "hash", "shard_key": ["customer"], "shard_count": 4')
check "for Citus" "SELECT create_distributed_table('public.orders', 'customer', shard_count => 4);" "$(text "$number" citus | grep -v '^--')"
check_match "a table that stays whole" 'nothing has to be done' "$(text "$(plan 'public."odd Kinds"' '"method": "none"')" plain)"
check_error "another target" '22023.*no target of plan_sql' main "SELECT foreshard.plan_sql($number, 'oracle')"
check_error "no such plan" '42704' main "SELECT foreshard.plan_sql(99)"
