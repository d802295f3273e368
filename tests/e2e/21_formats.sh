#!/usr/bin/env bash
# One table, restored from every form of a backup: always the same rows, and the same checksum.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA copies;
    CREATE TABLE item (id integer PRIMARY KEY, name text UNIQUE);
    INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 50) AS i;
    CREATE TABLE sale (
        id bigserial PRIMARY KEY,
        item_id integer NOT NULL REFERENCES item,
        price numeric(10, 2),
        twice numeric GENERATED ALWAYS AS (price * 2) STORED,
        note text,
        raw bytea,
        at timestamptz NOT NULL DEFAULT '2024-01-01 00:00:00+00',
        tags text[]);
    INSERT INTO sale (item_id, price, note, raw, at, tags)
    SELECT 1 + i % 50, CASE WHEN i % 11 <> 0 THEN i / 7.0 END,
        CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'two\nlines' WHEN 3 THEN E'tab\tand \\\\ and \\\\N' WHEN 4 THEN 'a \"quote\", a comma'
            WHEN 5 THEN E'\r\ncarriage\r' WHEN 6 THEN E'\\\\.' WHEN 7 THEN 'é ñ ß ÿ' ELSE 'plain;|~' || i END,
        decode(md5(i::text), 'hex'), '2024-02-29 12:00:00+00'::timestamptz + i * interval '7 hours', ARRAY[i::text, NULL, 'x,y']
    FROM generate_series(1, 3000) AS i;
    DELETE FROM sale WHERE id % 10 = 3" shop
dir=$(backups main)
config='"source": "public.sale", "method": "hash", "shard_key": ["item_id"], "shard_count": 4'

restore() { sql main "SET client_min_messages = error; SELECT rows, method, shard_count FROM restore_table('copies.sale', '$1', '{$2}')" shop; }
drop() { sql main "SET client_min_messages = error; DROP TABLE copies.sale CASCADE" shop; }
# same WHAT PATH CONFIG: restores, and compares rows and checksum with the original
same() {
    check "$1: restored" "2700|hash|4" "$(restore "$2" "$3" 2>&1)"
    check "$1: no row less, no row more" "0|0" "$(sql main "
        SELECT (SELECT count(*) FROM (TABLE sale EXCEPT ALL TABLE copies.sale) AS x),
               (SELECT count(*) FROM (TABLE copies.sale EXCEPT ALL TABLE sale) AS x)" shop 2>&1)"
    check "$1: verified" "2700|0|t|t" "$(sql main "
        SELECT sum(v.rows), sum(misplaced_rows), bool_and(ok), (SELECT checksum = '$checksum' FROM foreshard.tables WHERE relation = 'copies.sale'::regclass)
        FROM foreshard.verify_table('copies.sale') AS v" shop 2>&1)"
    drop
}

dump() { on main pg_dump -d shop "$@"; }
dump -Fc -f "$dir/custom.dump"
restore "$dir/custom.dump" "$config" >/dev/null
checksum=$(sql main "SELECT checksum FROM foreshard.tables" shop)
check_match "there is a checksum" '^[0-9a-f]+$' "$checksum"
drop

same "custom" "$dir/custom.dump" "$config"
dump -Fc -Z0 -f "$dir/custom0.dump"
same "custom, not compressed" "$dir/custom0.dump" "$config"
dump -Fc -Z9 -f "$dir/custom9.dump"
same "custom, compressed most" "$dir/custom9.dump" "$config"
dump -Fd -j 2 -f "$dir/directory"
chmod -R a+rX "$dir/directory"
same "directory" "$dir/directory" "$config"
dump -Fd -Z0 -f "$dir/directory0"
chmod -R a+rX "$dir/directory0"
same "directory, not compressed" "$dir/directory0" "$config"
dump -Ft -f "$dir/tar.dump"
same "tar" "$dir/tar.dump" "$config"
dump -f "$dir/plain.sql"
same "plain" "$dir/plain.sql" "$config"
dump --no-owner --no-privileges -f "$dir/no_owner.sql"
same "plain without owners" "$dir/no_owner.sql" "$config"
dump -Fc --no-owner -f "$dir/no_owner.dump"
same "custom without owners" "$dir/no_owner.dump" "$config"
dump -Fc -t public.sale -f "$dir/one.dump"
same "one table" "$dir/one.dump" "$config"
dump -t public.sale -f "$dir/one.sql"
same "one table, plain" "$dir/one.sql" "$config"
dump -Fc -n public -f "$dir/schema.dump"
same "one schema" "$dir/schema.dump" "$config"
dump --clean --if-exists --create -f "$dir/clean.sql"
same "plain with DROP and CREATE DATABASE" "$dir/clean.sql" "$config"
dump --quote-all-identifiers --disable-triggers -f "$dir/quoted.sql"
same "plain, all names quoted, triggers disabled around the rows" "$dir/quoted.sql" "$config"
dump -E LATIN1 -f "$dir/latin1.sql"
check "the dump in LATIN1 has bytes that are no UTF-8" no "$(iconv -f UTF-8 -t UTF-8 "$dir/latin1.sql" >/dev/null 2>&1 && echo yes || echo no)"
same "plain in LATIN1" "$dir/latin1.sql" "$config"
dump -Fc -E LATIN1 -f "$dir/latin1.dump"
same "custom in LATIN1" "$dir/latin1.dump" "$config"

dump --data-only -f "$dir/data_only.sql"
check_error "rows without a definition are refused" '42P01.*public.sale.* is not in the backup' main \
    "SELECT * FROM restore_table('copies.sale', '$dir/data_only.sql', '{$config}')" shop
