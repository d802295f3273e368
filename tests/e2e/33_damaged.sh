#!/usr/bin/env bash
# Damaged backups: cut off at a hundred places, and with one byte made another at a hundred places. Each gives an error with
# a SQLSTATE of its cause, or a whole table that equals the original; never less, never a crash, never a hang, and nothing
# stays of it. A byte in rows that are not compressed is nobody's to notice: those formats are only cut off.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/victim.sh"

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, total numeric(10,2), note text UNIQUE)" shop
sql main "CREATE INDEX orders_customer ON orders (customer)" shop
sql main "CREATE TABLE before (a int); CREATE TABLE zafter (a int)" shop
sql main "INSERT INTO before SELECT generate_series(1, 500); INSERT INTO zafter SELECT generate_series(1, 500)" shop
sql main "INSERT INTO orders SELECT n, n % 97, n / 7.0, md5(n::text) FROM generate_series(1, 3000) n" shop
dir=$(backups main)
on main pg_dump -Fc -f "$dir/custom" shop
on main pg_dump -Ft -f "$dir/tar" shop
on main pg_dump -Fp -f "$dir/plain" shop
gzip -9 -n -c "$dir/plain" >"$dir/gzip"
on main pg_dump -Fd -f "$dir/directory" shop
# The rows of the table are its largest file.
rows_file=$(find "$dir/directory" -name '*.dat.gz' -printf '%s %f\n' | sort -n | tail -n 1 | cut -d' ' -f2)
for place in toc.dat "$rows_file"; do
    cp -r "$dir/directory" "$dir/directory_$place"
done
chmod -R a+rwX "$dir"

sql main "CREATE EXTENSION foreshard"
# Damages a copy of a file, restores from it, says what came of it, and undoes it.
sql main "$(cat <<'SQL'
SET check_function_bodies = off;
CREATE FUNCTION contents() RETURNS text LANGUAGE sql AS $$
    SELECT count(*) || '/' || md5(string_agg(o::text, ',' ORDER BY o::text)) FROM orders o $$;
