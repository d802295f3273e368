#!/usr/bin/env bash
# For each workload of the corpus: run it, back it up, plan every table from its query log, and compare the chosen key with
# the one that a specialist would choose (tests/workloads/NAME/keys says which and why).
. "$(dirname -- "$0")/lib.sh"
workloads=$(cd -- "$(dirname -- "$0")/../workloads" && pwd)

server main --preload pg_stat_statements
for keys in "$workloads"/*/keys; do
    name=$(basename -- "$(dirname -- "$keys")")
    sql main "CREATE DATABASE $name"
    on main env PGDATABASE="$name" "$workloads/run.sh" "$name" load
    sql main "CREATE EXTENSION pg_stat_statements" "$name"
    sql main "SELECT pg_stat_statements_reset()" "$name" >/dev/null
    run=$(on main env PGDATABASE="$name" "$workloads/run.sh" "$name" run 300)
    check_match "$name: no transaction failed" '^number of failed transactions: 0 ' "$run"
    sql main "CREATE SCHEMA log; CREATE TABLE log.statements AS SELECT s.* FROM pg_stat_statements s
              JOIN pg_database d ON d.oid = s.dbid WHERE datname = '$name'" "$name"
    on main pg_dump -Fc -f "$(backups main)/$name.dump" "$name"
    sql main "CREATE EXTENSION foreshard; CREATE SCHEMA new" "$name"
    while read -r table key; do
        chosen=$(sql main "
            SELECT CASE WHEN method IN ('reference', 'none') THEN method ELSE array_to_string(shard_key, ',') END
            FROM foreshard.plan_restore('new.$table', '$(backups main)/$name.dump',
                 '{\"growth\": 100, \"source\": \"public.$table\", \"query_log\": \"log.statements\"}') WHERE chosen" "$name")
        check "$name: $table" "$key" "$chosen"
    done < <(grep -v '^#' "$keys")
    check "$name: at least 98 % of the calls are understood" "t" "$(sql main "
        SELECT bool_and((plan #>> '{coverage,understood_calls}')::float8 >= 0.98) FROM foreshard._plans" "$name")"
done
