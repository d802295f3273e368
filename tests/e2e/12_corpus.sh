#!/usr/bin/env bash
# For each workload of the corpus: run it, back it up, plan every table from its query log, and compare the chosen key with
# the one that a specialist would choose (tests/workloads/NAME/keys says which and why).
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/corpus.sh"

server main --preload pg_stat_statements
for name in $(corpus); do
    corpus_prepare "$name"
    sql main "CREATE EXTENSION foreshard; CREATE SCHEMA new" "$name"
    while read -r table key; do
        [ "$key" != - ] || continue
        chosen=$(sql main "
            SELECT CASE WHEN method IN ('reference', 'none') THEN method
                        WHEN within IS NOT NULL
                        THEN (SELECT string_agg(c, ' and ' ORDER BY c) FROM jsonb_array_elements_text(to_jsonb(shard_key) || (within->'key')) c)
                        ELSE array_to_string(shard_key, ',') END
            FROM foreshard.plan_restore('new.$table', '$(corpus_backup "$name")',
                 '$corpus_config'::jsonb || '{\"source\": \"public.$table\"}') WHERE chosen" "$name")
        check_match "$name: $table by $key" "^($key)\$" "$chosen"
    done < <(corpus_keys "$name")
    check "$name: at least 98 % of the calls are understood" "t" "$(sql main "
        SELECT bool_and((plan #>> '{coverage,understood_calls}')::float8 >= 0.98) FROM foreshard._plans" "$name")"
done
