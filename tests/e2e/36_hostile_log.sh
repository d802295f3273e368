#!/usr/bin/env bash
# Query logs that nobody would write: every entry is counted, with its reason where it is not understood; the server stands,
# and plans by what is left as if the rest were not there. Then a log and a schema so large that planning takes its time: it
# ends when it is asked to.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE customers (id bigint PRIMARY KEY, name text);
          CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, note text);
          INSERT INTO customers SELECT n, n FROM generate_series(1, 500) n;
          INSERT INTO orders SELECT n, n % 500 + 1, repeat(md5(n::text), 30) FROM generate_series(1, 20000) n" shop
dir=$(backups main)
on main pg_dump -Fc -f "$dir/shop.dump" shop
sql main "CREATE EXTENSION foreshard"

sql main "CREATE TABLE good (queryid bigint, query text, calls float8, total_exec_time float8, rows bigint);
          INSERT INTO good VALUES (1, 'SELECT * FROM orders WHERE customer = \$1', 60000, 6000, 600000), (2, 'SELECT * FROM orders WHERE id = \$1', 6000, 600, 6000),
              (3, 'SELECT name FROM customers WHERE id = \$1', 20000, 2000, 20000), (4, 'INSERT INTO orders VALUES (\$1, \$2, \$3)', 9000, 900, 9000)"
# Bytes that no encoding made, as a foreign table of a SQL_ASCII database brings them.
sql main "CREATE CAST (bytea AS text) WITHOUT FUNCTION"

sql main "CREATE TABLE hostile (expected text, query text)"
# Each line: what becomes of it, and the text. Nothing: it is understood.
sql main "INSERT INTO hostile SELECT '', q FROM (VALUES
    ('SELECT * FROM orders WHERE note = ''' || repeat('x', 100000) || ''''),
    ('SELECT * FROM orders WHERE note IN (' || (SELECT string_agg('\$' || n, ', ') FROM generate_series(1, 50000) n) || ')'),
    ('SELECT * FROM orders WHERE ' || (SELECT string_agg('id = ' || n, ' OR ') FROM generate_series(1, 10000) n)),
    ('SELECT * FROM orders WHERE ' || (SELECT string_agg('id <> ' || n, ' AND ') FROM generate_series(1, 10000) n)),
    ('SELECT ' || (SELECT string_agg('id AS c' || n, ', ') FROM generate_series(1, 20000) n) || ' FROM orders'),
    ('INSERT INTO orders VALUES ' || (SELECT string_agg('(\$1, \$2, \$3)', ', ') FROM generate_series(1, 20000) n)),
    ('SELECT 1 FROM ' || (SELECT string_agg('orders o' || n, ', ') FROM generate_series(1, 400) n)),
    ('WITH ' || (SELECT string_agg(format('c%s AS (SELECT * FROM %s)', n, CASE WHEN n = 1 THEN 'orders' ELSE 'c' || n - 1 END), ', ' ORDER BY n)
        FROM generate_series(1, 300) n) || ' SELECT * FROM c300 WHERE id = \$1'),
    ((SELECT string_agg('SELECT id FROM orders WHERE id = \$1', '; ') FROM generate_series(1, 1000) n)),
    ('SELECT * FROM ' || repeat('x', 5000)), ('SELECT 1; SELECT 2;;; ; SELECT 3'), ('BEGIN'), ('VACUUM orders'), ('SET work_mem = ''1GB'''),
    ('CREATE TABLE x AS SELECT * FROM orders'), ('PREPARE p AS SELECT * FROM orders WHERE id = \$1'), ('EXECUTE p(1)'), ('FETCH 100 FROM c'),
    ('DECLARE c CURSOR FOR SELECT * FROM orders WHERE customer = \$1'), ('EXPLAIN ANALYZE DELETE FROM orders'), ('COPY orders TO STDOUT'),
    ('DO \$x\$ BEGIN DELETE FROM orders; END \$x\$'), ('CALL f(\$1)'), ('SELECT interval \$1, \$2 || \$999999999'), ('/* ' || repeat('/* */', 10000) || '*/ SELECT 1'),
    ('SELECT * FROM orders AS \"' || repeat('ü', 1000) || '\" WHERE note = U&''\\00e4'''), (U&'SELECT '' \\+01F600 \\202e '' FROM orders')) v (q)"
