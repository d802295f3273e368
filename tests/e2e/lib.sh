# shellcheck shell=bash
# What every end-to-end test sources: servers of its own, helpers to talk to them, and checks that count.
#
#   server NAME [options of scripts/cluster.sh create]      a new server; removed when the test ends
#   on NAME COMMAND...                                      a libpq program (pg_dump, pgbench, psql) against it
#   sql NAME 'SELECT …' [database]                          its rows, unaligned, `|` between columns
#   backups NAME, tablespace NAME X, socket NAME, port NAME, password NAME    paths and addresses of it
#   stop NAME, start NAME, restart NAME, crash NAME
#   check 'what' EXPECTED ACTUAL;  check_match 'what' PATTERN ACTUAL (a grep -E pattern);  check_error 'what' PATTERN NAME 'SQL' [database]
#   wait_until SECONDS NAME 'SELECT condition'
#   far_server NAME [options]       a server on a network of its own, at $(address NAME); cut_off NAME and heal NAME pull its cable and put it back
# A test that stops before its last line counts as failed, with whatever it had checked until then.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/cluster.sh"

test_name=$(basename -- "$0" .sh)
work=$(scratch_dir)
passed=0
failed=0

finish() {
    local status=$? name
    if [ $status != 0 ]; then
        failed=$((failed + 1))
        printf 'not ok: %s stopped with status %s\n' "$test_name" $status
    elif [ $((passed + failed)) = 0 ]; then
        failed=1
        printf 'not ok: %s checked nothing\n' "$test_name"
    fi
    # What a test has mounted would outlive it.
    while read -r _ name _; do
        case $name in "$work"/*) as_root umount -l "$name" || true ;; esac
    done </proc/mounts
    for name in "$work"/*/; do
        [ -d "$name/data" ] || continue
        if [ $failed != 0 ]; then
            printf -- '--- end of the log of server %s\n' "$(basename "$name")"
            tail -n 40 "$name/log"
        fi
        cluster_remove "${name%/}"
    done
    [ ! -e "$work/networks" ] || while read -r name; do as_root ip netns del "$name" || true; done <"$work/networks"
    rm -rf "$work"
    [ -z "${E2E_COUNTS:-}" ] || echo "$passed $failed" >>"$E2E_COUNTS"
    [ $failed = 0 ] || exit 1
}
trap finish EXIT
trap 'exit 130' INT TERM

server() { cluster_create "$work/$1" "${@:2}"; }
# Only with a way to make network namespaces: whoever has none is told so, and the test fails.
far_server() {
    local namespace="foreshard-$$-$1" cable="fs$$${1: -2}" net
    net=10.$((200 + $$ % 50)).$(($$ / 50 % 250)).$(($(wc -l 2>/dev/null <"$work/networks" || echo 0) * 4))
    as_root ip netns add "$namespace"
    echo "$namespace" >>"$work/networks"
    as_root ip link add "$cable" type veth peer name cable netns "$namespace"
    as_root ip addr add "${net%.*}.$((${net##*.} + 1))/30" dev "$cable"
    as_root ip -n "$namespace" addr add "${net%.*}.$((${net##*.} + 2))/30" dev cable
    as_root ip link set "$cable" up
    as_root ip -n "$namespace" link set lo up
    as_root ip -n "$namespace" link set cable up
    cluster_create "$work/$1" --network "$namespace" "${net%.*}.$((${net##*.} + 2))" "${@:2}"
    echo "${net%.*}.$((${net##*.} + 2))" >"$work/$1.address"
}
address() { cat "$work/$1.address"; }
cut_off() { as_root ip -n "$(cat "$work/$1/network")" link set cable down; }
heal() {
    as_root ip -n "$(cat "$work/$1/network")" link set cable up
    local deadline=$((SECONDS + 60))
    until (exec 3<>"/dev/tcp/$(address "$1")/$(port "$1")") 2>/dev/null || [ $SECONDS -ge $deadline ]; do sleep 0.05; done
}
stop() { cluster_stop "$work/$1"; }
start() { cluster_start "$work/$1"; }
restart() { cluster_restart "$work/$1"; }
crash() { cluster_kill "$work/$1"; }
backups() { echo "$work/$1/backups"; }
socket() { echo "$work/$1/socket"; }
port() { cat "$work/$1/port"; }
password() { cat "$work/$1/password"; }
tablespace() { cluster_tablespace "$work/$1" "$2"; }

on() { (eval "$(cluster_env "$work/$1")" && "${@:2}"); }
sql() { on "$1" psql -XAtq -v ON_ERROR_STOP=1 ${3:+-d "$3"} -c "$2"; }

check() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
        printf 'ok: %s\n' "$1"
    else
        failed=$((failed + 1))
        printf 'not ok: %s\n' "$1"
        diff -u --label expected --label actual <(printf '%s\n' "$2") <(printf '%s\n' "$3") || true
    fi
}

check_match() {
    if grep -qE -- "$2" <<<"$3"; then
        passed=$((passed + 1))
        printf 'ok: %s\n' "$1"
    else
        failed=$((failed + 1))
        printf 'not ok: %s\n  no match for: %s\n  in: %s\n' "$1" "$2" "$3"
    fi
}

check_error() {
    local output
    if output=$(on "$3" psql -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=verbose ${5:+-d "$5"} -c "$4" 2>&1); then
        failed=$((failed + 1))
        printf 'not ok: %s\n  no error, but: %s\n' "$1" "$output"
    else
        check_match "$1" "$2" "$output"
    fi
}

wait_until() {
    local deadline=$((SECONDS + $1))
    until [ "$(sql "$2" "$3")" = t ]; do
        if [ $SECONDS -ge $deadline ]; then
            printf 'waited %s s in vain for: %s\n' "$1" "$3"
            return 1
        fi
        sleep 0.02
    done
}
