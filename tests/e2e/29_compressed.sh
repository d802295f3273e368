#!/usr/bin/env bash
# Files compressed as a whole, and rows in several files: read as they are, and never half.
. "$(dirname -- "$0")/lib.sh"

server main
sql main "CREATE DATABASE shop"
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA copies;
    CREATE TABLE sale (id integer PRIMARY KEY, item_id integer NOT NULL, note text);
    INSERT INTO sale SELECT i, i % 50, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN E'two\nlines' ELSE md5(i::text) || repeat('x', i % 90) END
    FROM generate_series(1, 20000) AS i" shop
dir=$(backups main)
layout='"method": "hash", "shard_key": ["item_id"], "shard_count": 4'
script="\"source\": \"public.sale\", $layout"
csv="\"like\": \"public.sale\", \"format\": \"csv\", $layout"
headed="$csv, \"copy\": {\"header\": true}"

restore() { sql main "SET client_min_messages = error; SELECT rows FROM restore_table('copies.sale', '$1', '{$2}')" shop; }
differing() { sql main "SELECT (SELECT count(*) FROM (TABLE sale EXCEPT ALL TABLE copies.sale) AS x) + (SELECT count(*) FROM (TABLE copies.sale EXCEPT ALL TABLE sale) AS x)" shop; }
# same WHAT PATH CONFIG
same() {
    check "$1: restored" 20000 "$(restore "$2" "$3" 2>&1)"
    check "$1: the same rows" 0 "$(differing)"
    sql main "SET client_min_messages = error; DROP TABLE copies.sale" shop
}
# refused WHAT PATTERN PATH CONFIG
refused() {
    check_error "$1" "$2" main "SELECT * FROM restore_table('copies.sale', '$3', '{$4}')" shop
    check "$1: nothing is left" "" "$(sql main "SELECT to_regclass('copies.sale')" shop)"
}

on main pg_dump -f "$dir/shop.sql" shop
on main psql -XAtq -d shop -c "\\copy sale TO '$dir/rows.csv' WITH (FORMAT csv)"
ways="gzip:gz zstd:zst lz4:lz4"
for way in $ways; do
    program=${way%:*} end=${way#*:}
    "$program" -q -c "$dir/shop.sql" >"$dir/shop.sql.$end"
    same "a script by $program" "$dir/shop.sql.$end" "$script"
    "$program" -q -c "$dir/rows.csv" >"$dir/rows.csv.$end"
    same "rows by $program" "$dir/rows.csv.$end" "$csv"
    { head -n 7000 "$dir/rows.csv" | "$program" -q -c; tail -n +7001 "$dir/rows.csv" | "$program" -q -c; } >"$dir/joined.$end"
    same "rows by $program, one file behind another" "$dir/joined.$end" "$csv"

    head -c $(($(stat -c %s "$dir/rows.csv.$end") * 2 / 3)) "$dir/rows.csv.$end" >"$dir/cut.$end"
    refused "rows by $program, cut off" "It is compressed by $program, which says: (incomplete|failed)" "$dir/cut.$end" "$csv"
    head -c $(($(stat -c %s "$dir/shop.sql.$end") * 2 / 3)) "$dir/shop.sql.$end" >"$dir/cut.$end"
    refused "a script by $program, cut off" "It is compressed by $program, which says: (incomplete|failed)" "$dir/cut.$end" "$script"
    cp "$dir/rows.csv.$end" "$dir/bad.$end"
    printf 'XXXXXXXX' | dd of="$dir/bad.$end" bs=1 seek=20000 conv=notrunc status=none
    refused "rows by $program, damaged" "22P04" "$dir/bad.$end" "$csv"
    head -c 6 "$dir/rows.csv.$end" >"$dir/head.$end"
    refused "the head of rows by $program" "22P04: the backup cannot be decompressed" "$dir/head.$end" "$csv"

    on main pg_dump -Fc -f "$dir/shop.dump" shop
    "$program" -q -c "$dir/shop.dump" >"$dir/shop.dump.$end"
    refused "an archive by $program" "0A000: .*is an archive that is compressed as a whole" "$dir/shop.dump.$end" "$script"
done

# Rows in several files, each with its own header, compressed or not.
for n in 1 2 3 4; do
    on main psql -XAtq -d shop -c "\\copy (SELECT * FROM sale WHERE id % 4 = $n - 1) TO '$dir/part-$n.csv' WITH (FORMAT csv, HEADER)"
done
gzip -q "$dir/part-2.csv"
zstd -q --rm "$dir/part-3.csv"
same "several files" "$dir/part-*.csv*" "$headed"
same "files by their last letter" "$dir/part-[1-4].csv*" "$headed"
refused "several files without a format" '22023: .*has wildcards' "$dir/part-*.csv*" "\"like\": \"public.sale\""
refused "no file" '58P01: no file matches' "$dir/none-*.csv" "$headed"
refused "no pattern" '22023: .*is no pattern' "$dir/part-[.csv" "$headed"
echo 'x,1,y' >>"$dir/part-4.csv"
refused "a row that is no row names its file" 'of \\?".*part-4.csv' "$dir/part-*.csv*" "$headed"
mkdir "$dir/part-5.csv"
refused "a directory among the files" '22P04: the directory' "$dir/part-*.csv*" "$headed"
