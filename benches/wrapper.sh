#!/usr/bin/env bash
# What the options of foreign tables do to statements that shards on other servers answer: three nodes, two tables of the same 12 shards.
# Each option is set to the values in turn, round by round, and the same statement is timed. The last lines are medians and ratios.
#   RUNS=7 ROWS=300000 benches/wrapper.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common/nodes.sh"

runs=${RUNS:-7} rows=${ROWS:-300000}
conf=(--durable)
servers conf conf
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE customers (id bigint PRIMARY KEY, region int, name text); CREATE TABLE orders (customer bigint, id bigint, amount numeric(9, 2), note text, PRIMARY KEY (customer, id));
    INSERT INTO customers SELECT n, n % 50, md5(n::text) FROM generate_series(1, $rows / 10) n;
    INSERT INTO orders SELECT 1 + n % ($rows / 10), n, n / 7.0, repeat(md5(n::text), 2) FROM generate_series(1, $rows) n" shop
on main pg_dump -Fc -Z1 -f "$work/shop.dump" shop
chmod a+r "$work/shop.dump"; chmod a+x "$work"
for pair in customers:id orders:customer; do
    sql main "SET client_min_messages = error; SELECT FROM restore_table('public.${pair%:*}', '$work/shop.dump',
        '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"${pair#*:}\"], \"shard_count\": 12}')"
done
sql main "CREATE TABLE sink (LIKE orders)"

# option NAME VALUE: of all foreign tables.
option() {
    sql main "DO \$\$ DECLARE c regclass; BEGIN FOR c IN SELECT ftrelid FROM pg_foreign_table LOOP
        EXECUTE format('ALTER FOREIGN TABLE %s OPTIONS (%s $1 %L)', c, CASE WHEN EXISTS (SELECT FROM pg_foreign_table, unnest(ftoptions) o WHERE ftrelid = c AND o LIKE '$1=%') THEN 'SET' ELSE 'ADD' END, '$2'); END LOOP; END \$\$"
}
# timed REPEATS SQL: seconds of a statement that is asked as often, in one session, after it was once.
timed() {
    { echo "SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on;"; echo "$2;"; echo "SELECT extract(epoch FROM clock_timestamp()) AS begun \\gset"
      for _ in $(seq "$1"); do echo "$2;"; done; echo "\\o"; echo "SELECT 'took ' || extract(epoch FROM clock_timestamp()) - :begun;"; } >"$work/timed.sql"
    on main psql -Xq -At -f "$work/timed.sql" | sed -n 's/^took //p'
}
lookup="SELECT note FROM orders WHERE customer = 17 AND id = 17"
join="SELECT region, count(*), sum(amount) FROM orders JOIN customers c ON c.id = customer WHERE c.region = 7 GROUP BY region"
scan="SELECT count(*) FROM (SELECT note FROM orders OFFSET 0) s WHERE note > 'x'"
insert="INSERT INTO orders SELECT customer, id + 100000000, amount, note FROM (SELECT * FROM orders LIMIT 3000) s; DELETE FROM orders WHERE id > 100000000"
measure() { # OPTION STATEMENT REPEATS VALUE...
    local option=$1 statement=$2 repeats=$3 value
    for value in "${@:4}"; do
        option "$option" "$value"
        echo "$option $statement $value $(timed "$repeats" "${!statement}")" | tee -a "$work/figures"
    done
    option "$option" "$value"
}
for _ in $(seq "$runs"); do
    measure use_remote_estimate lookup 200 true false
    measure use_remote_estimate join 3 true false
    measure fetch_size scan 1 100 1000 10000
    measure async_capable scan 1 false true
    measure batch_size insert 1 1 100 1000
done
echo "median of $runs, seconds; times the last value's:"
sort -k1,3 -k4,4g "$work/figures" | awk '{ k = $1 " " $2 " " $3; if (k != last) n = 0; last = k; v[k, ++n] = $4; count[k] = n; if (n == 1) order[++m] = k }
    END { for (i = 1; i <= m; i++) { k = order[i]; n = count[k]; printf "%-40s %8.4f\n", k, n % 2 ? v[k, (n + 1) / 2] : (v[k, n / 2] + v[k, n / 2 + 1]) / 2 } }'
