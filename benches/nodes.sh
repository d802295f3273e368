#!/usr/bin/env bash
# Shards on three other servers of this machine: what loading and asking them costs. In each round, one after another:
#   restore      restore_table into 16 shards on the nodes, from a custom archive: all of it, and the load alone as foreshard.jobs tells;
#                again from an archive without compression, whose rows are as ready as those of the next:
#   direct       COPY of ready-cut files into the same shells on all three nodes at once, by hand; and of such files in binary format
#   parent       COPY of the first rows through the table here, which postgres_fdw sends one by one before PostgreSQL 16
# then pgbench of look-ups by key here, against the same on the node itself; and a sum over all rows of the three nodes, against one server
# that has them all. The last lines are medians and ratios.
#   RUNS=5 ROWS=1000000 SECONDS_EACH=5 benches/nodes.sh
# Install with PROFILE=release first.
. "$(dirname -- "${BASH_SOURCE[0]}")/common/nodes.sh"

runs=${RUNS:-5} rows=${ROWS:-1000000} each=${SECONDS_EACH:-5}
few=$((rows / 50))
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.3f", b - a }'; }

conf=(--conf "shared_buffers = '256MB'" --conf "autovacuum = off" --durable)
servers conf conf
sql main "CREATE DATABASE made"
sql main "CREATE TABLE lines (id bigint PRIMARY KEY, customer int NOT NULL, day date NOT NULL, amount numeric(9,2), note text);
    INSERT INTO lines SELECT n, n % 9973, date '2024-01-01' + n % 365, (n % 10000) / 7.0, md5(n::text) FROM generate_series(1, $rows) n" made
