#!/usr/bin/env bash
# A coordinator and two nodes: one of the three is killed, hangs, or has no room, in each phase of a restore. Afterwards there is an error
# with its cause, nothing on any node that the next restore does not sweep away, and that restore works.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/nodes.sh"
. "$(dirname -- "$0")/victim.sh"

rows=${ROWS:-100000}
server main --conf "synchronous_commit = on"
node n1
node n2
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text)" shop
sql main "CREATE INDEX ON orders (note)" shop
sql main "INSERT INTO orders SELECT n, n % 9973, md5(n::text) FROM generate_series(1, $rows) n" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -Z1 -f "$backup" shop
sql main "CREATE EXTENSION foreshard"
register n1
register n2
restore="SELECT rows FROM restore_table('public.orders', '$backup',
    '{\"query_log\": \"off\", \"shard_key\": [\"id\"], \"method\": \"hash\", \"shard_count\": 4}')"
expected=$(sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM orders AS t" shop)

tables() { for node in n1 n2; do sql $node "SELECT count(*) FROM pg_class WHERE relkind = 'p' AND relnamespace::regnamespace::text LIKE 'foreshard%'" shards; done | xargs; }
schemas() { for node in n1 n2; do sql $node "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'foreshard%'" shards; done | xargs; }
# A victim that got away has left a table, which victim.sh drops; its shards are to be swept.
eval "$(declare -f forget | sed '1s/forget/forget_here/')"
forget() {
    # shellcheck disable=SC2046 # words
    as_root kill -CONT $(processes n2) 2>/dev/null || true
    forget_here 2>/dev/null && sql main "SELECT count(*) FROM foreshard.sweep_nodes()" >/dev/null
}
# Sessions on the nodes end when they notice.
settle() {
    local deadline=$((SECONDS + 60))
    for node in n1 n2; do
        until [ "$(sql $node "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shards' AND application_name = 'foreshard'")" = 0 ] || [ $SECONDS -ge $deadline ]; do sleep 0.1; done
    done
}
# judge WHAT: nothing of it is here, and a restore works that finds what is there.
judge() {
    settle
    check "$1: nothing is here" "0|0|0" "$(sql main "SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE 'orders%'), (SELECT count(*) FROM foreshard._tables), (SELECT count(*) FROM foreshard._shards)")"
    check "$1: the next restore works" "$rows" "$(sql main "SET client_min_messages = error; $restore")"
    check "$1: and finds only its own tables there" "1 1" "$(tables)"
    check "$1: contents" "$expected" "$(sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM orders AS t")"
    forget
    check "$1: nothing is there after a sweep" "0 0" "$(schemas)"
}

kill_backend() { kill -KILL "$pid"; }
crash_main() { crash main && start main; }
crash_node() { crash n2 && start n2; }
for where in load indexes verify; do
    strike $where kill_backend
    judge "backend killed while in $where"
    strike $where crash_main
    judge "coordinator killed while in $where"
done
for where in load indexes verify; do
    strike $where crash_node
    check_match "node killed while in $where: told" 'ERROR:  (08006|57P01|57P02|08001)|server closed the connection|terminating connection' "$(cat "$work/victim.out")"
    judge "node killed while in $where"
done

# One that hangs: the restore waits, and can be cancelled while the node goes on being silent.
freeze() { as_root kill -STOP $(processes n2) && sleep 0.5 && sql main "SELECT pg_cancel_backend($pid)"; }
for where in load indexes; do
    strike $where freeze
    check "hung node while in $where: can be cancelled" yes "$([ "$took" -lt $((hangs_after * 1000)) ] && echo yes || echo "not within $hangs_after s")"
    printf '# hung node while in %s: ended after %s ms\n' $where "$took"
    check_match "hung node while in $where: told" 'ERROR:  57014' "$(cat "$work/victim.out")"
    as_root kill -CONT $(processes n2)
    judge "hung node while in $where"
done

# One that is not there.
stop n2
check_error "a node that is down" '08001.*could not connect to node "n2"' main "$restore"
start n2
settle
check "a node that is down: nothing on the other" "0 0" "$(schemas)"

# One that has no room: the cause is the node's own.
as_root mkdir -p "$work/n2/full"
if (as_root mount -t tmpfs -o size=4m,mode=777 tmpfs "$work/n2/full") 2>/dev/null; then
    as_server mkdir "$work/n2/full/space"
    sql n2 "CREATE TABLESPACE small LOCATION '$work/n2/full/space'"
    sql n2 "GRANT CREATE ON TABLESPACE small TO app; ALTER ROLE app SET default_tablespace = small"
    check_error "no room on a node" '53100.*node "n2".*No space left' main "$restore"
    sql n2 "ALTER ROLE app RESET default_tablespace"
    judge "no room on a node"
else
    echo "# no file system may be mounted here: a node without room is not tested"
fi

# Who may: no superuser without a password of their own, none without USAGE, nobody through the server's own trust.
sql main "CREATE ROLE clerk LOGIN; GRANT pg_read_server_files TO clerk; GRANT USAGE ON SCHEMA foreshard TO clerk; GRANT CREATE ON SCHEMA public TO clerk;
    GRANT ALL ON ALL TABLES IN SCHEMA foreshard TO clerk; GRANT USAGE ON ALL SEQUENCES IN SCHEMA foreshard TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO clerk;
    GRANT EXECUTE ON FUNCTION restore_table TO clerk"
clerks=${restore/\{/\{\"no_owner\": true, }
check_error "without USAGE and a mapping" '2 problems|4 problems' main "SET ROLE clerk; $clerks"
sql main "GRANT USAGE ON FOREIGN SERVER n1, n2 TO clerk; CREATE USER MAPPING FOR clerk SERVER n1 OPTIONS (user 'app'); CREATE USER MAPPING FOR clerk SERVER n2 OPTIONS (user 'app')"
check_error "without a password" '2F003.*password is required' main "SET ROLE clerk; $clerks"
as_server sed -i '1i host all app 127.0.0.1/32 trust' "$work/n1/data/pg_hba.conf"; sql n1 "SELECT pg_reload_conf()" >/dev/null
sql main "ALTER USER MAPPING FOR clerk SERVER n1 OPTIONS (ADD password 'secret of n1'); ALTER USER MAPPING FOR clerk SERVER n2 OPTIONS (ADD password 'secret of n2')"
check_error "a node that does not ask for it" '2F003.*password is required' main "SET ROLE clerk; $clerks"
as_server sed -i 1d "$work/n1/data/pg_hba.conf"; sql n1 "SELECT pg_reload_conf()" >/dev/null
sleep 0.5
check "with one" "$rows" "$(sql main "SET ROLE clerk; SET client_min_messages = error; $clerks")"
check_error "a wrong one" '08001.*could not connect to node "n1"' main "DROP TABLE orders; ALTER USER MAPPING FOR clerk SERVER n1 OPTIONS (SET password 'wrong'); SET ROLE clerk; $clerks"
for log in main n1 n2; do check "no secret in the log of $log" 0 "$(as_server grep -v -e 'USER MAPPING' -e 'CREATE ROLE' "$work/$log/log" | grep -c 'secret of' || true)"; done
