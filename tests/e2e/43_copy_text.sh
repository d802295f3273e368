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
# Three ways through: threads that make pages with and without a profile before, and COPY alone.
ways=("3 on" "3 off" "0 off")
# restore NAME WAY
restore() {
    echo "SET foreshard.load_threads = ${2% *}; SELECT rows FROM restore_table('public.$1', '$dir/$1.sql',
        '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 3, \"profile\": \"${2#* }\"}')"
}
contents() { sql main "SELECT count(*), md5(string_agg(md5(record_send(t)), '' ORDER BY id)) FROM $1 AS t"; }
# same WHAT NAME COLUMNS: as the server's COPY has it.
same() {
    script "$2" "$3"
    sed "s/public\.$2/expected.$2/" "$dir/$2.sql" | on main psql -Xq -v ON_ERROR_STOP=1 2>&1
    for way in "${ways[@]}"; do
        check "$1: restored, $way" "$(sql main "SELECT count(*) FROM expected.$2")" "$(sql main "$(restore "$2" "$way")" 2>&1)"
        check "$1: contents, $way" "$(contents "expected.$2")" "$(contents "public.$2" 2>&1)"
        check "$1: verified, $way" "t|0" "$(sql main "SELECT bool_and(ok), sum(misplaced_rows) FROM foreshard.verify_table('public.$2')" 2>&1)"
        sql main "DROP TABLE IF EXISTS public.$2"
    done
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

same "values that change on their way in" rounded "id bigint, a numeric(10,2), b timestamp(3), c varchar(5), d char(5), e bpchar, f timestamptz(0), g real, h numeric(4,-2), i float8, j int4, k uuid, l date, m bool, n numeric(3,5), o \"char\", p bytea, q name" <<'ROWS'
1	0.005	2024-01-01 00:00:00.0005	ab   	ab	ab   	2024-12-31 23:59:59.5+00	0.1	149	1	1	{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}	Jan 2, 2024	yes	0.009994	ab	\\x41 42	a b
2	-0.005	2024-12-31 23:59:59.9995	abcde     	é	 	2024-12-31 23:59:59.4+14	1e10	150	.5	 7 	a0eebc999c0b4ef8bb6d6bb9bd380a11	20240102	OFF	-0.000004	\\303	plain \\\\ text	
3	1e3	0044-03-15 12:00:00.0004 BC	😀😀😀😀😀  		x	infinity	3.4028235e38	-150	1.7976931348623157e308	\N	a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11	2024.002	1	0	é	\\134	nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnéééé
4	 1.10 	2024-1-1 1:2:3	a    	é    	  a 	2024-06-30 23:59:60+00	16777217	-49	9007199254740993	+7	\N	epoch	n	 NaN 		\\x	 
5	+1	2024-02-29T23:59:59.9999999	     	     	\N	epoch	1e-45	Nan	 inf 	-0	00000000-0000-0000-0000-000000000000	J2451545	t	0	 	\\x00ff	é
ROWS
same "values that change on their way in, of other types" others "id bigint, a time(1), b interval(2), c varchar(3)[], d bit varying(4), e jsonb, f inet, g timetz(0), h int4range" <<'ROWS'
1	12:00:00.05	00:00:00.125	{"a  "}	1	{"b":1,"a":2,"a":3}	10.0.0.1/32	12:00:00.5+01	[1,2]
2	23:59:59.96	1.999 seconds	{abc,NULL}	1010	[ ]	::ffff:1.2.3.4	23:59:59.9-03:30	(0,3)
3	24:00	1 mon 0.005	{}		1.10	10.1.2.3/8	24:00+00	[5,5)
ROWS

ends=$'\r' same "CR and LF at the end of each line of the script" crlf "id bigint, a text" < <(printf '1\ta\\r\n2\t\\N\n3\t\n')

# What is wrong in one row of ten thousand is said with its line, as the server's COPY counts it.
columns="id bigint NOT NULL, a integer CHECK (a <> 5), b text NOT NULL, c numeric(5,2), d timestamptz(0), e varchar(5), f uuid"
rows() {
    awk -v place="$1" -v row="$2" 'BEGIN { for (i = 1; i <= 10000; i++) if (i == place) print row
        else printf "%d\t%d\ttext é \\t %d\t%d.5\t2024-01-01 00:00:00+00\tabc\t00000000-0000-0000-0000-%012d\n", i, 10 + i, i, i % 900, i }'
}
# wrong WHAT SQLSTATE LINE ROW: it is refused, and nothing is left.
wrong() {
    script wrong "$columns" < <(rows "$3" "$4")
    for way in "${ways[@]}"; do
        check_match "line $3: $1, $way" "ERROR:  $2: .* line $3[,:. ]|ERROR:  $2: row $3 " \
            "$(on main psql -XAtq -v VERBOSITY=verbose -c "$(restore wrong "$way")" 2>&1 | tr '\n' ' ')"
    done
    check "line $3: $1: nothing is left" 0 "$(sql main "SELECT count(*) FROM pg_class WHERE relname LIKE 'wrong%'")"
}
tab=$'\t'
good="1.5${tab}2024-01-01 00:00:00+00${tab}abc${tab}\\N"
wrong "no integer" 22P02 7777 "1${tab}x7${tab}b${tab}$good"
wrong "a key that is no integer" 22P02 7777 "1.5${tab}7${tab}b${tab}$good"
wrong "an integer out of range" 22003 9999 "1${tab}2147483648${tab}b${tab}$good"
wrong "an empty text for an integer" 22P02 10000 "1${tab}${tab}b${tab}$good"
wrong "a NULL where none may be" 23502 5000 "1${tab}7${tab}\\N${tab}$good"
wrong "a NULL key" 23502 5000 "\\N${tab}7${tab}b${tab}$good"
# Threads do not evaluate checks: they are made when the rows are there, which have no lines any more.
script wrong "$columns" < <(rows 6000 "1${tab}5${tab}b${tab}$good")
for way in "${ways[@]}"; do
    case $way in
        0*) said='ERROR:  23514: .* line 6000[,:. ]' ;;
        *) said='ERROR:  23514: check constraint "wrong_a_check" of relation "wrong_s000." is violated by some row DETAIL:  Failing row contains .1,5,b,1.5' ;;
    esac
    check_match "a value that breaks a check, $way" "$said" "$(on main psql -XAtq -v VERBOSITY=verbose -c "$(restore wrong "$way")" 2>&1 | tr '\n' ' ')"
    check "a value that breaks a check, $way: nothing is left" 0 "$(sql main "SELECT count(*) FROM pg_class WHERE relname LIKE 'wrong%'")"
