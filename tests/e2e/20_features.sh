#!/usr/bin/env bash
# Nothing that a backup says of a table may be lost without a word. One table has all that pg_dump can say; the catalog's
# description of the original is compared with that of the restored table, and every difference is in an expected file
# beside the notes that announce it. UPDATE_EXPECTED=1 writes those files anew: read the difference before committing it.
. "$(dirname -- "$0")/lib.sh"
fixtures=$(cd -- "$(dirname -- "$0")" && pwd)/fixtures
original='"Shop ü"."Order ü"'
longest='a table with a name of sixty-three bytes, the longest there is.'

server main --preload pg_stat_statements --conf 'wal_level = logical'
sql main "CREATE TABLESPACE elsewhere LOCATION '$(tablespace main elsewhere)'"
for database in shop other; do
    sql main "CREATE DATABASE $database"
    on main psql -Xq -v ON_ERROR_STOP=1 -d $database -f "$fixtures/features_around.sql" -c 'CREATE EXTENSION foreshard'
done
on main psql -Xq -v ON_ERROR_STOP=1 -v VERBOSITY=terse -d shop -f "$fixtures/features_table.sql" 2>/dev/null
dump=$(backups main)/shop.dump
on main pg_dump -Fc -d shop -f "$dump"

# describe DATABASE TABLE CALLED
describe() { on main psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -v table="$2" -v called="$3" -f "$fixtures/describe.sql"; }
# restore DATABASE TABLE CONFIG: the notes, one a line
restore() {
    sql main "SET client_min_messages = error;
        SELECT concat_ws(' | ', n ->> 'kind', n ->> 'object', n ->> 'what', n ->> 'because', n ->> 'remedy')
        FROM restore_table(\$x\$$2\$x\$, '$dump', \$x\$$3\$x\$) AS r, jsonb_array_elements(r.notes) AS n" "$1"
}
# expect NAME TEXT: TEXT is what the file of that name says.
expect() {
    [ -z "${UPDATE_EXPECTED:-}" ] || printf '%s\n' "$2" >"$fixtures/$1.expected"
    check "$1" "$(cat "$fixtures/$1.expected")" "$2"
}
# carried NAME DATABASE TABLE CALLED CONFIG: restores, and expects notes and differences
carried() {
    local notes differences
    notes=$(restore "$2" "$3" "$5")
    differences=$(diff <(printf '%s\n' "$before") <(describe "$2" "$3" "$4") | grep '^[<>]' || true)
    expect "$1" "$(printf 'notes:\n%s\ndifferences:\n%s' "$notes" "$differences")"
    check "$1: contents" "$contents" "$(contents "$2" "$3")"
    check "$1: every row in its shard" "500|0|t" \
        "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table(\$x\$$3\$x\$)" "$2")"
}
contents() { sql main "SET row_security = off; SELECT count(*), sum(hashtextextended(t::text, 0)) FROM $2 AS t" "$1"; }

before=$(describe shop "$original" 'Order ü')
contents=$(contents shop "$original")
check "the original has facts of every kind" "\
access method
column in rows
column table
comment
constraint in rows
constraint table
grant
index in rows
index table
options
options of toast
owner in rows
owner table
persistence
policy
publication
reference from
replica identity in rows
replica identity table
row security
rule
sequence
statistics
statistics in rows
tablespace
trigger in rows
trigger table" "$(cut -d'|' -f1 <<<"$before" | sort -u)"

carried features_plain other "$original" 'Order ü' '{"method": "none"}'
# Dumped again, the statements are the same: all that pg_dump says of a table.
statements() { on main pg_dump -d "$1" --schema-only -t "$original" | grep -v -e '^--' -e '^.restrict ' -e '^.unrestrict ' -e '^$'; }
check_match "the dump has statements" 'CREATE TRIGGER' "$(statements shop)"
check "the dump again has the same statements" "$(statements shop | LC_ALL=C sort)" "$(statements other | LC_ALL=C sort)"
carried features_plain_copy shop '"Shop ü"."Copy ü"' 'Order ü' '{"method": "none", "source": "\"Shop ü\".\"Order ü\""}'
sql main "DROP TABLE $original" other
hash='"method": "hash", "shard_key": ["region"], "shard_count": 3'
carried features_sharded other "$original" 'Order ü' "{$hash}"
check "a row that breaks a check that was NOT VALID is there, a new one is refused" 101 \
    "$(sql main "SET row_security = off; SELECT count(*) FROM $original WHERE amount >= 400" other)"
check_error "the check holds for new rows" '23514.*Order ü not yet' main \
    "INSERT INTO $original (region, code, amount, third_customer) VALUES (1, 'x', 500, 1)" other
carried features_sharded_copy shop '"Shop ü"."Other ü"' 'Order ü' "{$hash, \"source\": \"\\\"Shop ü\\\".\\\"Order ü\\\"\"}"
sql main "DROP TABLE $original" other
carried features_per_shard other "$original" 'Order ü' "{$hash, \"unique\": \"per_shard\"}"
sql main "DROP TABLE $original" other
carried features_no_owner other "$original" 'Order ü' "{$hash, \"no_owner\": true, \"no_privileges\": true}"

# Names that would be cut at 63 bytes stay apart.
kinds() { cut -d'|' -f1 | grep -v 'in rows' | sort | uniq -c; }
restore shop "\"Shop ü\".\"$longest\"" "{$hash, \"source\": \"\\\"Shop ü\\\".\\\"Order ü\\\"\"}" >/dev/null
check "under the longest name: contents" "$contents" "$(contents shop "\"Shop ü\".\"$longest\"")"
check "under the longest name: as many facts of each kind" "$(describe shop '"Shop ü"."Other ü"' 'Order ü' | kinds)" \
    "$(describe shop "\"Shop ü\".\"$longest\"" 'Order ü' | kinds)"

# What excludes each other with the above.
original='"Shop ü"."Scratch"'
before=$(describe shop "$original" Scratch)
scratch() {
    local notes
    notes=$(restore other "$original" "$2")
    expect "$1" "$(printf 'notes:\n%s\ndifferences:\n%s' "$notes" \
        "$(diff <(printf '%s\n' "$before") <(describe other "$original" Scratch) | grep '^[<>]' || true)")"
    sql main "DROP TABLE $original" other
}
sql main "CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler" other
scratch features_unlogged_plain '{"method": "none"}'
scratch features_unlogged_sharded '{"method": "hash", "shard_key": ["c"], "shard_count": 2}'
sql main "SELECT foreshard.add_node('elsewhere', tablespace => 'elsewhere')" other >/dev/null
scratch features_unlogged_elsewhere '{"method": "hash", "shard_key": ["c"], "shard_count": 2, "nodes": ["elsewhere"]}'