CREATE FUNCTION shape() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(pg_get_indexdef(indexrelid), ',' ORDER BY 1) FROM pg_index WHERE indrelid = 'orders'::regclass $$;
CREATE FUNCTION outcome(backup text, OUT state text, OUT said text, OUT rows text, OUT indexes text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM * FROM restore_table('public.orders', backup, '{"query_log": "off", "shard_key": ["customer"], "shard_count": 2}');
    EXECUTE 'SELECT contents(), shape()' INTO rows, indexes;
    RAISE EXCEPTION USING ERRCODE = '00RES', MESSAGE = 'restored';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
    IF state = '00RES' THEN state := 'restored'; END IF;
END $$;
CREATE FUNCTION damage(kind text, file bytea, place bigint) RETURNS bytea LANGUAGE sql AS $$
    SELECT CASE kind WHEN 'cut' THEN substr(file, 1, place::int)
                     ELSE set_byte(file, place::int, get_byte(file, place::int) # (1 + (hashint8(place)::bigint & 127))::int) END $$;
CREATE FUNCTION write(file bytea, path text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE lo oid := lo_from_bytea(0, file);
BEGIN PERFORM lo_export(lo, path); PERFORM lo_unlink(lo); END $$;
CREATE FUNCTION try(kind text, original text, victim text, backup text, places bigint[])
RETURNS TABLE (place bigint, state text, said text, rows text, indexes text) LANGUAGE plpgsql AS $$
DECLARE file bytea := pg_read_binary_file(original);
BEGIN
    FOREACH place IN ARRAY places LOOP
        PERFORM write(damage(kind, file, place), victim);
        SELECT * INTO state, said, rows, indexes FROM outcome(backup);
        RETURN NEXT;
    END LOOP;
END $$;
CREATE TABLE outcomes (kind text, format text, place bigint, state text, said text, rows text, indexes text);
SQL
)"
# A hundred places, the same on every run of the same size: the first byte, the last, and others as a hash scatters them.
places() { sql main "SELECT array_agg(CASE n WHEN 0 THEN 0 WHEN 1 THEN size - 1 ELSE abs(hashint8(n)::bigint) % size END)
                     FROM generate_series(0, 99) n, pg_stat_file('$1')"; }

try() {
    local kind=$1 format=$2 original=$3 victim=$4 backup=$5 places=$6
    sql main "SET statement_timeout = '300s'; SET client_min_messages = error;
              INSERT INTO outcomes SELECT '$kind', '$format', t.*
              FROM try('$kind', '$original', '$victim', '$backup', '$places') t" || true
    check "$format, $kind: the server lives and every case came to its end" \
        "$(sql main "SELECT cardinality('$places'::bigint[])")" \
        "$(sql main "SELECT count(*) FROM outcomes WHERE kind = '$kind' AND format = '$format'")"
}

before=$(traces)
for format in custom gzip tar plain; do
    try cut $format "$dir/$format" "$dir/damaged" "$dir/damaged" "$(places "$dir/$format")"
done
for format in custom gzip; do
    try turn $format "$dir/$format" "$dir/damaged" "$dir/damaged" "$(places "$dir/$format")"
done
for file in toc.dat "$rows_file"; do
    for kind in cut turn; do
        try $kind "directory/${file/#[0-9]*/rows}" "$dir/directory/$file" "$dir/directory_$file/$file" \
            "$dir/directory_$file" "$(places "$dir/directory/$file")"
    done
done
# A plain dump cut between two statements is whole SQL; each of these places, from the first table on.
starts=$(grep -abo '^-- Name: \|^-- PostgreSQL database dump complete\|^\\unrestrict' "$dir/plain" | cut -d: -f1 | paste -sd,)
try cut "plain between statements" "$dir/plain" "$dir/damaged" "$dir/damaged" "{$starts}"

# The table of contents names the rows' table twice; another name in the COPY means that nobody's rows are restored.
sed 's/COPY public.orders/COPY public.orderz/' "$dir/custom" >"$dir/no_section"
on main pg_dump -Fc --schema-only -f "$dir/schema_only" shop
on main pg_dump -Fp --exclude-table-data=orders -f "$dir/excluded" shop
for backup in no_section schema_only excluded; do
    check "no rows is not no error: $backup" '22P04|the backup does not have the rows of "public.orders"' \
        "$(sql main "SELECT state, said FROM outcome('$dir/$backup')" 2>/dev/null)"
done

sql main "SELECT format('# %s %s: %s x %s %s', format, kind, count(*), state, said) FROM
          (SELECT format, kind, state, regexp_replace(said, '/tmp/\S*', '…') AS said FROM outcomes) o
          GROUP BY format, kind, state, said ORDER BY format, kind, count(*) DESC"

expected=$(sql main "SELECT count(*) || '/' || md5(string_agg(o::text, ',' ORDER BY o::text)) FROM orders o" shop)
# An archive of one file begins with what the others have in toc.dat, but for the names of files and places in the file.
toc=$(($(stat -c %s "$dir/directory/toc.dat") + 100))
check "what was restored has every row" "" \
    "$(sql main "SELECT * FROM outcomes WHERE state = 'restored' AND rows <> '$expected' AND format NOT LIKE '%toc%'
                 AND NOT (format = 'custom' AND kind = 'turn' AND place < $toc)")"
# A byte of the definition may make another column name or type of it; the rows are still all there.
check "and their number is right whatever was turned" "" \
    "$(sql main "SELECT * FROM outcomes WHERE state = 'restored' AND split_part(rows, '/', 1) <> '3000'")"
check "nothing that was cut off has fewer indexes" "" \
    "$(sql main "SELECT * FROM outcomes WHERE state = 'restored' AND kind = 'cut'
                 AND cardinality(string_to_array(indexes, ',CREATE')) <> 3")"
check "every error says its cause" "" \
    "$(sql main "SELECT * FROM outcomes WHERE state <> 'restored' AND
                 (state !~ '^(22|42|0A|3F|54|58|53)' OR coalesce(said, '') = '')")"
check "a damaged backup leaves nothing: relations, types, ledger, locks, files" "$before" "$(traces)"
check "no process of the server fell" "" "$(grep -E 'PANIC|terminated by signal' "$work/main/log" || true)"
check "no error is said to be a bug" "" "$(grep -E 'ERROR:  XX' "$work/main/log" || true)"
check "the undamaged ones are restored" "restored|$expected
restored|$expected
restored|$expected
restored|$expected
restored|$expected" "$(for f in custom directory gzip plain tar; do sql main "SELECT state, rows FROM outcome('$dir/$f')" 2>/dev/null; done)"
