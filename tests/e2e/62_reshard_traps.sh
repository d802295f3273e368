#!/usr/bin/env bash
# What makes online changes of a table's shape go wrong, each tried: old snapshots, foreign keys both ways, text keys, readers that do not end, DDL
# and drops in the middle, tables without keys, publications, other roles.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/load.sh"

server main --preload pg_stat_statements --conf "wal_level = logical"
sql main "CREATE EXTENSION foreshard"
make_orders 4000
hash='{"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 2}'
paused() { wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard job' AND query = 'paused at $1')"; }
go_on() { sql main "UPDATE foreshard._reshards SET pause_at = NULL WHERE job_id = $job"; }
split_at() { job=$(sql main "SET foreshard.pause_at = '$1'; SELECT foreshard.split_shard('$2')"); paused "$1"; }

any_shard() { sql main "SELECT shard FROM foreshard.shards WHERE relation = 'orders'::regclass ORDER BY shard::text LIMIT 1"; }

# A transaction whose snapshot is older than the copied rows, and that has not touched the table yet: it must see all of them.
restore_orders "$hash"
mkfifo "$work/old"
(on main psql -XAtq <"$work/old" >"$work/old.out" 2>&1) &
exec 7>"$work/old"
echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM source; SELECT pg_advisory_lock(1);" >&7
wait_until 60 main "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 1)"
before=$(sql main "SELECT count(*) FROM orders")
job=$(sql main "SELECT foreshard.split_shard('orders_s0000')")
wait_until 60 main "SELECT step = 'switch' FROM foreshard._reshards WHERE job_id = $job"
check "the switch waits for an old snapshot" running "$(sql main "SELECT foreshard.wait_job($job, '1 s')")"
sql main "DELETE FROM orders WHERE id % 10 = 1"
echo "SELECT count(*) FROM orders; COMMIT;" >&7
check "and goes on without it" "done" "$(ended_as "$job")"
exec 7>&-
wait $! || true
check "which has seen all rows" "$before" "$(tail -n 1 "$work/old.out")"
check_error "a job cannot be waited for under such a snapshot" '0A000.*READ COMMITTED' main "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT foreshard.wait_job($job)"

# A reader that does not end delays the switch, and nobody else for long: every attempt gives up in time.
restore_orders "$hash"
mkfifo "$work/reader"
(on main psql -XAtq <"$work/reader" >"$work/reader.out" 2>&1) &
exec 7>"$work/reader"
echo "BEGIN; SELECT count(*) FROM orders; SELECT pg_advisory_lock(2);" >&7
wait_until 60 main "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 2)"
# Triggers are made beside readers; the switch is not.
job=$(sql main "SELECT foreshard.split_shard('orders_s0000')")
wait_until 60 main "SELECT attempts >= 3 FROM foreshard.jobs WHERE job_id = $job"
sql main "UPDATE orders SET customer = customer + 1 WHERE id < 100; UPDATE shadow SET customer = customer + 1 WHERE id < 100"
echo "COMMIT;" >&7
exec 7>&-
wait $! || true
check "a long reader: the switch is tried until it is gone" "done" "$(ended_as "$job")"
check "a long reader: every row is there once" "$(contents shadow)" "$(contents orders)"

# One at a time.
restore_orders "$hash"
split_at copy orders_s0000
check_error "a second job of the same table" '55006.*is being changed by job' main "SELECT foreshard.split_shard('orders_s0001')"
check_error "a restore of the same table" '55006' main "SELECT foreshard.plan_restore('public.orders', 'table:public.source', '$hash')"
go_on
check "the first one is not disturbed" "done" "$(ended_as "$job")"

# DDL in the middle is met before the switch, and all is undone.
restore_orders "$hash"
for ddl in "ALTER TABLE orders ADD COLUMN extra int" "CREATE INDEX ON orders (customer)" "ALTER TABLE orders_s0000 SET (fillfactor = 70)" "ALTER TABLE orders ADD CHECK (customer < 1000000)"; do
    split_at switch orders_s0000
    sql main "$ddl"
    go_on
    check "the table is changed meanwhile: $ddl" "failed" "$(ended_as "$job")"
    check_match "and why is told" 'was changed while its shards were copied' "$(sql main "SELECT message FROM foreshard.jobs WHERE job_id = $job")"
    check "nothing is left" "" "$(leftovers)"
done
check "changed before, it is split as it is" "done" "$(ended_as "$(sql main "SELECT foreshard.split_shard('orders_s0000')")")"
check "with what was changed" "orders_s0002 extra {fillfactor=70} 3|orders_s0003 extra {fillfactor=70} 3" "$(sql main "SELECT string_agg(concat_ws(' ', c.relname, a.attname, c.reloptions, (SELECT count(*) FROM pg_index WHERE indrelid = c.oid)), '|' ORDER BY c.relname)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'extra' WHERE c.relname IN ('orders_s0002', 'orders_s0003')")"

# Truncated in the middle.
restore_orders "$hash"
split_at catch_up orders_s0000
sql main "TRUNCATE orders; INSERT INTO orders (id, customer, region, day) SELECT n, n, 'new', '2024-01-01' FROM generate_series(1, 300) n;
    TRUNCATE shadow; INSERT INTO shadow (id, customer, region, day) SELECT n, n, 'new', '2024-01-01' FROM generate_series(1, 300) n"
go_on
check "truncated meanwhile" "done" "$(ended_as "$job")"
check "truncated meanwhile: what came after is there" "$(contents shadow)" "$(contents orders)"

# Dropped in the middle: the table, the extension.
restore_orders "$hash"
split_at copy orders_s0000
sql main "DROP TABLE orders"
go_on
check "the table is dropped meanwhile" "failed" "$(ended_as "$job")"
check "nothing is left" "" "$(leftovers)"
restore_orders "$hash"
split_at catch_up orders_s0000
sql main "SET client_min_messages = error; DROP EXTENSION foreshard"
sql main "UPDATE orders SET customer = customer + 1"
wait_until 60 main "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard job')"
check "the extension is dropped meanwhile: nothing is left" "" "$(leftovers)"
check "and the table works" 5000 "$(sql main "SELECT count(*) FROM orders")"
sql main "DROP TABLE orders; CREATE EXTENSION foreshard"

# Foreign keys: those of the table stay in force, before, during and after; those of others stop it.
restore_orders "$hash"
sql main "CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT DISTINCT customer FROM orders; INSERT INTO customers VALUES (99999);
    ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers ON DELETE RESTRICT"
sql main "INSERT INTO orders (id, customer, region, day) VALUES (500000, 99999, 'x', '2024-01-01'), (500001, 99999, 'x', '2024-01-01'), (500002, 99999, 'x', '2024-01-01')"
split_at catch_up "$(sql main "SELECT tableoid::regclass FROM orders WHERE id = 500000")"
sql main "DELETE FROM orders WHERE customer = 99999"
check "what is copied and gone does not hold what it referred to" "" "$(sql main "DELETE FROM customers WHERE id = 99999")"
go_on
check "a foreign key" "done" "$(ended_as "$job")"
check_error "holds afterwards" '23503.*of_customer' main "INSERT INTO orders (id, customer, region, day) SELECT n, 88888, 'x', '2024-01-01' FROM generate_series(600000, 600100) n"
check_error "both ways" '23503' main "DELETE FROM customers WHERE id = 5"
check "is one of the table, on every shard" "3 t" "$(sql main "SELECT count(*) || ' ' || bool_and(convalidated AND conparentid <> 0)::text::char FROM pg_constraint WHERE contype = 'f' AND conrelid IN (SELECT shard FROM foreshard.shards)")"
sql main "CREATE TABLE items (id int, order_id bigint REFERENCES orders)"
check_error "a table that others refer to" '0A000.*other tables refer' main "SELECT foreshard.split_shard('$(any_shard)')"
sql main "DROP TABLE items"

# Triggers, policies and grants of the table reach the new shards; what one shard has for itself is refused.
sql main "CREATE ROLE app LOGIN; GRANT SELECT, INSERT, UPDATE ON orders TO app; ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON orders USING (region <> 'secret');
    CREATE TABLE seen (id bigint); GRANT INSERT ON seen TO app; CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END';
    CREATE TRIGGER see AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION see()"
split_at catch_up "$(any_shard)"
on main psql -XAtqU app -c "INSERT INTO orders (id, customer, region, day) SELECT n, 1, 'south', '2024-01-01' FROM generate_series(700001, 700020) n" -d postgres
go_on
check "triggers and policies: written by one who has no rights on the log" "done" "$(ended_as "$job")"
on main psql -XAtqU app -c "INSERT INTO orders (id, customer, region, day) SELECT n, 1, 'south', '2024-01-01' FROM generate_series(700021, 700040) n" -d postgres
check "the trigger fires once a row, before and after" "40 40" "$(sql main "SELECT count(*) || ' ' || count(DISTINCT id) FROM seen WHERE id BETWEEN 700001 AND 700040")"
check "and the rows are there" 40 "$(sql main "SELECT count(*) FROM orders WHERE id BETWEEN 700001 AND 700040")"
shard=$(any_shard)
sql main "CREATE TRIGGER lonely AFTER INSERT ON $shard FOR EACH ROW EXECUTE FUNCTION see()"
check_error "a trigger of one shard" '0A000.*has what the new ones would not have' main "SELECT foreshard.split_shard('$shard')"
sql main "DROP TRIGGER lonely ON $shard"
# A job works on a table as its owner, whoever began it; and not for everyone.
sql main "CREATE FUNCTION whoami(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.ran_as VALUES (current_user); RETURN \$1; END'; CREATE TABLE ran_as (who name); GRANT INSERT ON ran_as TO PUBLIC; GRANT CREATE ON SCHEMA public TO app"
sql main "ALTER TABLE orders OWNER TO app; ALTER TABLE $shard OWNER TO app; ALTER TABLE customers OWNER TO app; ALTER TABLE $shard ADD CHECK (whoami(region) IS NOT NULL); TRUNCATE ran_as"
check "another role's table" "done" "$(ended_as "$(sql main "SELECT foreshard.split_shard('$shard')")")"
check "what the owner has put there ran as the owner" "app" "$(sql main "SELECT string_agg(DISTINCT who, ' ') FROM ran_as")"
check "and the new shards are the owner's" "app" "$(sql main "SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE oid IN (SELECT shard FROM foreshard.shards WHERE relation = 'orders'::regclass ORDER BY shard DESC LIMIT 2)")"
sql main "CREATE ROLE other LOGIN; GRANT USAGE ON SCHEMA foreshard TO other; GRANT ALL ON ALL TABLES IN SCHEMA foreshard TO other; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO other"
check_error "a role that is not the owner" '42501.*must be owner' main "SET ROLE other; SELECT foreshard.split_shard('$(any_shard)')"

# Subscribers see a table, not its shards.
restore_orders "$hash"
sql main "CREATE PUBLICATION everything FOR ALL TABLES"
check_error "a publication of all tables" '0A000.*subscribers of everything' main "SELECT foreshard.split_shard('orders_s0000')"
sql main "DROP PUBLICATION everything; CREATE PUBLICATION one FOR TABLE orders WITH (publish_via_partition_root = true)"
sql main "SELECT pg_create_logical_replication_slot('s', 'pgoutput')" >/dev/null
check "published through the table" "done" "$(ended_as "$(sql main "SELECT foreshard.split_shard('orders_s0000')")")"
# A relation is told to the subscriber before its first row.
check "and subscribers are told of no other table" "" "$(sql main "SELECT DISTINCT substring(convert_from(data, 'SQL_ASCII') from 'orders_[a-z0-9_]+') FROM (
    SELECT decode(replace(encode(data, 'hex'), '00', '20'), 'hex') AS data FROM pg_logical_slot_get_binary_changes('s', NULL, NULL, 'proto_version', '1', 'publication_names', 'one')) AS x WHERE get_byte(data, 0) = 82 AND position('orders_' in encode(data, 'escape')) > 0")"
sql main "SELECT pg_drop_replication_slot('s')" >/dev/null
sql main "DROP PUBLICATION one"

# Keys of texts: the switch does not read the rows, under any collation. With replica identity, a deferrable key, and a table without any.
sql main "CREATE TABLE words (w text NOT NULL, n int NOT NULL, note text, CONSTRAINT words_key UNIQUE (w, n) INCLUDE (note)); ALTER TABLE words REPLICA IDENTITY USING INDEX words_key;
    INSERT INTO words SELECT 'word ' || n, n, repeat(md5(n::text), 200) FROM generate_series(1, 3000) n; CREATE TABLE bare AS SELECT n AS k FROM generate_series(1, 100) n"
sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.texts', 'table:public.words', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"w\"], \"shard_count\": 2}')" >/dev/null
# The server says whether it believes a bound or reads the rows; those that are empty yet do not matter.
sql main "ALTER ROLE postgres SET log_min_messages = debug1"
check "text keys" "done" "$(ended_as "$(sql main "SELECT foreshard.split_shard('texts_s0000')")")"
sql main "ALTER ROLE postgres RESET log_min_messages"
check "text keys: their bounds are believed under the lock" "implied implied" "$(awk '/constraint for table "texts_s000[23]" is implied by existing/ { print "implied"; locked = 1 } locked && /verifying table "texts_/ { print "read" }' "$work/main/log" | xargs)"
check "text keys: the replica identity and the long values are there" "i i i 3000" "$(sql main "SELECT string_agg(relreplident::text, ' ') || ' ' || (SELECT count(*) FROM texts WHERE length(note) = 6400) FROM pg_class WHERE oid IN (SELECT shard FROM foreshard.shards WHERE relation = 'texts'::regclass)")"
sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.keyless', 'table:public.bare', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"k\"], \"shard_count\": 2}')" >/dev/null
check_error "a table without a key" '0A000.*without a key' main "SELECT foreshard.split_shard('keyless_s0000')"

# What cannot be.
check_error "three parts" '22023.*cannot be split into 3 parts' main "SELECT foreshard.split_shard('orders_s0001', '{\"parts\": 3}')"
check_error "parts that are no halves of one" '22023.*do not fit together' main "SELECT foreshard.merge_shards(ARRAY['orders_s0001', 'orders_s0002']::regclass[])"
check_error "an unknown field" '22023.*unknown config field "part"' main "SELECT foreshard.split_shard('orders_s0001', '{\"part\": 2}')"
check_error "a node that is not there" '42704.*node "nowhere"' main "SELECT foreshard.move_shard('orders_s0001', 'nowhere')"
check_error "no shard" '42809.*is not a shard' main "SELECT foreshard.split_shard('shadow')"
check_error "no job" '42704.*job 999999' main "SELECT foreshard.wait_job(999999)"
