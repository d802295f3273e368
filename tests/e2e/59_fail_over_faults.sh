#!/usr/bin/env bash
# A fail-over that is killed or cancelled at each of its steps: there is the old layout or the new one, and after a sweep writes go on, copies follow,
# and nothing is left.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/copies.sh"

# Whatever is killed in the middle: the old layout, or the new one; afterwards a sweep lets writes in again and copies follow.
check "restored anew" "$rows" "$(restore orders '')"
following
shard=$(sql main "SELECT shard FROM foreshard.shards WHERE node = 'n1' ORDER BY 1 LIMIT 1")
table=$(sql main "SELECT schema || '.' || name FROM (SELECT max(option_value) FILTER (WHERE option_name = 'schema_name') AS schema, max(option_value) FILTER (WHERE option_name = 'table_name') AS name
    FROM pg_foreign_table, pg_options_to_table(ftoptions) WHERE ftrelid = '$shard'::regclass) o")
copy=$(sql main "SELECT node FROM foreshard.replicas WHERE shard = '$shard'::regclass")
some=$(sql main "SELECT id FROM $shard LIMIT 1")
# hold NODE DATABASE SQL: a session that keeps what the statements lock.
hold() {
    coproc holder { on "$1" psql -XAtq -d "$2"; }
    echo "$3; SELECT 'held';" >&"${holder[1]}"
    local got; until [ "${got:-}" = held ]; do read -r got <&"${holder[0]}"; done
}
let_go() { [ -z "${holder_PID:-}" ] || { kill "$holder_PID" 2>/dev/null; wait "$holder_PID" 2>/dev/null || true; }; }
victim() { (on main psql -XAtq -c "$quiet; SET application_name = 'victim'; SELECT foreshard.fail_over('n1')" >"$work/victim.out" 2>&1) & victim=$!; }
pid() { sql main "SELECT pid FROM pg_stat_activity WHERE application_name = 'victim'"; }
waits() { wait_until 60 "$1" "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '$2')"; }
comes_back() { wait $victim || true; local n; for n in $(seq 600); do [ "$(sql main "SELECT true" 2>/dev/null)" != t ] || return 0; sleep 0.1; done; return 1; }
by_backend() { kill -KILL "$(pid)"; comes_back; }
by_server() { crash main; start main; comes_back; }
by_cancel() { sql main "SELECT pg_cancel_backend($(pid))" >/dev/null; comes_back; }
# judge WHAT LAYOUT
judge() {
    let_go
    for node in n1 n2 n3; do wait_until 60 $node "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'foreshard'"; done
    check "$1: the layout" "$2" "$(layout)"
    [ "$3" = by_cancel ] || sql main "$quiet; SELECT foreshard.sweep_nodes()" >/dev/null
    check "$1: writes" 60 "$(writes)"
    if [ "$2" = "$old" ]; then
        following
        check "$1: verified" "6|t" "$(verified orders)"
    fi
}
old=$(layout)
for hows in "by_backend by_server by_backend" "by_cancel by_cancel by_cancel"; do
    # shellcheck disable=SC2086 # words
    set -- $hows
    hold n1 shards "BEGIN; UPDATE $table SET note = note WHERE id = $some"; victim; waits n1 'CREATE TRIGGER%'; $1
    judge "$1 while writers are waited for" "$old" "$1"
    hold "$copy" shards "BEGIN; LOCK TABLE $table IN ACCESS EXCLUSIVE MODE"; sql main "UPDATE orders SET note = note || '!' WHERE id = $some"; victim
    wait_until 60 n1 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'foreshard' AND query LIKE '%pg_sleep%')"; $2
    judge "$2 while copies catch up" "$old" "$2"
    hold main postgres "BEGIN; SELECT count(*) FROM orders"; victim; waits main '%fail_over%'; $3
    judge "$3 while sessions are waited for" "$old" "$3"
done
# The commit is done, and what is not needed any more cannot be dropped. It is on disk, though this server does not wait for its commits.
check "commits are not waited for" off "$(sql main "SHOW synchronous_commit")"
new=$(sql main "SELECT string_agg(s.shard || '@' || CASE s.node WHEN 'n1' THEN r.node ELSE s.node END, ' ' ORDER BY s.shard::text) FROM foreshard.shards s JOIN foreshard.replicas r USING (shard)")
hold "$copy" shards "BEGIN; LOCK TABLE pg_catalog.pg_subscription_rel IN SHARE MODE"; victim; waits "$copy" '%DROP SUBSCRIPTION%'; by_backend
judge "by_backend after the commit" "$new" by_backend
check "the new layout" 0 "$(sql main "SELECT count(*) FROM foreshard.shards WHERE node = 'n1'")"
check "what is not needed any more is swept" "0|0" "$(there n1 "SELECT count(*), (SELECT count(*) FROM pg_replication_slots) FROM pg_publication")"
check "and the node rejoins" "2|t" "$(sql main "SELECT count(*), bool_and(ok) FROM foreshard.rejoin('n1')")"
sql main "DROP TABLE orders; SELECT foreshard.sweep_nodes()" >/dev/null

