#!/usr/bin/env bash
# Every type with the values at its edges comes back as it was, whatever the settings of the session that restores it.
. "$(dirname -- "$0")/lib.sh"
fixtures=$(cd -- "$(dirname -- "$0")" && pwd)/fixtures

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
sql main "CREATE EXTENSION foreshard" shop
on main psql -Xq -v ON_ERROR_STOP=1 -d shop -f "$fixtures/types.sql"
dir=$(backups main)
on main pg_dump -d shop -Fc -f "$dir/types.dump"
on main pg_dump -d shop -f "$dir/types.sql"
# A file of rows is read under a closed search_path: a regclass in it must name its schema.
on main psql -XAtq -d shop -c "SET search_path = ''" -c "COPY public.edge TO STDOUT WITH (FORMAT csv)" >"$dir/types.csv"

# Binary, so that no output function hides a difference: -0 is not 0.
contents() { on main psql -XAtq -v ON_ERROR_STOP=1 -d shop -c "SELECT md5(string_agg(md5(record_send(t)), '' ORDER BY id)), count(*) FROM $1 AS t"; }
original=$(contents edge)
check_match "the original has its rows" '^[0-9a-f]{32}\|311$' "$original"

config='"source": "public.edge", "method": "hash", "shard_key": ["id"], "shard_count": 3'
restore() { sql main "$1; SET client_min_messages = error; SELECT rows FROM $extension.restore_table('public.copy', '$2', '{$3}')" shop 2>&1; }
extension=public
checksum=""
# same WHAT SETTINGS PATH CONFIG
same() {
    check "$1: restored" 311 "$(restore "$2" "$3" "$4")"
    check "$1: contents" "$original" "$(contents copy 2>&1)"
    local sum
    sum=$(sql main "SELECT checksum FROM foreshard.tables WHERE relation = 'copy'::regclass" shop 2>&1)
    : "${checksum:=$sum}"
    check "$1: checksum" "$checksum" "$sum"
    check "$1: verified" "311|0|t" "$(sql main "$2; SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.copy')" shop 2>&1)"
    shards=$(sql main "$2; SELECT string_agg(checksum, ' ' ORDER BY shard::text) FROM foreshard.verify_table('public.copy')" shop 2>&1)
    sql main "DROP TABLE public.copy" shop
}

sql main "CREATE SCHEMA trap; CREATE FUNCTION trap.int4eq(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT false';
    CREATE FUNCTION trap.setval(regclass, bigint, boolean) RETURNS bigint LANGUAGE sql AS 'SELECT 0'" shop
same "plain settings" "SELECT" "$dir/types.dump" "$config"
expected_shards=$shards
odd() {
    same "$1" "$2" "$dir/types.dump" "$config"
    check "$1: the shards' checksums" "$expected_shards" "$shards"
}
# Each session sets several at once: a restore of this table takes seconds.
odd "German dates, summer time, ISO intervals, escaped bytes, short floats" "SET DateStyle = 'German, DMY'; SET TimeZone = 'America/New_York';
    SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'; SET extra_float_digits = 0; SET search_path = ''"
odd "SQL dates, a zone by offset, SQL intervals, shortest floats, strings with backslashes" "SET DateStyle = 'SQL, DMY'; SET TimeZone = '-03:30';
    SET IntervalStyle = 'sql_standard'; SET extra_float_digits = -15; SET lc_monetary = 'C'; SET standard_conforming_strings = off;
    SET backslash_quote = on; SET escape_string_warning = off; SET client_encoding = 'LATIN1'"
odd "objects in front of pg_catalog's, XML documents, arrays without nulls, quoted names" "SET search_path = trap, pg_catalog, public;
    SET xmloption = document; SET array_nulls = off; SET quote_all_identifiers = on; SET transform_null_equals = on;
    SET default_transaction_isolation = 'serializable'; SET enable_seqscan = off"

same "plain SQL" "SELECT" "$dir/types.sql" "$config"
rows='"like": "public.edge", "method": "hash", "shard_key": ["id"], "shard_count": 3, "format": "csv"'
same "CSV" "SELECT" "$dir/types.csv" "$rows"

# A CSV file as other programs write it: the same values in other words.
sql main "CREATE TABLE words (id integer, b boolean, f float8, n numeric(8, 2), t timestamptz, i interval, j jsonb, x bytea, c char(5), r int4range, a integer[], v inet, d date)" shop
printf '%s\n' '1,yes,1e0,1,2024-01-01T09:00:00,1 day 1 hour,"{""b"":1,""a"":2}",\xAB,ab,"[1,2]","{ 1 , 2 }",10.0.0.1/32,03/04/2024' '2,0,.5,2.005,"Jan 2, 2024 03:04 EST",P1D,[ ],abc,,"(0,3)",{},::1,"4 March 2024"' >"$dir/words.csv"
check "other words for the same values: restored and verified" 2 "$(restore "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'" "$dir/words.csv" '"like": "public.words", "format": "csv", "method": "hash", "shard_key": ["id"], "shard_count": 2')"
check "other words for the same values: contents" "\
1|t|1|1.00|2024-01-01 00:00:00+00|1 day 01:00:00|{\"a\": 2, \"b\": 1}|\\xab|ab   |[1,3)|{1,2}|10.0.0.1|2024-04-03
2|f|0.5|2.01|2024-01-02 08:04:00+00|1 day|[]|\\x616263||[1,3)|{}|::1|2024-03-04" "$(sql main "SET TimeZone = 'UTC'; SELECT * FROM copy ORDER BY id" shop)"
on main pg_dump -d shop -Fc -t copy -t 'copy_s*' -f "$dir/words.dump"
check "and from its own dump" 2 "$(sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.again', '$dir/words.dump', '{\"source\": \"public.copy\", \"method\": \"none\"}')" shop 2>&1)"
check "the checksum of the ledger is the one that verify_table will find" t "$(sql main "
    SELECT checksum = (SELECT checksum FROM foreshard.tables WHERE relation = 'again'::regclass) FROM foreshard.tables WHERE relation = 'copy'::regclass" shop 2>&1)"
