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
                          AND query LIKE '%restore_table%'"; }

# Which phase is the victim in? Seen from outside, by its child and its locks.
phase() {
    local pid child locks
    pid=$(backend)
    [ -n "$pid" ] || { echo none; return; }
    child=$(ps -o args= --ppid "$pid" || true)
    case $child in *--schema-only*) echo definitions; return ;; esac
    locks=$(sql main "SELECT count(*) FILTER (WHERE mode = 'AccessExclusiveLock' AND locktype = 'relation') > 0,
                             EXISTS (SELECT FROM pg_stat_progress_create_index WHERE pid = $pid)
                      FROM pg_locks WHERE pid = $pid")
    case "$locks $child" in
        f*--data-only*) echo profile ;;
        t*--data-only*) echo load ;;
        t\|t*) echo indexes ;;
        t\|f*) echo verify ;;
        *) echo between ;;
    esac
}

# Brings the victim into a phase. Looking takes longer than some phases last: then look again.
meet() {
    local seen
    for _ in 1 2 3 4 5; do
        begin ""
        while kill -0 $victim 2>/dev/null; do
            seen=$(phase)
            [ "$seen" != "$1" ] || return 0
        done
        wait $victim || true
        sql main "DROP TABLE IF EXISTS orders; TRUNCATE foreshard._plans, foreshard._jobs, foreshard._tables, foreshard._shards"
    done
    echo "never met the phase $1"
    return 1
}