sql main "INSERT INTO hostile SELECT 'nested too deeply', q FROM (VALUES
    ('SELECT ' || repeat('(', 50000) || '1' || repeat(')', 50000)), ('SELECT * FROM orders WHERE ' || repeat('NOT ', 20000) || 'true'),
    ('SELECT ' || repeat('(SELECT ', 5000) || '1' || repeat(')', 5000)), ('SELECT 1' || repeat(' + id', 10000) || ' FROM orders'),
    ('SELECT 1' || repeat(' UNION SELECT 1', 10000)), ('SELECT * FROM orders WHERE ' || repeat('EXISTS (SELECT 1 FROM orders WHERE ', 2000) || 'true' || repeat(')', 2000)),
    ('SELECT * FROM orders' || repeat(' JOIN orders USING (id)', 5000)), ('SELECT ' || repeat('f(', 9000) || repeat(')', 9000)),
    ('SELECT CASE WHEN true THEN ' || repeat('CASE WHEN id = 1 THEN ', 3000) || '1' || repeat(' END', 3001) || ' FROM orders'),
    ('SELECT ' || repeat('ARRAY[', 4000) || '1' || repeat(']', 4000)), ('SELECT 1' || repeat('::text', 20000)), ('SELECT a' || repeat('[1]::int[]', 5000))) v (q)"
sql main "INSERT INTO hostile SELECT 'text is cut off', left(q, n) FROM (VALUES
    ('SELECT * FROM orders WHERE customer = ', 99), ('SELECT * FROM orders WHERE note = ''it was', 99), ('SELECT * FROM \"ord', 99), ('SELECT * FROM orders /* as', 99),
    ('SELECT \$body\$ as', 99), ('UPDATE orders SET', 99), ('SELECT (((', 99), ('SELECT U&''a', 99), ('SELECT B''0', 99), ('SELECT * FROM orders WHERE id IN (' || repeat('\$1, ', 50000), 100000)) v (q, n)"
sql main "INSERT INTO hostile VALUES ('empty text', ''), ('empty text', E' \n\t '), ('empty text', ';;; ;'), ('empty text', '-- nothing'), ('empty text', '/* nothing */'),
    ('text is not kept', NULL), ('text is hidden from this role', '<insufficient privilege>'),
    ('syntax error', '\\d orders'), ('syntax error', '\\copy orders from x'), ('syntax error', 'SELEC 1'), ('syntax error', 'orders'), ('syntax error', repeat(')', 100000)),
    ('text is cut off', 'SELECT * FROM orders WHERE id = ?'), ('text is cut off', '\$\$'), ('syntax error', 'COPY orders FROM stdin; 1 2 3'), ('syntax error', E'\\x01\\x02'), ('syntax error', 'SELECT 1 LIMIT ALL ALL'),
    ('syntax error', 'SELECT \"\"'), ('invalid escape', 'SELECT E''\\xff'''), ('syntax error', 'SELECT E''\\uD800'''),
    ('text is not valid UTF-8', ('\\x53454c454354202720ff27'::bytea)::text), ('text is not valid UTF-8', ('\\x53454c45435420e4'::bytea)::text),
    ('text is not valid UTF-8', ('\\xc0'::bytea || decode(repeat('ff', 100000), 'hex'))::text)"
sql main "CREATE TABLE bad AS SELECT row_number() OVER () + 100 AS queryid, expected, query, 1::float8 AS calls, 1::float8 AS total_exec_time, 1::float8 AS rows FROM hostile;
          INSERT INTO bad VALUES (2001, 'calls are negative or no number', 'SELECT 1', 'NaN', 1, 1), (2002, 'calls are negative or no number', 'SELECT 1', '-Infinity', 1, 1),
              (2003, 'calls are negative or no number', 'SELECT 1', -5, 'NaN', 'NaN'), (2004, 'calls are negative or no number', 'SELECT 1', NULL, NULL, NULL),
              (2005, 'calls are negative or no number', 'SELECT 1', 'Infinity', 'Infinity', 'Infinity'), (2006, '', 'SELECT * FROM orders', 0, 0, 0), (2007, '', 'SELECT 1', 1, 'Infinity', -7)"
