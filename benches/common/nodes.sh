# shellcheck shell=bash
# A coordinator `main` and three nodes on this machine, in a directory `work` that goes with the bench. Sourced by it.
#
#   servers MAIN NODE           arrays' names: options of scripts/cluster.sh create for the coordinator and for each node
#   on SERVER COMMAND…, sql SERVER SQL [DATABASE], port SERVER
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/cluster.sh"
set -euo pipefail

work=$(scratch_dir)
nodes=(n1 n2 n3)
trap 'for s in main ${nodes[*]}; do cluster_remove "$work/$s"; done; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
PATH=$(pg_bindir):$PATH
on() { (eval "$(cluster_env "$work/$1")" && "${@:2}"); }
sql() { on "$1" psql -XAtq -v ON_ERROR_STOP=1 ${3:+-d "$3"} -c "$2"; }
port() { cat "$work/$1/port"; }

servers() {
    local -n of_main=$1 of_node=$2
    cluster_create "$work/main" "${of_main[@]}"
    sql main "CREATE EXTENSION foreshard; CREATE EXTENSION postgres_fdw"
    local node
    for node in "${nodes[@]}"; do
        cluster_create "$work/$node" --tcp "${of_node[@]}"
        sql "$node" "CREATE DATABASE shards"
        sql main "SET client_min_messages = error; CREATE SERVER $node FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$(port "$node")', dbname 'shards');
            CREATE USER MAPPING FOR postgres SERVER $node OPTIONS (user 'postgres', password '$(cat "$work/$node/password")'); SELECT foreshard.add_node('$node', server => '$node')" >/dev/null
    done
}
