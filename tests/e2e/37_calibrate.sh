#!/usr/bin/env bash
# A calibration and the processes that work for it, stopped from outside in each of the ways there are: nothing of them is
# left, and the next one works.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements
sql main "CREATE EXTENSION foreshard"
sql main "CREATE TABLESPACE measured LOCATION '$(tablespace main measured)'"
sql main "SELECT foreshard.add_node('a', tablespace => 'measured')"
clients="FROM pg_stat_activity WHERE backend_type = 'foreshard calibration client'"

# All that could be left: relations, locks, the files of the tablespace.
traces() {
    sql main "SELECT count(*) FROM pg_class"
    sql main "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    as_server find "$work/main/tablespaces/measured" -type f -size +0 | wc -l
}

begin() {
    (eval "$(cluster_env "$work/main")" && PGAPPNAME=leader exec psql -XAtq -v VERBOSITY=verbose \
        -c "SELECT count(*) FROM foreshard.calibrate('a', '$1')") >"$work/leader.out" 2>&1 &
    leader=$!
    wait_until 60 main "SELECT count(*) = 4 $clients"
}

judge() {
    wait $leader || true
    check_match "$1: says so" "$2" "$(cat "$work/leader.out")"
    wait_until 60 main "SELECT count(*) = 0 $clients"
    sql main "CHECKPOINT"
    check "$1: nothing is left" "$before" "$(traces)"
}

sql main "CHECKPOINT"
before=$(traces)
long='{"seconds": 60, "clients": 4}'

begin "$long" "cancel"
sql main "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'leader'" >/dev/null
judge "cancel" '57014'
begin "$long" "terminate"
sql main "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leader'" >/dev/null
judge "terminate" '57P01'
begin "$long" "client gone"
kill -INT $leader
judge "client gone" '57014'
check "nothing was kept of them" 0 "$(sql main "SELECT count(*) FROM foreshard._calibrations")"

# Whoever works for it may be ended: the others go on, and so does the calibration.
begin '{"seconds": 4, "clients": 4}' "worker ended"
check "one of the workers is ended" "t" "$(sql main "SELECT pg_terminate_backend(min(pid)) $clients")"
check_error "two at once" "ERROR:  55006: another calibration is running" main "SELECT foreshard.calibrate('a')"
judge "worker ended" '^7$'
check "what came out is kept" 1 "$(sql main "SELECT count(*) FROM foreshard.nodes WHERE reads_per_second > 0")"

# It goes with the database, and says nothing of another server.
on main pg_dump -Fc -f "$(backups main)/whole.dump" postgres
sql main "CREATE DATABASE again"
on main pg_restore --exit-on-error -d again "$(backups main)/whole.dump"
check "dump and restore keep it" "$(sql main "SELECT name, reads_per_second, calibrated_at FROM foreshard.nodes")" \
    "$(sql main "SELECT name, reads_per_second, calibrated_at FROM foreshard.nodes" again)"
server other
sql other "CREATE TABLESPACE measured LOCATION '$(tablespace other measured)'"
sql other "CREATE DATABASE again"
on other pg_restore --exit-on-error -d again "$(backups main)/whole.dump"
check "on another server it is not shown" "a||1" "$(sql other "SELECT name, reads_per_second, (SELECT count(*) FROM foreshard._calibrations) FROM foreshard.nodes" again)"

# No free place for a worker.
server full --conf 'max_worker_processes = 1'
sql full "CREATE EXTENSION foreshard; SELECT foreshard.add_node('a')"
check "no place for workers" t "$(sql full "SELECT note ~ 'max_worker_processes left none free' FROM foreshard.calibrate('a', '{\"seconds\": 0.5}') WHERE measure = 'writes'")"
