#!/usr/bin/env bash
# Shards on other servers: a coordinator and three nodes, each a server of its own. A million rows are restored to 16 shards there, are
# equal to the backup, are where they belong, and stay there whatever is updated.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/nodes.sh"

server main
sql main "CREATE EXTENSION foreshard"
for node in n1 n2 n3; do
    node $node
    register $node
done

# The source: what TPC-C calls order_line, with everything that concerns another server.
sql main "CREATE DATABASE shop"
sql main "CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE lines (w int NOT NULL, o bigint NOT NULL, n int NOT NULL, item int, amount numeric(9, 2) CHECK (amount >= 0), at timestamptz, note text,
        twice int GENERATED ALWAYS AS (n * 2) STORED, PRIMARY KEY (w, o, n));
    CREATE INDEX lines_item ON lines (item) WITH (fillfactor = 80); CREATE INDEX lines_note ON lines (lower(note)) WHERE n > 1;
    COMMENT ON TABLE lines IS 'what was ordered';
    INSERT INTO lines SELECT i % 200, i / 10, i % 10, i % 1000, (i % 500) / 7.0, '2024-01-01'::timestamptz + i * interval '1 s',
        CASE WHEN i % 7 = 0 THEN NULL ELSE 'note ' || i END FROM generate_series(1, 1000000) i" shop
on main pg_dump -Fc -d shop -f "$(backups main)/shop.dump"
contents() { sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM $1 AS t" "${2:-postgres}"; }
expected=$(contents lines shop)

check "nodes are registered" "n1|n1 n2|n2 n3|n3" "$(sql main "SELECT string_agg(name || '|' || server, ' ' ORDER BY name) FROM foreshard.nodes")"
config='{"query_log": "off", "method": "hash", "shard_key": ["w"], "shard_count": 16}'
check "restored" "lines|hash|{w}|16|1000000" \
    "$(sql main "SET client_min_messages = error; SELECT relation, method, shard_key, shard_count, rows FROM restore_table('public.lines', '$(backups main)/shop.dump', '$config')")"
check "contents" "$expected" "$(contents lines)"
check "every row is where it belongs" "16|1000000|0|t" \
    "$(sql main "SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('lines')")"
check "all nodes have shards" "n1 n2 n3" "$(sql main "SELECT string_agg(DISTINCT node, ' ' ORDER BY node) FROM foreshard.shards")"

# What the shards have there, and what the table has here.
check "no shard on the coordinator" 0 "$(sql main "SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'lines'::regclass AND relkind <> 'f'")"
check "each shard has its keys, checks and indexes" "CHECK ((amount >= (0)::numeric))|PRIMARY KEY (w, o, n)|{fillfactor=80}|lower(note)" "$(there n1 "
    SELECT concat_ws('|', (SELECT string_agg(pg_get_constraintdef(oid), '|' ORDER BY contype) FROM pg_constraint WHERE conrelid = c.oid),
        (SELECT x.reloptions FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND x.reloptions IS NOT NULL),
        (SELECT pg_get_indexdef(indexrelid, 1, false) FROM pg_index WHERE indrelid = c.oid AND indpred IS NOT NULL))
    FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text LIKE 'foreshard%' LIMIT 1")"
check "a look-up asks one node" 1 "$(sql main "EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM lines WHERE w = 7 AND o = 1" | grep -c 'Foreign Scan')"
check "a sum by key is worked out there" 16 "$(sql main "SET enable_partitionwise_aggregate = on; EXPLAIN (VERBOSE, COSTS OFF) SELECT w, count(*) FROM lines GROUP BY w" | grep -c 'Remote SQL.*GROUP BY')"

# Traps. A key that is changed to one of another shard would be lost where look-ups do not find it: the node refuses it.
check_error "a changed key that belongs elsewhere is refused" '23514.*violates partition constraint' main "UPDATE lines SET w = w + 1 WHERE w = 7"
check "a changed column is not" 5000 "$(sql main "WITH u AS (UPDATE lines SET item = item + 1 WHERE w = 7 RETURNING 1) SELECT count(*) FROM u")"
check_error "a check holds there" '23514.*amount' main "INSERT INTO lines VALUES (1, -1, 1, 1, -5)"
check_error "so does the primary key" '23505' main "INSERT INTO lines SELECT w, o, n, item, amount FROM lines WHERE w = 7 LIMIT 1"
check_error "which the table does not know" '42P10' main "INSERT INTO lines VALUES (1, 1, 1) ON CONFLICT (w, o, n) DO NOTHING"
check "an insert finds its shard, with what is generated" "7|14" "$(sql main "INSERT INTO lines VALUES (11, -1, 7, 1, 5); SELECT n, twice FROM lines WHERE w = 11 AND o = -1")"
check "all rows are where they belong" "1000001|0|t" "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('lines')")"

