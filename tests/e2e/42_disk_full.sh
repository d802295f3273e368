#!/usr/bin/env bash
# A disk that is full while the rows are loaded, and while an index is built: an error with its cause, nothing stays, and
# the same restore works once there is room. A full disk is made in two ways: files of the server may not grow beyond a
# limit, which needs no rights at all; and, where a file system may be mounted, a tablespace on a small one.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/victim.sh"

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
# Little to read, much to write: pages that are left empty by nine tenths.
sql main "CREATE TABLE heap (id bigint PRIMARY KEY, note text) WITH (fillfactor = 10);
    CREATE TABLE index (id bigint PRIMARY KEY, note text); CREATE INDEX index_note ON index (note) WITH (fillfactor = 10);
    INSERT INTO heap SELECT n, n || repeat(md5(n::text), 9) FROM generate_series(1, 12000) AS n; INSERT INTO index TABLE heap" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -Z1 -f "$backup" shop
sql main "CREATE EXTENSION foreshard"
rows='12000|0|t'
config='"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 2'

files() { as_server find "$work/main/tablespaces" -type f -size +0; }
# full WHAT FIELDS: neither the load nor the index finds room; with room they do.
full() {
    for table in heap index; do
        local restore="SELECT rows FROM restore_table('public.$table', '$backup', '{$config$2}')" before after
        before=$(traces; files)
        scarce
        check_error "$1: no room for the $table" 'ERROR:  53100: could not extend file .*' main "$restore"
        check_error "$1: nor the second time" 'ERROR:  53100: could not extend file .*' main "$restore"
        plenty
        after=$(traces; files)
        check "$1: nothing is left of the $table" "$before" "$after"
        check "$1: with room the restore works" 12000 "$(sql main "$restore")"
        check "$1: and is verified" "$rows" \
            "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.$table')")"
        sql main "DROP TABLE $table; TRUNCATE foreshard._plans, foreshard._jobs, foreshard._tables, foreshard._shards"
    done
}

# A file of the WAL has 16 MB. That a page is written in part is what a disk without room does, too.
postmaster=$(head -n 1 "$work/main/data/postmaster.pid")
scarce() { as_server prlimit --pid "$postmaster" --fsize=$((16 * 1024 * 1024 + 4096)):; }
plenty() { as_server prlimit --pid "$postmaster" --fsize=unlimited:; }
full "files that may not grow" ""

disk=$(tablespace main small)
if (as_root mount -t tmpfs -o size=24m,mode=700,uid="$(id -u "$(server_user)")" foreshard "$disk") 2>/dev/null; then
    sql main "CREATE TABLESPACE small LOCATION '$disk'"
    sql main "SELECT foreshard.add_node('small', tablespace => 'small')" >/dev/null
    scarce() { as_root mount -o remount,size=24m "$disk"; }
    plenty() { as_root mount -o remount,size=200m "$disk"; }
    full "a small disk" ', "nodes": ["small"]'
    as_root mount -o remount,size=1m "$disk"
    check_error "a plan knows when there is no room at all" '53100: the nodes have not enough free space' main \
        "SELECT * FROM restore_table('public.index', '$backup', '{$config, \"nodes\": [\"small\"]}')"
else
    echo "# no file system may be mounted here: the small disk is not tested, the limit of files above is"
fi
check "no process of the server fell" "" "$(grep -E 'PANIC|terminated by signal' "$work/main/log" || true)"
