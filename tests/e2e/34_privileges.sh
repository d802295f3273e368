#!/usr/bin/env bash
# Who may restore, and what a backup made by an enemy can do: no more than restore its table, with the caller's rights.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigserial PRIMARY KEY, customer int NOT NULL, note text)" shop
sql main "INSERT INTO orders (customer, note) SELECT n % 97, md5(n::text) FROM generate_series(1, 1000) n" shop
dir=$(backups main)
on main pg_dump -Fc -f "$dir/shop.dump" shop

sql main "CREATE EXTENSION foreshard"
for role in keeper no_files no_execute stranger watcher; do sql main "CREATE ROLE $role LOGIN"; done
# What sql/90_privileges.sql says.
for role in keeper no_files no_execute; do
    sql main "GRANT USAGE ON SCHEMA foreshard TO $role;
              GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO $role;
              GRANT EXECUTE ON FUNCTION restore_table TO $role;
              GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA foreshard TO $role;
              GRANT CREATE ON SCHEMA public TO $role"
done
sql main "GRANT pg_read_server_files TO keeper, no_execute; REVOKE EXECUTE ON FUNCTION restore_table FROM no_execute;
          GRANT pg_monitor TO watcher; GRANT CREATE ON SCHEMA public TO stranger"

as() { sql main "SET SESSION AUTHORIZATION $1; SET client_min_messages = error; $2"; }
refused() { check_error "$1" "ERROR:  $2" main "SET SESSION AUTHORIZATION $3; $4"; }

config='{"query_log": "off", "no_owner": true, "shard_key": ["customer"], "shard_count": 2}'
restore() { echo "SELECT rows FROM restore_table('public.orders', '$dir/$1', '$config')"; }

check "a role with what it needs restores" 1000 "$(as keeper "$(restore shop.dump)")"
check "and owns the table, its shards and its sequence" "orders|keeper
orders_id_seq|keeper
orders_s0000|keeper
orders_s0001|keeper" "$(sql main "SELECT relname, relowner::regrole FROM pg_class WHERE relname ~ '^orders' AND relkind IN ('r', 'p', 'S') ORDER BY 1")"
check "and verifies it" "2|1000|t" "$(as keeper "SELECT count(*), sum(rows), bool_and(ok) FROM foreshard.verify_table('orders')")"
check "and drops it" "" "$(as keeper "DROP TABLE orders")"

refused "without pg_read_server_files" "42501: permission denied to restore from a file" no_files "$(restore shop.dump)"
refused "not even to plan" "42501: permission denied to restore from a file" no_files \
    "SELECT * FROM foreshard.plan_restore('public.orders', '$dir/shop.dump', '$config')"
refused "nor to learn which files there are" "42501: permission denied to restore from a file" no_files "$(restore absent.dump)"
refused "without EXECUTE" "42501: permission denied for function restore_table" no_execute "$(restore shop.dump)"
refused "a stranger" "42501: permission denied" stranger "$(restore shop.dump)"
refused "into the catalog" "42501: permission denied" keeper \
    "SELECT * FROM restore_table('pg_catalog.orders', '$dir/shop.dump', '{\"source\": \"public.orders\", \"query_log\": \"off\"}')"
sql main "CREATE SCHEMA closed"
refused "into a schema where they may not create" "42501: permission denied for schema closed" keeper \
    "SELECT * FROM restore_table('closed.orders', '$dir/shop.dump', '{\"source\": \"public.orders\", \"query_log\": \"off\"}')"
check "what was refused left nothing" "0" "$(sql main "SELECT count(*) FROM pg_class WHERE relname ~ '^orders'")"

# What the database grants on every new table is for tables, not for their shards: these would lead past the table's
# grants and its row security.
sql main "ALTER DEFAULT PRIVILEGES FOR ROLE keeper GRANT SELECT, TRUNCATE ON TABLES TO stranger;
          ALTER DEFAULT PRIVILEGES FOR ROLE keeper IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC"
