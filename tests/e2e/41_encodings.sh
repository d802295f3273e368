#!/usr/bin/env bash
# Backups in all encodings that PostgreSQL converts: dumped from a database of that encoding, or for clients of it where no
# database can have it, and restored into one in UTF8.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements
dir=$(backups main)
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA copies; CREATE SCHEMA original"
names="EUC_CN EUC_JP EUC_JIS_2004 EUC_KR EUC_TW ISO_8859_5 ISO_8859_6 ISO_8859_7 ISO_8859_8 KOI8R KOI8U LATIN1 LATIN2 LATIN3 LATIN4 LATIN5
    LATIN6 LATIN7 LATIN8 LATIN9 LATIN10 WIN866 WIN874 WIN1250 WIN1251 WIN1252 WIN1253 WIN1254 WIN1255 WIN1256 WIN1257 WIN1258"
clients="BIG5 GB18030 GBK JOHAB SHIFT_JIS_2004 SJIS UHC"
check "these are all encodings that PostgreSQL converts to UTF8 and back" \
    "$(tr -s ' \n' '\n' <<<"$names $clients" | LC_ALL=C sort)" \
    "$(sql main "SELECT a FROM (SELECT pg_encoding_to_char(conforencoding) COLLATE \"C\" AS a FROM pg_conversion WHERE pg_encoding_to_char(contoencoding) = 'UTF8' INTERSECT
        SELECT pg_encoding_to_char(contoencoding) FROM pg_conversion WHERE pg_encoding_to_char(conforencoding) = 'UTF8') AS x ORDER BY a")"

# Characters of an encoding by their bytes: all of those with one byte above ASCII, samples of those with more. The second byte
# of some is a backslash, a bar or a letter.
sql main "CREATE TABLE codes (encoding text, code bytea)"
sql main "DO \$\$
DECLARE
    wanted text;
    code bytea;
BEGIN
    FOREACH wanted IN ARRAY string_to_array(regexp_replace('$names $clients', '\s+', ' ', 'g'), ' ') LOOP
        FOR code IN SELECT set_byte('\x00', 0, a) FROM generate_series(128, 255) AS a
            UNION ALL SELECT set_byte(set_byte('\x0000', 0, a), 1, b) FROM generate_series(129, 254) AS a, unnest('{64,92,124,126,128,161,176,200,223,254}'::int[]) AS b
                WHERE pg_encoding_max_length(pg_char_to_encoding(wanted)) > 1
            UNION ALL SELECT unnest('{\\\\x8fb0a1,\\\\x8fede3,\\\\x8ea2a1a1,\\\\x8ea2c5c5,\\\\x81308130,\\\\x90308130}'::bytea[]) LOOP
            BEGIN
                IF convert_to(convert_from(code, wanted), wanted) = code AND convert_from(code, wanted) !~ '[\u0080-\u009f]' AND length(convert_from(code, wanted)) = 1 THEN
                    INSERT INTO codes VALUES (wanted, code);
                END IF;
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
    END LOOP;
END \$\$"
check "there are characters of each" "" "$(sql main "SELECT name FROM unnest(string_to_array(regexp_replace('$names $clients', '\s+', ' ', 'g'), ' ')) AS name
    WHERE (SELECT count(*) FROM codes WHERE encoding = name) < 40")"

# table DATABASE ENCODING: each character by itself, and fifty in a row, among what COPY escapes; all names and texts of the
# definition have one.
table() {
    on main psql -Xq -v ON_ERROR_STOP=1 -d "$1" <<SQL
CREATE TEMP TABLE given (place bigint, code bytea);
\\copy given FROM '$work/$2.codes'
SELECT convert_from(code, '$2') AS one FROM given WHERE place = 1 \\gset
SELECT format('%I.%I', 'original', lower('$2') || '_' || :'one') AS name, quote_ident('x' || :'one') AS field, 'a ' || :'one' AS word \\gset
CREATE TABLE :name (id bigint PRIMARY KEY, :field text DEFAULT :'word' CHECK (:field <> :'word'));
COMMENT ON COLUMN :name.:field IS :'word';
CREATE INDEX ON :name (:field) WHERE :field <> :'word';
INSERT INTO :name SELECT place, E'<\\\\' || convert_from(code, '$2') || E'\\t>' FROM given;
INSERT INTO :name SELECT 10000 + place / 50, string_agg(convert_from(code, '$2') || CASE WHEN place % 7 = 0 THEN E'\\n\\\\N' ELSE '' END, '' ORDER BY place)
    FROM given GROUP BY place / 50;
SQL
}
for name in $names $clients; do
    sql main "COPY (SELECT row_number() OVER (ORDER BY length(code), code), code FROM codes WHERE encoding = '$name') TO STDOUT" >"$work/$name.codes"
    table postgres "$name"
    case " $clients " in *" $name "*) encoding=UTF8 ;; *) encoding=$name ;; esac
    database=e_${name,,}
    sql main "CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0"
    sql main "CREATE SCHEMA original" "$database"
    table "$database" "$name"
    on main pg_dump -Fc -d "$database" -E "$name" -f "$dir/$name.dump"
done

config='"query_log": "off", "method": "none"'
tables="SELECT upper(substring(relname FROM '(.*)_')) AS name, relname, quote_ident(relname) AS quoted FROM pg_class WHERE relnamespace = 'original'::regnamespace AND relkind = 'r'"
said=$(on main psql -XAtq -v VERBOSITY=verbose 2>&1 <<SQL
SELECT format('SELECT %L || rows FROM restore_table(%L, %L, %L)', name || ' ', 'copies.' || quoted, '$dir/' || name || '.dump',
    '{$config}'::jsonb || jsonb_build_object('source', 'original.' || quoted)) FROM ($tables) AS t ORDER BY name \\gexec
SQL
)
# contents SCHEMA: name and definition of each table, and its rows.
contents() {
    on main psql -XAtq <<SQL
SELECT format('SELECT %L, count(*), md5(string_agg(t::text, '''' ORDER BY id)) FROM $1.%s AS t', concat_ws(' ', quoted,
    (SELECT string_agg(concat_ws(' ', attname, col_description(attrelid, attnum), pg_get_expr(adbin, adrelid)), ',' ORDER BY attnum)
     FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = c.oid AND attnum > 0),
    (SELECT string_agg(pg_get_constraintdef(oid), ',' ORDER BY contype) FROM pg_constraint WHERE conrelid = c.oid),
    (SELECT string_agg(pg_get_expr(indpred, indrelid), ',') FROM pg_index WHERE indrelid = c.oid)), quoted)
FROM ($tables) AS t LEFT JOIN pg_class AS c ON c.oid = to_regclass('$1.' || quoted) ORDER BY name \\gexec
SQL
}
check "each is restored" "" "$(grep -vE '^[A-Z0-9_]+ [0-9]+$' <<<"$said" || true)"
check "with the same definitions and characters" "$(contents original)" "$(contents copies)"

# What is restored into is UTF8; a database that is not says so, and nothing is half done.
for name in LATIN1 SQL_ASCII; do
    sql main "CREATE DATABASE e ENCODING '$name' LOCALE 'C' TEMPLATE template0"
    sql main "CREATE EXTENSION foreshard; CREATE SCHEMA original" e
    check_error "a database in $name is refused" '0A000: foreshard needs a database with the encoding UTF8' main \
        "SELECT rows FROM restore_table('original.latin1', '$dir/LATIN1.dump', '{$config}')" e
    sql main "DROP DATABASE e"
done