# What does not commit here is not there. The schema goes with the last table.
tables() { for node in n1 n2 n3; do there $node "SELECT count(*) FROM pg_class WHERE relkind = 'p' AND relnamespace::regnamespace::text LIKE 'foreshard%'"; done | xargs; }
small='{"query_log": "off", "method": "hash", "shard_key": ["k"], "shard_count": 6}'
sql main "CREATE TABLE small (k int, j jsonb, t text[]); CREATE INDEX ON small (k); INSERT INTO small SELECT n, jsonb_build_object('n', n), ARRAY['a', NULL, n::text] FROM generate_series(1, 3000) n
    UNION ALL SELECT NULL, NULL, NULL" shop
on main pg_dump -Fc -d shop -t small -f "$(backups main)/small.dump"
restore_small="SELECT rows FROM restore_table('public.small', '$(backups main)/small.dump', '$small')"
quiet="SET client_min_messages = error"
check "before" "1 1 1" "$(tables)"
sql main "$quiet; BEGIN; $restore_small; ROLLBACK" >/dev/null
check "rolled back" "1 1 1" "$(tables)"
sql main "$quiet; BEGIN; SAVEPOINT s; $restore_small; ROLLBACK TO s; COMMIT" >/dev/null
check "rolled back to a savepoint" "1 1 1" "$(tables)"
check "released and committed" "3001" "$(sql main "$quiet; BEGIN; SAVEPOINT s; $restore_small; RELEASE s; COMMIT")"
check "there now" "2 2 2" "$(tables)"
check "values that only the server understands" "$(contents small shop)" "$(contents small)"
check_error "two-phase commit is refused" '0A000.*cannot PREPARE' main "$quiet; DROP TABLE small; BEGIN; $restore_small; PREPARE TRANSACTION 'x'"

# Dropped here: still there, until it is asked for. Another database's shards are not ours to sweep.
sql main "CREATE DATABASE other"
on main psql -Xq -d other -c "CREATE EXTENSION foreshard; CREATE EXTENSION postgres_fdw; CREATE SERVER n1 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '127.0.0.1', port '$(port n1)', dbname 'shards'); CREATE USER MAPPING FOR postgres SERVER n1 OPTIONS (user 'app', password 'secret of n1');
    SET client_min_messages = error; SELECT foreshard.add_node('n1', server => 'n1'); $restore_small" >/dev/null
check "another database's shards of the same name" "3 2 2" "$(tables)"
sql main "$quiet; DROP TABLE IF EXISTS small"
check_error "under an old snapshot it cannot be told what is in use" '0A000.*READ COMMITTED' main "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM foreshard.sweep_nodes()"
# A copy of this server does not know what became of later transactions.
for node in n1 n2 n3; do there $node "DO \$\$ DECLARE c record; BEGIN FOR c IN SELECT oid::regclass AS name, obj_description(oid) AS mark FROM pg_class WHERE relkind = 'p' AND obj_description(oid) LIKE '%public.small%' AND obj_description(oid) LIKE '{%'
    AND relname = 'small_' || (obj_description(oid)::json ->> 'transaction') AND relnamespace::regnamespace::text LIKE '%\_' || $(sql main "SELECT oid FROM pg_database WHERE datname = 'postgres'")
    LOOP EXECUTE format('COMMENT ON TABLE %s IS %L', c.name, c.mark::jsonb || '{\"server\": \"another\"}'); END LOOP; END \$\$"; done
check "another server's tables are left" "" "$(sql main "$quiet; SELECT node FROM foreshard.sweep_nodes()")"
check "swept" "n1|public.small n2|public.small n3|public.small" "$(sql main "SELECT string_agg(node || '|' || target, ' ' ORDER BY node) FROM foreshard.sweep_nodes(true)")"
check "what nothing refers to is gone" "2 1 1" "$(tables)"
check "the other database still has its rows" 3001 "$(sql main "SELECT count(*) FROM small" other)"

