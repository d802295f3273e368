#!/usr/bin/env bash
# Scratch clusters: one directory holds the data, the socket, the log and the tablespaces of one server, and nothing of
# it outlives `remove`. Run it (`scripts/cluster.sh create /tmp/x`), or source it and call cluster_create and so on.
#
# A server listens on a unix socket in its own directory, which only its user may enter. With --tcp it listens on
# 127.0.0.1 as well and asks for the password in DIR/password. Durability is off unless --durable: a killed server
# loses nothing, a killed machine would. With --network it runs in a network namespace, as on a machine of its own, and
# listens on an address there.
#
#   create DIR [--preload LIST] [--conf 'name = value']... [--conf-file FILE] [--tcp] [--durable] [--network NAMESPACE ADDRESS]
#   start | stop | kill | restart DIR       kill: SIGKILL to all its processes, as a crash
#   env DIR                                 export PGHOST=… for libpq clients
#   tablespace DIR NAME                     makes and prints a directory for CREATE TABLESPACE or add_node
#   remove DIR                              stop and delete
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

cluster_create() {
    local dir=$1 preload="" tcp=no durable=no network="" address=127.0.0.1 conf=() bindir user
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --preload) preload=$2; shift 2 ;;
            --conf) conf+=("$2"); shift 2 ;;
            --conf-file) conf+=("$(cat "$2")"); shift 2 ;;
            --tcp) tcp=yes; shift ;;
            --durable) durable=yes; shift ;;
            --network) tcp=yes network=$2 address=$3; shift 3 ;;
            *) die "unknown option of create: $1" ;;
        esac
    done
    [ ! -e "$dir" ] || die "$dir exists already"
    bindir=$(pg_bindir) || return
    user=$(server_user)
    install -d -m 700 "$dir"
    (umask 077 && head -c 18 /dev/urandom | base64 >"$dir/password")
    if [ "$user" != "$(id -un)" ]; then
        chown "$user" "$dir" "$dir/password"
    fi
    as_server mkdir -p "$dir/socket" "$dir/tablespaces"
    # Backups come from a client, which may be another user than the server.
    mkdir "$dir/backups" && chmod 777 "$dir/backups"
    quietly as_server "$bindir/initdb" -D "$dir/data" -U postgres --pwfile="$dir/password" \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync || return
    {
        echo "unix_socket_directories = '$dir/socket'"
        [ $tcp = yes ] && echo "listen_addresses = '$address'" || echo "listen_addresses = ''"
        echo "shared_preload_libraries = '$preload'"
        echo "max_connections = 60"
        echo "shared_buffers = '256MB'"
        echo "max_wal_size = '4GB'"
        echo "max_worker_processes = 24"
        echo "logging_collector = off"
        echo "log_line_prefix = '%m [%p] %b %d '"
        [ $durable = yes ] || printf '%s\n' "fsync = off" "full_page_writes = off" "synchronous_commit = off"
        [ ${#conf[@]} = 0 ] || printf '%s\n' "${conf[@]}"
    } | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
    if [ -n "$network" ]; then
        echo "$network" | as_server tee "$dir/network" >/dev/null
        echo "host all all samenet scram-sha-256" | as_server tee -a "$dir/data/pg_hba.conf" >/dev/null
    fi
    # Another process can take a free port before the server does; later starts keep it, as a node's address must be.
    local try
    for try in 1 2 3; do
        free_port | as_server tee "$dir/port" >/dev/null
        if cluster_start "$dir"; then return 0; fi
        grep -q 'Address already in use' "$dir/log" || break
    done
    return 1
}

# Nobody listens on 127.0.0.1:$1.
port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range that the kernel gives to outgoing connections, and off the ports of Debian's own clusters.
free_port() {
    local port
    while :; do
        port=$((RANDOM % 10000 + 20000))
        port_is_free $port && echo $port && return
    done
}

cluster_start() {
    local dir=$1 bindir where=(as_server)
    bindir=$(pg_bindir) || return
    [ ! -e "$dir/network" ] || where=(as_server_in "$(cat "$dir/network")")
    "${where[@]}" "$bindir/pg_ctl" -D "$dir/data" -l "$dir/log" -o "-p $(cat "$dir/port")" -w -t 60 -s start \
        >/dev/null 2>&1 </dev/null && return
    tail -n 30 "$dir/log" >&2
    printf 'error: the server in %s did not start\n' "$dir" >&2
    return 1
}

cluster_stop() {
    local dir=$1 bindir
    bindir=$(pg_bindir) || return
    [ ! -e "$dir/data/postmaster.pid" ] || as_server "$bindir/pg_ctl" -D "$dir/data" -m fast -w -t 60 -s stop
}

cluster_restart() { cluster_stop "$1" && cluster_start "$1"; }

# A crash: every process of this server by its id, nothing by name. The children are listed first, since they change
# their parent when the postmaster is gone.
cluster_kill() {
    local dir=$1 postmaster pids
    postmaster=$(head -n 1 "$dir/data/postmaster.pid") || return
    kill -STOP "$postmaster"
    pids=$(awk -v parent="$postmaster" '{ sub(/^.*\) /, ""); if ($2 == parent) print FILENAME }' /proc/[0-9]*/stat 2>/dev/null |
        cut -d/ -f3) || true # a process that has ended meanwhile
    kill -KILL "$postmaster" $pids
    # A new server refuses to start while one of them still holds the shared memory.
    while kill -0 "$postmaster" $pids 2>/dev/null; do sleep 0.05; done
}

cluster_env() {
    local dir=$1
    printf 'export PGHOST=%q PGPORT=%q PGUSER=postgres PGDATABASE=postgres PGPASSWORD=%q\n' \
        "$dir/socket" "$(cat "$dir/port")" "$(cat "$dir/password")"
}

cluster_tablespace() {
    as_server mkdir -p "$1/tablespaces/$2"
    echo "$1/tablespaces/$2"
}

cluster_remove() {
    local dir=$1
    [ -d "$dir" ] || return 0
    if [ -e "$dir/data/postmaster.pid" ]; then
        # One that a test has frozen hears nothing.
        local postmaster
        postmaster=$(head -n 1 "$dir/data/postmaster.pid")
        # shellcheck disable=SC2046 # words
        as_root kill -CONT $(ps -o pid= --ppid "$postmaster" -p "$postmaster") 2>/dev/null || true
        as_server "$(pg_bindir)/pg_ctl" -D "$dir/data" -m immediate -w -t 60 -s stop || true
    fi
    as_server rm -rf "$dir/data"
    rm -rf "$dir"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    case ${1:-} in
        create | start | stop | kill | restart | env | tablespace | remove)
            command=$1
            shift
            [ $# -gt 0 ] || die "$command needs a directory"
            "cluster_$command" "$@"
            ;;
        *)
            sed -n '2,/^\. /{/^#/s/^# \{0,1\}//p}' "$0"
            exit 2
            ;;
    esac
fi
