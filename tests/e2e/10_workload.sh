#!/usr/bin/env bash
# The workload that the demonstration and other tests stand on: the same data on every load, no failed transaction, the
# books balanced afterwards, and every statement in the log by itself.
. "$(dirname -- "$0")/lib.sh"
tpcc=$(dirname -- "$0")/../workloads/tpcc/run.sh
export WAREHOUSES=10 ORDERS=40

server main --preload pg_stat_statements
for database in first second; do
    sql main "CREATE DATABASE $database"
    on main env PGDATABASE=$database "$tpcc" load
done

contents() {
    for table in warehouse district customer history orders new_order item stock order_line; do
        sql main "SELECT '$table', count(*), sum(hashtextextended(t::text, 0)) FROM $table AS t" "$1"
    done
}
first=$(contents first)
check "nine tables are filled" 9 "$(awk -F'|' '$2 > 0' <<<"$first" | wc -l)"
check "two loads are equal" "$first" "$(contents second)"

sql main "CREATE EXTENSION pg_stat_statements" first
sql main "SELECT pg_stat_statements_reset()" first >/dev/null
run=$(on main env PGDATABASE=first "$tpcc" run 5)
check_match "no transaction failed" '^number of failed transactions: 0 ' "$run"

check "the log holds what each table gets" "\
customer|SELECT|UPDATE
district|SELECT|UPDATE
history|INSERT
item|SELECT
new_order|DELETE|INSERT|SELECT
order_line|INSERT|SELECT|UPDATE
orders|INSERT|SELECT|UPDATE
stock|SELECT|UPDATE
warehouse|SELECT|UPDATE" "$(sql main "
    SELECT concat_ws('|', name, string_agg(DISTINCT split_part(query, ' ', 1), '|' ORDER BY split_part(query, ' ', 1)))
    FROM unnest('{warehouse,district,customer,history,orders,new_order,item,stock,order_line}'::text[]) AS name
    JOIN pg_stat_statements ON query ~ ('(FROM|INTO|UPDATE) ' || name || '\M')
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY name ORDER BY name" first)"

check "payments are booked in all three places" "t" "$(sql main "
    SELECT (SELECT sum(w_ytd) FROM warehouse) = (SELECT sum(d_ytd) FROM district)
       AND (SELECT sum(w_ytd) FROM warehouse) = (SELECT sum(h_amount) FROM history)" first)"
check "order numbers have no gap" 0 "$(sql main "
    SELECT count(*) FROM district
    WHERE d_next_o_id <> (SELECT 1 + count(*) FROM orders WHERE (o_w_id, o_d_id) = (d_w_id, d_id))
       OR d_next_o_id <> (SELECT 1 + max(o_id) FROM orders WHERE (o_w_id, o_d_id) = (d_w_id, d_id))" first)"
check "every order has its lines" 0 "$(sql main "
    SELECT count(*) FROM orders
    WHERE o_ol_cnt <> (SELECT count(*) FROM order_line WHERE (ol_w_id, ol_d_id, ol_o_id) = (o_w_id, o_d_id, o_id))" first)"
check "what is not delivered waits for delivery" 0 "$(sql main "
    SELECT count(*) FROM orders FULL JOIN new_order ON (o_w_id, o_d_id, o_id) = (no_w_id, no_d_id, no_o_id)
    WHERE (o_carrier_id IS NULL) <> (no_o_id IS NOT NULL)" first)"