on main pg_dump -Fc -Z1 -f "$work/lines.dump" made
on main pg_dump -Fc -Z0 -f "$work/bare.dump" made
chmod a+r "$work"/*.dump; chmod a+x "$work"
restore() {
    sql main "SET client_min_messages = error; SELECT FROM restore_table('public.lines', '$work/${1:-lines}.dump',
        '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 16}')"
}
# The time that the phase was seen to last: looked at every 20 ms in one session.
phase_of() {
    on main psql -XAtq -c "SELECT 1" >/dev/null
    on main psql -XAtq <<SQL
CREATE TEMP TABLE seen (at timestamptz, phase text);
DO \$\$ DECLARE p text; n int := 0; BEGIN
    LOOP
        SELECT phase INTO p FROM foreshard.jobs WHERE state = 'running';
        INSERT INTO seen VALUES (clock_timestamp(), p);
        IF p IS NULL THEN n := n + 1; ELSE n := -100000; END IF;
        EXIT WHEN p IS NULL AND (n > 500 OR EXISTS (SELECT FROM seen WHERE phase = '$1') AND NOT EXISTS (SELECT FROM foreshard.jobs WHERE state = 'running'));
        PERFORM pg_sleep(0.02);
    END LOOP;
END \$\$;
SELECT extract(epoch FROM max(at) - min(at)) + 0.02 FROM seen WHERE phase = '$1';
SQL
}
note() { echo "$1 $2" >>"$work/figures"; echo "$1 $2"; }

for round in $(seq "$runs"); do
    sql main "DROP TABLE IF EXISTS lines; SELECT count(*) FROM foreshard.sweep_nodes()" >/dev/null 2>&1
    phase_of loading >"$work/phase" & watcher=$!
    restore bare
    wait $watcher
    note bare_load_rows_per_second "$(awk -v r="$rows" '{ print r / $1 }' "$work/phase")"
    sql main "DROP TABLE IF EXISTS lines; SELECT count(*) FROM foreshard.sweep_nodes()" >/dev/null 2>&1
    phase_of loading >"$work/phase" & watcher=$!
    begun=$(now); restore; whole=$(since "$begun")
    wait $watcher
    note restore_seconds "$whole"
    note load_rows_per_second "$(awk -v r="$rows" '{ print r / $1 }' "$work/phase")"
    # The same rows, cut by hand.
    for form in text binary; do
        for node in "${nodes[@]}"; do
            shell=$(sql $node "SELECT oid::regclass FROM pg_class WHERE relkind = 'p' AND NOT relispartition AND relname <> 'bare'" shards)
            [ -e "$work/$node.$form" ] || sql $node "COPY (SELECT * FROM $shell) TO STDOUT (FORMAT $form)" shards >"$work/$node.$form"
            sql $node "SET client_min_messages = error; DROP TABLE IF EXISTS bare; CREATE TABLE bare (LIKE $shell) PARTITION BY HASH (id)" shards
            sql $node "SELECT format('CREATE TABLE bare_%s PARTITION OF bare %s;', row_number() OVER (), pg_get_expr(c.relpartbound, c.oid)) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = '$shell'::regclass" shards |
                on $node psql -Xq -d shards
        done
        begun=$(now)
        for node in "${nodes[@]}"; do on $node psql -Xq -d shards -c "\\copy bare FROM '$work/$node.$form' (FORMAT $form)" & done; wait
        note direct_${form}_rows_per_second "$(awk -v r="$rows" -v s="$(since "$begun")" 'BEGIN { print r / s }')"
    done
    [ -e "$work/few" ] || head -n $((few / 3)) "$work"/n?.text -q >"$work/few"
    sql main "TRUNCATE lines"
    begun=$(now); on main psql -Xq -c "\\copy lines FROM '$work/few'"
    note parent_rows_per_second "$(awk -v r="$(wc -l <"$work/few")" -v s="$(since "$begun")" 'BEGIN { print r / s }')"
done

# Asking. One server that has all rows is the database that they come from.
sql main "DROP TABLE lines; SELECT count(*) FROM foreshard.sweep_nodes()" >/dev/null; restore
sql main "ANALYZE lines" made
node=$(sql main "SELECT node FROM foreshard.shards LIMIT 1")
here=$(sql main "SELECT shard FROM foreshard.shards WHERE node = '$node' LIMIT 1")
there=$(sql main "SELECT string_agg(split_part(o, '=', 2), '.' ORDER BY o) FROM pg_foreign_table, unnest(ftoptions) o WHERE ftrelid = '$here'::regclass AND (o LIKE 'schema_name=%' OR o LIKE 'table_name=%')")
sql main "SELECT id FROM $here ORDER BY id LIMIT 1000" | paste -sd, >"$work/ids"
# A constant, so that the table can be pruned when the statement is planned.
ask_constant() { for id in $(tr , ' ' <"$work/ids" | cut -d ' ' -f 1-200); do echo "SELECT note FROM $1 WHERE id = $id;"; done; }
for round in $(seq "$runs"); do
    for way in "main lines postgres coordinator" "$node $there shards node" "main lines made one_server"; do
        # shellcheck disable=SC2086 # words
        set -- $way
        ask_constant "$2" >"$work/look.sql"
        note "lookup_ms_$4" "$(on "$1" pgbench -n -T "$each" -f "$work/look.sql" -d "$3" 2>/dev/null | awk '/latency average/ { print $4 / 200 }')"
    done
    sum="SELECT count(*), sum(amount) FROM lines WHERE day > '2024-03-01'"
    groups="SELECT id % 10, count(*) FROM (SELECT id, sum(amount) FROM lines GROUP BY id) s GROUP BY 1"
    for place in postgres made; do
        for query in sum groups; do
            begun=$(now); on main psql -XAtq -d $place -c "SET enable_partitionwise_aggregate = on" -c "${!query}" >/dev/null
            note "${query}_seconds_$([ $place = made ] && echo one_server || echo nodes)" "$(since "$begun")"
        done
    done
done
echo "median of:"
sort "$work/figures" -k1,1 -k2,2g | awk '{ if ($1 != last && last) show(); last = $1; v[++n] = $2 } function show() { m[last] = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2; printf "%-28s %12.3f  of %d\n", last, m[last], n; n = 0 }
    END { show(); printf "load against COPY through the parent %.1f\nload against direct COPY %.2f, without decompression %.2f; direct binary COPY against direct text COPY %.2f\nlook-up against the node %.2f, against one server %.2f\nsum against one server %.2f\ngroups against one server %.2f\n",
        m["load_rows_per_second"] / m["parent_rows_per_second"], m["load_rows_per_second"] / m["direct_text_rows_per_second"], m["bare_load_rows_per_second"] / m["direct_text_rows_per_second"], m["direct_binary_rows_per_second"] / m["direct_text_rows_per_second"], m["lookup_ms_coordinator"] / m["lookup_ms_node"], m["lookup_ms_coordinator"] / m["lookup_ms_one_server"], m["sum_seconds_nodes"] / m["sum_seconds_one_server"], m["groups_seconds_nodes"] / m["groups_seconds_one_server"] }'