as keeper "$(restore shop.dump)" >/dev/null
check "default privileges hold for the table, and not for its shards" "orders|t|t
orders_s0000|f|f
orders_s0001|f|f" "$(sql main "SELECT relname, has_table_privilege('stranger', oid, 'SELECT'), has_table_privilege('stranger', oid, 'TRUNCATE')
    FROM pg_class WHERE relname ~ '^orders' AND relkind IN ('r', 'p') ORDER BY 1")"
check "the owner keeps its own" "2|1000|t" "$(as keeper "SELECT count(*), sum(rows), bool_and(ok) FROM foreshard.verify_table('orders')")"
as keeper "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON orders TO stranger USING (customer = 5)"
check "row security shows what it should" 11 "$(as stranger "SELECT count(*) FROM orders")"
refused "and a shard does not lead past it" "42501: permission denied for table orders_s0000" stranger "SELECT count(*) FROM orders_s0000"
as keeper "DROP TABLE orders"
sql main "ALTER DEFAULT PRIVILEGES FOR ROLE keeper REVOKE SELECT, TRUNCATE ON TABLES FROM stranger;
          ALTER DEFAULT PRIVILEGES FOR ROLE keeper IN SCHEMA public REVOKE SELECT ON TABLES FROM PUBLIC"

# What stands in plans, jobs and configs is for those it was granted to.
as keeper "$(restore shop.dump)" >/dev/null
for relation in _plans _jobs _tables _shards _nodes plans jobs tables shards nodes; do
    refused "a stranger does not read $relation" "42501: permission denied for schema foreshard" stranger \
        "SELECT * FROM foreshard.$relation"
done
for relation in _plans _jobs _tables plans; do
    refused "pg_monitor does not read $relation" "42501: permission denied" watcher "SELECT * FROM foreshard.$relation"
done
refused "nor explains plans" "42501: permission denied for function explain" watcher "SELECT foreshard.explain(1)"
check "but it watches tables" "orders|hash" "$(as watcher "SELECT relation, method FROM foreshard.tables")"
refused "nor restores" "42501: permission denied for function restore_table" watcher "$(restore shop.dump)"
as keeper "DROP TABLE orders"

# A superuser restores from a hostile script: the worst case. Everything around the table is bait.
sql main "CREATE TABLE victim (a int); INSERT INTO victim VALUES (1); CREATE SEQUENCE victim_seq; SELECT setval('victim_seq', 77);
          CREATE TABLE wanted (a int); CREATE PUBLICATION news FOR TABLE victim; CREATE ROLE quiet; CREATE TABLE log (who text);
          CREATE INDEX taken ON victim (a)" >/dev/null
cat >"$dir/hostile.sql" <<SQL
--
-- PostgreSQL database dump
--
\\! touch $dir/escaped
\\connect shop
\\o $dir/escaped
\\copy victim to program 'touch $dir/escaped'
SET ROLE quiet;
SET SESSION AUTHORIZATION quiet;
RESET SESSION AUTHORIZATION;
SET search_path = evil, public;
SET statement_timeout = 1;
CREATE SCHEMA evil;
CREATE FUNCTION evil.f() RETURNS int LANGUAGE sql AS 'DELETE FROM public.victim; SELECT 1';
CREATE FUNCTION public.harm() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN DELETE FROM public.victim; RETURN new; END\$\$;
CREATE EVENT TRIGGER evil ON ddl_command_end EXECUTE FUNCTION public.harm();
CREATE OPERATOR public.= (FUNCTION = int4ne, LEFTARG = int, RIGHTARG = int);
DO \$\$BEGIN DELETE FROM public.victim; END\$\$;
DROP TABLE public.victim;
DELETE FROM public.victim;
COPY public.victim TO PROGRAM 'touch $dir/escaped';
COPY public.victim FROM PROGRAM 'touch $dir/escaped';
ALTER ROLE quiet SUPERUSER;
ALTER SYSTEM SET work_mem = '1GB';
GRANT ALL ON public.victim TO PUBLIC;
CREATE SEQUENCE IF NOT EXISTS public.victim_seq;
CREATE TABLE public.orders (id bigint, customer int, note text);
ALTER SEQUENCE public.victim_seq OWNED BY public.orders.id;
SELECT pg_catalog.setval('public.victim_seq', 1, false);
SELECT pg_catalog.setval('public.victim_seq', (SELECT count(*) FROM public.harm()), false);
COPY public.victim (a) FROM stdin;
666
\\.
COPY public.orders (id, customer, note) FROM stdin;
1	1	one
2	2	two; DROP TABLE public.victim;
\\.
CREATE INDEX IF NOT EXISTS taken ON public.orders (note);
GRANT ALL ON TABLE public.orders, public.victim TO PUBLIC;
GRANT pg_execute_server_program TO quiet;
ALTER PUBLICATION news SET TABLE public.orders;
ALTER TABLE public.orders DISABLE ROW LEVEL SECURITY, ADD COLUMN b int DEFAULT 7;
ALTER TABLE public.orders RENAME TO victim2;
ALTER TABLE public.orders SET SCHEMA pg_catalog;
ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id, customer);
COMMENT ON TABLE public.victim IS 'harmed';
COMMENT ON TABLE public.orders IS 'restored';
SELECT public.harm();
SELECT pg_catalog.lo_export(1, '$dir/escaped');
--
-- PostgreSQL database dump complete
--
SQL
state() {
    sql main "SELECT 'victim', count(*), min(a) FROM victim"
    sql main "SELECT 'sequence', last_value, is_called FROM victim_seq"
    sql main "SELECT 'owned', count(*) FROM pg_depend WHERE objid = 'victim_seq'::regclass AND deptype = 'a'"
    sql main "SELECT 'functions', count(*) FROM pg_proc WHERE proname IN ('harm', 'f')"
    sql main "SELECT 'schemas', string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace"
    sql main "SELECT 'event triggers', count(*) FROM pg_event_trigger"
    sql main "SELECT 'roles', string_agg(rolname || rolsuper, ' ' ORDER BY rolname) FROM pg_roles"
    sql main "SELECT 'members', count(*) FROM pg_auth_members"
    sql main "SELECT 'grants', relacl FROM pg_class WHERE oid = 'victim'::regclass"
    sql main "SELECT 'publication', string_agg(prrelid::regclass::text, ' ' ORDER BY prrelid) FROM pg_publication_rel"
    sql main "SELECT 'comment', obj_description('victim'::regclass)"
    sql main "SELECT 'index', indrelid::regclass FROM pg_index WHERE indexrelid = 'public.taken'::regclass"
    sql main "SELECT 'operators', count(*) FROM pg_operator WHERE oprnamespace = 'public'::regnamespace"
    echo "files $(ls "$dir" | grep -c escaped || true)"
    echo "settings $(sql main "SELECT count(*) FROM pg_file_settings WHERE sourcefile ~ 'auto.conf'")"
}
before=$(state)
check_error "an index that would hide behind one of that name is refused" '\[42P07\] relation "taken" already exists' main \
    "$(restore hostile.sql)"