# Ids that stand for several texts: of those that can be read the longest counts.
sql main "CREATE TABLE log AS SELECT queryid, query, calls, total_exec_time, rows::float8 FROM good UNION ALL SELECT queryid, query, calls, total_exec_time, rows FROM bad
          UNION ALL SELECT 1, 'SELECT * FROM orders WHERE cust', 0, 0, 0 UNION ALL SELECT 1, NULL, 0, 0, 0 UNION ALL SELECT 3, query, calls, 0, 0 FROM good WHERE queryid = 3"

# The choice by a log. A hang would be an error of the test.
plan() {
    sql main "SET client_min_messages = error; SET statement_timeout = '10min'; ${2:-}
              SELECT method, shard_key, shard_count FROM foreshard.plan_restore('public.orders', '$dir/shop.dump', '{\"query_log\": \"$1\", \"growth\": 2}') WHERE chosen"
}
coverage() { sql main "SELECT plan -> 'coverage' FROM foreshard._plans ORDER BY id DESC LIMIT 1"; }
good=$(plan good)
check "the good statements alone" "hash|{customer}|4" "$good"
for stack in 100kB 2MB 7MB; do
    check "among hostile ones, with a stack of $stack" "$good" "$(plan log "SET max_stack_depth = '$stack';")"
done
reasons=$(sql main "SELECT expected || ': ' || count(*) FROM bad WHERE expected <> '' GROUP BY expected ORDER BY 1")
check "each is counted with its reason" "$reasons" "$(sql main "SELECT (n ->> 'reason') || ': ' || (n ->> 'statements')
    FROM jsonb_array_elements('$(coverage)'::jsonb -> 'not_understood') n ORDER BY n ->> 'reason'")"
check "and all together" "$(sql main "SELECT count(*) + 4 FROM bad")" "$(sql main "SELECT '$(coverage)'::jsonb -> 'statements'")"
check "the server has not fallen" 0 "$(grep -c 'was terminated by signal\|PANIC' "$work/main/log" || true)"

# A backend that thinks can still be stopped.
sql main "CREATE DATABASE app"
on main psql -XAtq -d app -f "$(dirname -- "$0")/fixtures/large.sql"
sql main "SET client_min_messages = warning; SELECT large.tables(400)" app >/dev/null
on main pg_dump -Fc -s -N large -f "$dir/app.dump" app
on main psql -XAtq -f "$(dirname -- "$0")/fixtures/large.sql"
sql main "SET client_min_messages = warning; SELECT large.log(10000, 400)" >/dev/null

# Cancels a plan when it says that it begins to think, and shows what it said and how it ended. One that was faster than the
# cancel is met again.
meet() {
    local try line
    for try in 1 2 3 4 5 6 7 8 9 10; do
        : >"$work/said"
        mkfifo "$work/pipe"
        (eval "$(cluster_env "$work/main")" && PGAPPNAME=thinker exec psql -XAtq -v VERBOSITY=verbose -c "SET client_min_messages = debug1" \
            -c "SELECT count(*) FROM foreshard.plan_restore('public.t3', '$dir/app.dump', '{\"query_log\": \"large.log\", \"profile\": \"off\"}')") \
            >"$work/pipe" 2>&1 &
        while IFS= read -r line; do
            printf '%s\n' "$line" >>"$work/said"
            [[ $line != *"planning public.t3"* ]] || sql main "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'thinker'" >/dev/null
        done <"$work/pipe"
        wait $! || true
        rm "$work/pipe"
        grep -q "planned public.t3" "$work/said" || break
    done
    grep -oE "(DEBUG: .*(analysing|planning|planned)|ERROR: .*)" "$work/said" || true
}
check "cancelled while it plans" "DEBUG:  00000: analysing
DEBUG:  00000: planning
ERROR:  57014: canceling statement due to user request" "$(meet)"
check "nothing is left of it" "0|0" "$(sql main "SELECT count(*), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') FROM foreshard._plans WHERE target = 'public.t3'")"
check "it plans when it is let" t "$(sql main "SET client_min_messages = error;
    SELECT count(*) > 0 FROM foreshard.plan_restore('public.t3', '$dir/app.dump', '{\"query_log\": \"large.log\", \"profile\": \"off\"}')")"