check_error "and the reason is named" 'data-only' main \
    "SELECT * FROM restore_table('copies.sale', '$dir/data_only.sql', '{$config}')" shop
dump -Fc --data-only -f "$dir/data_only.dump"
check_error "rows without a definition are refused in an archive" '42P01.*public.sale.* is not in the backup' main \
    "SELECT * FROM restore_table('copies.sale', '$dir/data_only.dump', '{$config}')" shop
dump --inserts -f "$dir/inserts.sql"
check_error "INSERT statements are refused" '0A000.*INSERT' main \
    "SELECT * FROM restore_table('copies.sale', '$dir/inserts.sql', '{$config}')" shop
dump -Fc --schema-only -f "$dir/schema_only.dump"
check "a definition without rows is an empty table" "0|hash|4" "$(restore "$dir/schema_only.dump" "$config")"
drop

# Rows only: the definition comes from a table of this database.
rows="\"like\": \"public.sale\", \"method\": \"hash\", \"shard_key\": [\"item_id\"], \"shard_count\": 4"
columns="id, item_id, price, note, raw, at, tags"
copy_out() { on main psql -XAtq -d shop -c "COPY $1 TO STDOUT WITH ($2)" >"$3"; }
copy_out sale "FORMAT csv" "$dir/rows.csv"
same "CSV" "$dir/rows.csv" "$rows, \"format\": \"csv\""
copy_out sale "FORMAT csv, HEADER" "$dir/header.csv"
same "CSV with header" "$dir/header.csv" "$rows, \"format\": \"csv\", \"copy\": {\"header\": true}"
copy_out "(SELECT tags, at, raw, note, price, item_id, id FROM sale)" "FORMAT csv, HEADER" "$dir/reversed.csv"
same "CSV with header, other order" "$dir/reversed.csv" \
    "$rows, \"format\": \"csv\", \"copy\": {\"header\": true, \"columns\": [\"tags\", \"at\", \"raw\", \"note\", \"price\", \"item_id\", \"id\"]}"
copy_out sale "FORMAT csv, DELIMITER '|', QUOTE '~', ESCAPE '^', NULL 'nothing'" "$dir/odd.csv"
same "CSV, other delimiter, quote, escape and null" "$dir/odd.csv" \
    "$rows, \"format\": \"csv\", \"copy\": {\"delimiter\": \"|\", \"quote\": \"~\", \"escape\": \"^\", \"null\": \"nothing\"}"
copy_out sale "FORMAT csv, FORCE_QUOTE *" "$dir/quoted.csv"
same "CSV, all quoted" "$dir/quoted.csv" "$rows, \"format\": \"csv\""
copy_out sale "FORMAT csv, ENCODING 'LATIN1'" "$dir/latin1.csv"
same "CSV in LATIN1" "$dir/latin1.csv" "$rows, \"format\": \"csv\", \"copy\": {\"encoding\": \"LATIN1\"}"
copy_out sale "FORMAT text" "$dir/rows.text"
same "COPY text" "$dir/rows.text" "$rows, \"format\": \"text\""
copy_out sale "FORMAT text, DELIMITER ';', NULL '-'" "$dir/odd.text"
same "COPY text, other delimiter and null" "$dir/odd.text" "$rows, \"format\": \"text\", \"copy\": {\"delimiter\": \";\", \"null\": \"-\"}"
copy_out sale "FORMAT text, HEADER" "$dir/header.text"
same "COPY text with header" "$dir/header.text" "$rows, \"format\": \"text\", \"copy\": {\"header\": true}"

# Written by hand: constraints inside CREATE TABLE, serial, unqualified names, no owner.
{
    echo "SET client_encoding = 'UTF8'; CREATE TABLE item (id int primary key, name text unique);"
    echo "create table sale (id bigserial primary key, item_id integer not null references item on delete cascade deferrable initially deferred,
        price numeric(10,2) check (price >= 0), twice numeric generated always as (price * 2) stored, note text,
        raw bytea unique, at timestamptz not null default '2024-01-01 00:00:00+00', tags text[],
        unique (item_id, id), constraint at_item foreign key (item_id) references item (id) match full deferrable);"
    echo "create index on sale (at); -- a comment; with a semicolon"
    echo "copy sale ($columns) from stdin;"
    cat "$dir/rows.text"
    echo '\.'
    echo "select setval('sale_id_seq', 3000);"
} >"$dir/hand.sql"
same "plain, written by hand" "$dir/hand.sql" "$config"
restore "$dir/hand.sql" "$config" >/dev/null
check "the constraints written inside CREATE TABLE are there" "\
c|CHECK ((price >= (0)::numeric))
f|FOREIGN KEY (item_id) REFERENCES item(id) MATCH FULL DEFERRABLE
f|FOREIGN KEY (item_id) REFERENCES item(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
p|PRIMARY KEY (id, item_id)
u|UNIQUE (item_id, id)
u|UNIQUE (raw, item_id)" "$(sql main "SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'copies.sale'::regclass ORDER BY 1, 2" shop)"
check "with the names that the server gives" "at_item sale_item_id_fkey sale_item_id_id_key sale_pkey sale_price_check sale_raw_key" "$(sql main "
    SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'copies.sale'::regclass" shop)"
check "and the index" 1 "$(sql main "SELECT count(*) FROM pg_index WHERE indrelid = 'copies.sale'::regclass AND pg_get_indexdef(indexrelid) LIKE '%btree (at)'" shop)"
check "the sequence of serial goes on" 3001 "$(sql main "SELECT nextval(pg_get_serial_sequence('copies.sale', 'id'))" shop)"
