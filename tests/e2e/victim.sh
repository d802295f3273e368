# shellcheck shell=bash
# A restore that runs in a session of its own, to be met in the middle of its work. Sourced after lib.sh by tests that
# have a server `main`, a backup named by $backup, and in $restore the call of restore_table for public.orders.

# All that a restore could leave: relations, types, ledger rows, advisory locks, files.
traces() {
    sql main "CHECKPOINT"
    sql main "SELECT count(*) FROM pg_class"
    sql main "SELECT count(*) FROM pg_type"
    sql main "SELECT count(*) FROM foreshard._plans"
    sql main "SELECT count(*) FROM foreshard._jobs"
    sql main "SELECT count(*) FROM foreshard._tables"
    sql main "SELECT count(*) FROM foreshard._shards"
    sql main "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    # What shows a restore that is under way.
    sql main "SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp', true, false) AS f WHERE f LIKE '%foreshard%'"
    # Files that belong to no relation.
    sql main "SELECT string_agg(f, ' ') FROM pg_ls_dir('base/' || (SELECT oid FROM pg_database
              WHERE datname = current_database())) f WHERE f ~ '^[0-9]+\$' AND pg_filenode_relation(0, f::oid) IS NULL"
}

# Processes that read our backup, and processes that the victim's backend has not waited for.
children() { ps -eo args= | grep -F "$backup" | grep -v -e grep -e psql -e '^postgres:' || true; }

begin() {
    cat >"$work/victim.sql" <<SQL
SELECT pg_backend_pid() AS pid \gset
\setenv BACKEND :pid
$1
$restore;
\! echo "children left: \$(ps -o pid=,stat=,args= --ppid \$BACKEND)"
SQL
    (eval "$(cluster_env "$work/main")" && PGAPPNAME=victim exec psql -XAtq -v VERBOSITY=verbose -f "$work/victim.sql") \
        >"$work/victim.out" 2>&1 &
    victim=$!
}

backend() { sql main "SELECT pid FROM pg_stat_activity WHERE application_name = 'victim' AND backend_type = 'client backend'
                          AND query LIKE '%restore_table%' ORDER BY backend_start DESC LIMIT 1"; }

# Which phase is the victim in? As foreshard.jobs tells.
phase() {
    case $(sql main "SELECT phase FROM foreshard.jobs JOIN pg_stat_activity USING (pid) WHERE jobs.state = 'running' AND application_name = 'victim'") in
        starting) echo definitions ;;
        profiling) echo profile ;;
        loading) echo load ;;
        verifying) echo verify ;;
        finishing) echo indexes ;;
        analyzing) echo analyze ;;
        *) echo between ;;
    esac
}

# Rows whose places an archive does not tell, since it was written to a pipe: pg_restore reads them during the load as well.
piped_backup() { on main pg_dump -Fc -Z1 "$1" | cat >"$2"; }

alive() { sql main "SELECT true" 2>/dev/null || true; }
wait_alive() {
    local deadline=$((SECONDS + 60))
    until [ "$(alive)" = t ]; do
        [ $SECONDS -lt $deadline ] || { echo "the server did not come back"; return 1; }
        sleep 0.1
    done
}

forget() {
    sql main "DROP TABLE IF EXISTS orders; TRUNCATE foreshard._plans, foreshard._jobs, foreshard._tables, foreshard._shards"
}

# strike PHASE COMMAND...: brings the victim into a phase and runs the command, for which $pid is its backend. Looking and
# striking take longer than some phases last: a victim that got away, or was through before the command could end it, is
# begun again. Sets `since`, milliseconds, to the time of the blow.
strike() {
    for _ in $(seq 20); do
        begin ""
        while kill -0 $victim 2>/dev/null; do
            [ "$(phase)" = "$1" ] || continue
            pid=$(backend) since=$(date +%s%3N)
            [ -n "$pid" ] || continue
            "${@:2}" >/dev/null 2>&1 || continue
            wait_alive
            ended "$pid"
            wait $victim || true
            grep -qx "$rows" "$work/victim.out" || return 0
        done
        wait $victim || true
        wait_alive
        forget
    done
    echo "never struck in the phase $1"
    return 1
}

# hold PHASE: brings the victim into a phase in which it reads, and keeps it there until release.
hold() {
    for _ in $(seq 20); do
        begin ""
        while kill -0 $victim 2>/dev/null; do
            [ "$(phase)" = "$1" ] || continue
            pid=$(backend)
            [ -n "$pid" ] || continue
            # Both may be gone meanwhile.
            child=$(ps -o pid= --ppid "$pid" | head -n 1 | tr -d " " || true)
            [ -n "$child" ] && kill -STOP "$child" 2>/dev/null || continue
            # One that has ended meanwhile cannot be stopped, though it can be sent the signal.
            case $(ps -o stat= -p "$child" || true) in T*) return 0 ;; esac
        done
        wait $victim || true
        forget
    done
    echo "never held in the phase $1"
    return 1
}
release() { kill -CONT "$child"; }

# Protects a test against a restore that cannot be stopped. A stop takes milliseconds, or seconds where a node is silent at its COMMIT.
hangs_after=60

# Waits for the end of the victim's statement; sets `took` to milliseconds since `since`.
ended() {
    while sql main "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active'" | grep -q 1; do
        [ $(($(date +%s%3N) - since)) -lt $((hangs_after * 1000)) ] || break
        sleep 0.01
    done
    took=$(($(date +%s%3N) - since))
}