check "and nothing has happened" "$before" "$(state)"
sed -i '/INDEX IF NOT EXISTS taken/d' "$dir/hostile.sql"
check_error "so is a sequence" "42P07: relation \"victim_seq\" already exists" main "$(restore hostile.sql)"
check "and nothing has happened again" "$before" "$(state)"
sed -i '/SEQUENCE IF NOT EXISTS/d' "$dir/hostile.sql"
check "the rest is restored, from a superuser's hands" 2 "$(sql main "SET client_min_messages = error; $(restore hostile.sql)")"
check "its rows are there" "1|1|one
2|2|two; DROP TABLE public.victim;" "$(sql main "TABLE orders ORDER BY id")"
check "its comment too" restored "$(sql main "SELECT obj_description('orders'::regclass)")"
check "and nothing else has happened" "$before" "$(state)"
sql main "DROP TABLE orders"

# A backup cannot give its caller what only another may do.
cat >"$dir/owner.sql" <<SQL
CREATE TABLE public.orders (id bigint, customer int, note text);
ALTER TABLE public.orders OWNER TO postgres;
COPY public.orders (id, customer, note) FROM stdin;
1	1	one
\\.
SQL
refused "an owner that the caller may not give it" "42501: must be member of role" keeper "$(restore owner.sql | sed 's/"no_owner": true, //')"
check "is left out on request" 1 "$(as keeper "$(restore owner.sql)")"
as keeper "DROP TABLE orders"