done
wrong "a number that does not fit" 22003 4000 "1${tab}7${tab}b${tab}1000${tab}\\N${tab}\\N${tab}\\N"
wrong "a text that is too long" 22001 3000 "1${tab}7${tab}b${tab}1${tab}\\N${tab}abcdef${tab}\\N"
wrong "a time that there is not" 22008 2000 "1${tab}7${tab}b${tab}1${tab}2024-02-30 00:00:00+00${tab}a${tab}\\N"
wrong "no uuid" 22P02 1000 "1${tab}7${tab}b${tab}1${tab}\\N${tab}a${tab}0000"
wrong "a column too few" 22P04 7777 "1${tab}7${tab}b"
wrong "a column too many" 22P04 7777 "1${tab}7${tab}b${tab}$good${tab}"
wrong "an end of rows within a row" 22P04 6666 "1${tab}7${tab}a\\.b${tab}$good"
wrong "a byte that is no UTF-8" 22021 8888 "1${tab}7${tab}a"$'\xff'"b${tab}$good"
wrong "a character that is cut off at its field's end" 22021 8888 "1${tab}7${tab}a"$'\xc3'"${tab}$good"
wrong "a character that UTF-8 writes shorter" 22021 8889 "1${tab}7${tab}"$'\xc0\xaf'"${tab}$good"
wrong "half a surrogate" 22021 8889 "1${tab}7${tab}"$'\xed\xa0\x80'"${tab}$good"
wrong "a byte that is no UTF-8, escaped" 22021 8889 "1${tab}7${tab}a\\xffb${tab}$good"
wrong "a zero byte, escaped" 22021 8889 "1${tab}7${tab}a\\0b${tab}$good"
encoding=EUC_JP wrong "a byte that is no EUC_JP" 22021 3 "1${tab}7${tab}"$'a\xa4'"${tab}$good"