# Part here, part there; two levels; rows of a file.
sql main "$quiet; SELECT foreshard.add_node('here', tablespace => 'pg_default'); $restore_small" >/dev/null
check "part here, part there" "f r" "$(sql main "SELECT string_agg(DISTINCT relkind::text, ' ') FROM pg_class c JOIN foreshard.shards s ON c.oid = s.shard WHERE s.relation = 'small'::regclass")"
check "part here, part there: contents" "$(contents small shop)" "$(contents small)"
check "part here, part there: belong" "3001|0|t" "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('small')")"
levels='{"query_log": "off", "method": "hash", "shard_key": ["w"], "shard_count": 8, "within": {"method": "range", "shard_key": ["at"], "shard_count": 2}}'
sql main "CREATE TABLE few AS TABLE lines WITH NO DATA; INSERT INTO few SELECT * FROM lines WHERE o < 4000" shop
on main pg_dump -Fc -d shop -t few -f "$(backups main)/few.dump"
check "two levels" 39999 "$(sql main "$quiet; SELECT rows FROM restore_table('public.levels', '$(backups main)/few.dump', '{\"source\": \"public.few\", ${levels#\{}')")"
# Statistics are made of the rows that were read back: the same as ANALYZE makes of so few rows, which it samples all.
statistics() { sql main "SELECT tablename, attname, inherited, null_frac, avg_width, n_distinct, most_common_vals, most_common_freqs, histogram_bounds,
        CASE WHEN NOT inherited THEN correlation END FROM pg_stats WHERE tablename LIKE 'levels%' ORDER BY 1, 2, 3;
    SELECT relname, reltuples, CASE WHEN relkind = 'f' THEN relpages END FROM pg_class WHERE relname LIKE 'levels%' AND relkind IN ('f', 'r') ORDER BY 1"; }
made=$(statistics)
check "two levels: statistics of the table, its parts and its shards" "$((8 * (1 + 4 + 8)))" "$(sql main "SELECT count(*) FROM pg_stats WHERE tablename LIKE 'levels%'")"
sql main "ANALYZE levels"
check "two levels: as ANALYZE makes them" "$(statistics | grep -v '^levels|.*|t|')" "$(grep -v '^levels|.*|t|' <<<"$made")"
check "two levels: contents" "$(contents few shop)" "$(contents levels)"
check "two levels: belong" "39999|0|t" "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('levels')")"
on main psql -Xq -d shop -c "\\copy few (w, o, n, item, amount, at, note) TO '$(backups main)/few.csv' CSV"
check "rows of a file" "$(contents few shop)" "$(sql main "$quiet; CREATE TABLE model (LIKE lines INCLUDING ALL); SELECT rows FROM restore_table('public.filed', '$(backups main)/few.csv',
    '{\"format\": \"csv\", \"like\": \"public.model\", \"copy\": {\"columns\": [\"w\", \"o\", \"n\", \"item\", \"amount\", \"at\", \"note\"]}, ${config#\{}')" >/dev/null; contents filed)"

# Texts of a file mean on the nodes what they mean to the caller.
cat >"$(backups main)/times.csv" <<'CSV'
1,02.03.2024 04:05:06,01.02.2024
2,31.12.2023 23:59:59,31.12.2023
3,04.07.2024 00:00:00,04.07.2024
CSV
sql main "CREATE TABLE times (k int, at timestamptz, day date)"
for verify in checksum count; do
    check "times without a zone, days before months, verified by $verify" "1 2024-03-02 09:05:06+00 2024-02-01,2 2024-01-01 04:59:59+00 2023-12-31,3 2024-07-04 04:00:00+00 2024-07-04" "$(sql main "$quiet; SET timezone = 'America/New_York'; SET datestyle = 'German, DMY';
        SELECT rows FROM restore_table('public.timed', '$(backups main)/times.csv', '{\"format\": \"csv\", \"like\": \"public.times\", \"verify\": \"$verify\", \"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"k\"], \"shard_count\": 3, \"nodes\": [\"n1\", \"n2\"]}')" >/dev/null
        sql main "SET timezone = 'UTC'; SELECT string_agg(concat_ws(' ', k, at, day), ',' ORDER BY k) FROM timed; DROP TABLE timed")"
done

# A node in use stays; one without shards goes.
check_error "a node in use" '55006' main "SELECT foreshard.remove_node('n1')"
# A foreign server that is dropped with all that depends on it: the rows are on the node still, but not of the table any more.
check_error "a server with shards is not dropped by the way" '2BP01.*other objects depend' main "DROP SERVER n3"
sql main "$quiet; SELECT rows FROM restore_table('public.hashed', '$(backups main)/small.dump', '{\"source\": \"public.small\", ${small#\{}')" >/dev/null
lost=$(sql main "SELECT count(*) FROM foreshard.shards WHERE relation = 'hashed'::regclass AND node = 'n3'")
sql main "$quiet; DROP SERVER n3 CASCADE"
check "verify_table tells the shards that are gone" "$lost|n3|t" "$(sql main "SELECT count(*), min(node), bool_and(rows IS NULL) FROM foreshard.verify_table('hashed') WHERE NOT ok")"
sql main "DROP TABLE hashed, small"
check_error "a node without its server" 'foreshard.remove_node forgets a node' main "$quiet; $restore_small"
check "others are swept all the same" "n1 n2" "$(sql main "$quiet; SELECT string_agg(node, ' ' ORDER BY node) FROM foreshard.sweep_nodes() WHERE target = 'public.hashed'")"
check "it can be forgotten" "" "$(sql main "DROP TABLE lines, levels, filed; SELECT foreshard.remove_node('n3')")"

# No secret anywhere.
check "no secret in what is kept" 0 "$(on main pg_dump -d postgres --exclude-table-data=pg_user_mapping -n foreshard | grep -c 'secret of' || true)"
