# shellcheck shell=bash
# Clients that write to the table `orders` and do the same to its shadow, in the same transactions. Sourced after lib.sh by tests that have a
# server `main`.
#
#   make_orders ROWS              the source, and its copy in backups
#   restore_orders CONFIG         the table, its shadow, and what clients need
#   begin_load, end_load          clients that write until they are stopped
#   same 'what'                   every row is there once, in its place, equal to the shadow; no client saw an error
clients=4

make_orders() {
    sql main "CREATE TABLE source (id bigint PRIMARY KEY, customer int NOT NULL, region text NOT NULL, day date NOT NULL, note text, twice int GENERATED ALWAYS AS (customer * 2) STORED,
            CHECK (customer >= 0));
        CREATE INDEX source_note ON source (note) WITH (fillfactor = 80); COMMENT ON COLUMN source.note IS 'what was said';
        INSERT INTO source SELECT n, n % 997, (ARRAY['north', 'east', 'south', 'west'])[1 + n % 4], '2024-01-01'::date + n % 400,
            CASE WHEN n % 7 = 0 THEN NULL ELSE md5(n::text) END FROM generate_series(1, $1) n;
        -- Those whose key is changed, and back.
        INSERT INTO source SELECT 1000000 + n, n % 997, 'north', '2024-06-01', repeat('x', n) FROM generate_series(1, 1000) n"
}

restore_orders() {
    sql main "SET client_min_messages = error; DROP TABLE IF EXISTS orders, shadow;
        SELECT rows FROM restore_table('public.orders', 'table:public.source', '$1');
        CREATE TABLE shadow (LIKE source INCLUDING ALL); INSERT INTO shadow (id, customer, region, day, note) SELECT id, customer, region, day, note FROM source" >/dev/null
}

# Several rows in one transaction, a key that changes, rows that are deleted and come again, and those that are rolled back. A client has rows of
# its own, so that none waits for another in the wrong order.
cat >"$work/load.sql" <<'SQL'
\set a 8 * random(0, 900) + :client_id + 1
\set b 8 * random(0, 900) + :client_id + 1
\set c 1000000 + 8 * random(0, 120) + :client_id + 1
\set day random(0, 399)
BEGIN;
UPDATE orders SET customer = customer + 1 WHERE id IN (:a, :b);
UPDATE shadow SET customer = customer + 1 WHERE id IN (:a, :b);
DELETE FROM orders WHERE id = :b;
DELETE FROM shadow WHERE id = :b;
INSERT INTO orders (id, customer, region, day, note) VALUES (:b, :day, 'south', '2024-01-01'::date + :day, 'again ' || :a);
INSERT INTO shadow (id, customer, region, day, note) VALUES (:b, :day, 'south', '2024-01-01'::date + :day, 'again ' || :a);
UPDATE orders SET id = -id WHERE id IN (:c, -:c);
UPDATE shadow SET id = -id WHERE id IN (:c, -:c);
SAVEPOINT s;
DELETE FROM orders WHERE id = :a;
ROLLBACK TO s;
COMMIT;
SQL

begin_load() {
    rm -f "$work/stop" "$work/load.out"
    (while [ ! -e "$work/stop" ]; do on main pgbench -n -c $clients -t 50 -f "$work/load.sql" "$@" || break; done) >>"$work/load.out" 2>&1 &
    load=$!
    wait_until 60 main "SELECT count(*) > 0 FROM orders WHERE note LIKE 'again%'"
}

end_load() {
    touch "$work/stop"
    wait $load || true
}

contents() { sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM $1 AS t"; }

same() {
    end_load
    check "$1: no client saw an error" "" "$(grep -iE 'error|abort|fatal' "$work/load.out" | head -n 3 || true)"
    check "$1: every row is there once" "$(contents shadow)" "$(contents orders)"
    check "$1: every row is where it belongs" "0|t" "$(sql main "SELECT sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('orders')")"
    check "$1: nothing is left" "" "$(leftovers)"
}

# What a job makes for itself.
leftovers() {
    sql main "SELECT relname FROM pg_class WHERE relname ~ '_(shell|log)_[0-9]+_[0-9]+' AND relkind IN ('r', 'p')
        UNION ALL SELECT proname FROM pg_proc WHERE proname ~ '_log_[0-9]+_[0-9]+_'
        UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'foreshard%'
        UNION ALL SELECT conname FROM pg_constraint WHERE conname = 'foreshard_bound'
        UNION ALL SELECT relname FROM pg_class c WHERE relname ~ '^orders_[sp][0-9]' AND relkind = 'r' AND NOT relispartition"
}

# The state in which a job ends.
ended_as() { sql main "SELECT foreshard.wait_job($1, '300 s')"; }
shards() { sql main "SELECT string_agg(bound, ' ' ORDER BY bound) FROM foreshard.shards WHERE relation = 'orders'::regclass" | sed 's/FOR VALUES //g; s/modulus //g; s/remainder //g'; }