# Names that other roles put before the server's own: in public, which is searched first by them, and in pg_temp.
as stranger "CREATE FUNCTION public.count(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log VALUES (current_user); RETURN 1; END';
    CREATE FUNCTION public.note() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log VALUES (current_user); RETURN 1; END';
    CREATE FUNCTION public.eq(oid, oid) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM public.note(); RETURN true; END';
    CREATE FUNCTION public.eq(name, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM public.note(); RETURN true; END';
    CREATE FUNCTION public.eq(int, int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM public.note(); RETURN true; END';
    CREATE FUNCTION public.setval(regclass, bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN PERFORM public.note(); RETURN 1; END';
    CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN PERFORM public.note(); RETURN pg_catalog.now(); END';
    CREATE OPERATOR public.= (FUNCTION = public.eq, LEFTARG = oid, RIGHTARG = oid);
    CREATE OPERATOR public.= (FUNCTION = public.eq, LEFTARG = name, RIGHTARG = text);
    CREATE OPERATOR public.= (FUNCTION = public.eq, LEFTARG = int, RIGHTARG = int);
    CREATE TABLE public.pg_class (oid oid, relname name, relnamespace oid, relkind \"char\");
    CREATE TABLE public.pg_roles (rolname name)"
sql main "GRANT INSERT ON log TO PUBLIC"
bait="SET search_path = pg_temp, public, pg_catalog; CREATE TEMP TABLE pg_namespace (oid oid, nspname name);
      CREATE TEMP TABLE pg_attribute (attrelid oid, attname name); CREATE TEMP TABLE orders (a int)"
check "shadows in public and pg_temp are not looked at" 1000 \
    "$(sql main "SET client_min_messages = error; $bait; $(restore shop.dump | sed 's/FROM restore_table/FROM public.restore_table/')")"
check "and their functions not called" 0 "$(sql main "SELECT pg_catalog.count(*) FROM log")"
check "nor by the verification" "2|t" "$(sql main "$bait; SELECT pg_catalog.count(*), bool_and(ok) FROM foreshard.verify_table('public.orders')")"
check "nor by the views" "2|2" "$(sql main "$bait; SELECT shard_count, (SELECT pg_catalog.count(*) FROM foreshard.shards) FROM foreshard.tables")"
check "still not called" 0 "$(sql main "SELECT pg_catalog.count(*) FROM log")"

# What a role may write of, which the monitor and the workers of jobs act by.
sql main "CREATE TABLE others (k int)"
refused "the shards of another's table" "42501: permission denied for foreshard._shards" keeper "INSERT INTO foreshard._shards VALUES ('others', 'others', 0, 'a', '{}')"
refused "a policy for it" "42704" keeper "SELECT foreshard.set_policy('others', '{\"auto_reshard\": \"on\"}')"
refused "a job of another" "42501: permission denied for foreshard._jobs" keeper \
    "INSERT INTO foreshard._jobs (kind, target, state, started_by, started_at) VALUES ('split', 'public.others', 'running', 'postgres', now())"
refused "the job of another" "42501" keeper "UPDATE foreshard._jobs SET started_by = 'postgres'"
