# shellcheck shell=bash
# Other servers that shards of the server `main` live on. Sourced after lib.sh.
#
#   node NAME [options of scripts/cluster.sh create]    a new server with a role `app`, who logs in by "secret of NAME", and its database `shards`
#   copying_node NAME                                   one that nodes may copy from and to: `app` is a superuser there, and let in without a password
#   register NAME [OPTIONS [ARGUMENTS]]                 makes it a node of `main`: further options of its foreign server (", name 'value'"), and
#                                                       further arguments of add_node (", zone => 'x'")
#   there NAME SQL                                      what its database of shards says
#   processes NAME                                      of a server, to be stopped and continued

node() {
    server "$1" --tcp "${@:2}"
    house "$1"
}

# The role and the database, on a server that is there.
house() {
    sql "$1" "CREATE ROLE app LOGIN PASSWORD 'secret of $1'"
    sql "$1" "CREATE DATABASE shards OWNER app"
}

copying_node() { subscriber "$1" && let_in "$1"; }
# Not let in yet.
subscriber() {
    node "$1" --conf "wal_level = logical" --conf "max_replication_slots = 20" --conf "max_wal_senders = 20" --conf "max_logical_replication_workers = 12" \
        --conf "synchronous_commit = on" --conf "wal_retrieve_retry_interval = 200ms"
    sql "$1" "ALTER ROLE app SUPERUSER"
}

# Whoever says that he is app.
let_in() {
    as_server sed -i '1i host all app 127.0.0.1/32 trust' "$work/$1/data/pg_hba.conf"
    sql "$1" "SELECT pg_reload_conf()" >/dev/null
}

# Of a server that is not on this machine's own address, far_server knows it.
register() {
    local host=127.0.0.1
    [ ! -e "$work/$1.address" ] || host=$(address "$1")
    sql main "SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS postgres_fdw;
        CREATE SERVER $1 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$(port "$1")', dbname 'shards'${2:-});
        CREATE USER MAPPING FOR postgres SERVER $1 OPTIONS (user 'app', password 'secret of $1');
        SELECT foreshard.add_node('$1', server => '$1'${3:-})" >/dev/null
}

there() { sql "$1" "$2" shards; }
processes() { ps -o pid= --ppid "$(head -n 1 "$work/$1/data/postmaster.pid")" -p "$(head -n 1 "$work/$1/data/postmaster.pid")"; }
