#!/usr/bin/env bash
# Rows that no pg_dump wrote: all the escapes of COPY, other line ends, values that are rounded or padded on their way in. What is
# restored is what the server's own COPY makes of the same bytes; and what COPY refuses is refused, with the line.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA expected"
dir=$(backups main)

# script NAME COLUMNS: a plain dump of public.NAME with the rows of standard input.
script() {
    { printf 'SET client_encoding = %s;\nCREATE TABLE public.%s (%s);\nCOPY public.%s FROM stdin;\n' "${encoding:-UTF8}" "$1" "$2" "$1"; cat; printf '\\.\n'; } |
        sed "s/\$/${ends:-}/" >"$dir/$1.sql"
}
restore() { echo "SELECT rows FROM restore_table('public.$1', '$dir/$1.sql', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 3$2}')"; }
contents() { sql main "SELECT count(*), md5(string_agg(md5(record_send(t)), '' ORDER BY id)) FROM $1 AS t"; }
# same WHAT NAME COLUMNS: as the server's COPY has it, also without the profile.
same() {
    script "$2" "$3"
    sed "s/public\.$2/expected.$2/" "$dir/$2.sql" | on main psql -Xq -v ON_ERROR_STOP=1 2>&1
    for config in "" ', "profile": "off"'; do
        check "$1: restored$config" "$(sql main "SELECT count(*) FROM expected.$2")" "$(sql main "$(restore "$2" "$config")" 2>&1)"
        check "$1: contents$config" "$(contents "expected.$2")" "$(contents "public.$2")"
        check "$1: verified$config" "t|0" "$(sql main "SELECT bool_and(ok), sum(misplaced_rows) FROM foreshard.verify_table('public.$2')")"
        sql main "DROP TABLE public.$2"
    done
}
# refused WHAT PATTERN NAME COLUMNS: the error, with and without the profile; nothing is left.
refused() {
    script "$3" "$4"
    check_error "$1" "$2" main "$(restore "$3" "")"
    check_error "$1, without a profile" "$2" main "$(restore "$3" ', "profile": "off"')"
    check "$1: nothing is left" 0 "$(sql main "SELECT count(*) FROM pg_class WHERE relname LIKE '$3%' AND relnamespace = 'public'::regnamespace")"
}

same "escapes" escapes "id bigint, a text, b text" <<'ROWS'
1	\b\f\n\r\t\v	all of them
2	\x41\x4a\X4a\x4\x	in hexadecimal, of one digit, of none
3	\101\1012\18\0011\7	in octal
4	\\	\\\\
5	a\\.b	\\.
6	\N	\\N
7	\	is no delimiter	\	\	
8		
9	\a\c\d\'\"\N\ 	what needs no escape
10	\xc3\xa9\303\251	bytes of one character, each escaped
11	é ñ ࠀ €	😀 𐍈
12	\N	\N
13	 \N 	\n
14	 leading and trailing 	 
15	\x5c\x2e	\x5c\x4e
16	a\
b	a line end behind a backslash
ROWS

{
    for n in $(seq 1 3000); do printf '%s\ttwo\\r\\nlines %s\t\\\\\\t\n' "$n" "$n"; done
    printf '3001\t%s\t%s\n' "$(head -c 200000 /dev/zero | tr '\0' x)" "$(printf '😀%.0s' $(seq 20000))"
} | same "line ends in values, and rows larger than a block" blocks "id bigint, a text, b text"

ends=$'\r' same "CR and LF at the end of each line of the script" crlf "id bigint, a text" < <(printf '1\ta\\r\n2\t\\N\n3\t\n')

# What is wrong in one row of twenty thousand is said with its line, as the server's COPY counts it.
columns="id bigint NOT NULL, a integer CHECK (a <> 5), b text NOT NULL, c numeric(5,2), d timestamptz(0), e varchar(5), f uuid"
rows() {
    awk -v place="$1" -v row="$2" 'BEGIN { for (i = 1; i <= 20000; i++) if (i == place) print row
        else printf "%d\t%d\ttext é \\t %d\t%d.5\t2024-01-01 00:00:00+00\tabc\t00000000-0000-0000-0000-%012d\n", i, 10 + i, i, i % 900, i }'
}
# wrong WHAT SQLSTATE LINE ROW: with and without the profile; nothing is left.
wrong() {
    script wrong "$columns" < <(rows "$3" "$4")
    for config in "" ', "profile": "off"'; do
        check_match "line $3: $1$config" "ERROR:  $2: .* line $3[,:. ]|ERROR:  $2: row $3 " \
            "$(on main psql -XAtq -v VERBOSITY=verbose -c "$(restore wrong "$config")" 2>&1 | tr '\n' ' ')"
    done
    check "line $3: $1: nothing is left" 0 "$(sql main "SELECT count(*) FROM pg_class WHERE relname LIKE 'wrong%'")"
}
tab=$'\t'
good="1.5${tab}2024-01-01 00:00:00+00${tab}abc${tab}\\N"
wrong "no integer" 22P02 15555 "1${tab}x7${tab}b${tab}$good"
wrong "a key that is no integer" 22P02 15555 "1.5${tab}7${tab}b${tab}$good"
wrong "an integer out of range" 22003 19999 "1${tab}2147483648${tab}b${tab}$good"
wrong "an empty text for an integer" 22P02 20000 "1${tab}${tab}b${tab}$good"
wrong "a NULL where none may be" 23502 10000 "1${tab}7${tab}\\N${tab}$good"
wrong "a NULL key" 23502 10000 "\\N${tab}7${tab}b${tab}$good"
wrong "a value that breaks a check" 23514 12000 "1${tab}5${tab}b${tab}$good"
wrong "a number that does not fit" 22003 8000 "1${tab}7${tab}b${tab}1000${tab}\\N${tab}\\N${tab}\\N"
wrong "a text that is too long" 22001 6000 "1${tab}7${tab}b${tab}1${tab}\\N${tab}abcdef${tab}\\N"
wrong "a time that there is not" 22008 4000 "1${tab}7${tab}b${tab}1${tab}2024-02-30 00:00:00+00${tab}a${tab}\\N"
wrong "no uuid" 22P02 2000 "1${tab}7${tab}b${tab}1${tab}\\N${tab}a${tab}0000"
wrong "a column too few" 22P04 15555 "1${tab}7${tab}b"
wrong "a column too many" 22P04 15555 "1${tab}7${tab}b${tab}$good${tab}"
wrong "an end of rows within a row" 22P04 13333 "1${tab}7${tab}a\\.b${tab}$good"
wrong "a byte that is no UTF-8" 22021 17777 "1${tab}7${tab}a"$'\xff'"b${tab}$good"
wrong "a character that is cut off at its field's end" 22021 17777 "1${tab}7${tab}a"$'\xc3'"${tab}$good"
wrong "a character that UTF-8 writes shorter" 22021 17778 "1${tab}7${tab}"$'\xc0\xaf'"${tab}$good"
wrong "half a surrogate" 22021 17778 "1${tab}7${tab}"$'\xed\xa0\x80'"${tab}$good"
wrong "a byte that is no UTF-8, escaped" 22021 17778 "1${tab}7${tab}a\\xffb${tab}$good"
wrong "a zero byte, escaped" 22021 17778 "1${tab}7${tab}a\\0b${tab}$good"
