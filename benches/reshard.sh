#!/usr/bin/env bash
# What clients notice of a shard that is split under them. In each round, one after another, the same load of TPC-B's kind (8 clients, on a table of
# 4 hash shards) on a table that is made anew:
#   none         without a job: as long as the job took
#   job          foreshard.split_shard of one shard
#   by hand      the same in one transaction: CREATE TABLE, INSERT … SELECT, DETACH, ATTACH
# Printed are for each the longest transaction, the transactions per second while it is under way, how long it takes, and errors of clients. The last
# lines are medians and a ratio.
#   WHAT="job unpaced none"   names these; unpaced is a job with foreshard.copy_share = 1
#   RUNS=3 ROWS=1000000 LEAD=4 benches/reshard.sh
# Install with PROFILE=release first.
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/cluster.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/common/clients.sh"
set -euo pipefail

runs=${RUNS:-3} rows=${ROWS:-1000000} lead=${LEAD:-4}
work=$(scratch_dir)
trap 'cluster_remove "$work/main"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
PATH=$(pg_bindir):$PATH
cluster_create "$work/main" --conf "shared_buffers = '512MB'" ${DURABLE:+--durable}
on() { (eval "$(cluster_env "$work/main")" && "$@"); }
sql() { on psql -XAtq -v ON_ERROR_STOP=1 -c "$1"; }
sql "CREATE EXTENSION foreshard; CREATE TABLE source (aid bigint PRIMARY KEY, bid int NOT NULL, abalance int NOT NULL, filler char(84)); INSERT INTO source SELECT n, n % 50, 0, '' FROM generate_series(1, $rows) n;
    CREATE TABLE tellers (tid int PRIMARY KEY, tbalance int NOT NULL, filler char(84)); INSERT INTO tellers SELECT n, 0, '' FROM generate_series(1, 500) n;
    CREATE TABLE history (tid int, aid bigint, delta int, mtime timestamptz)"
cat >"$work/tpcb.sql" <<SQL
\set aid random(1, $rows)
\set tid random(1, 500)
\set delta random(-5000, 5000)
BEGIN;
UPDATE accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM accounts WHERE aid = :aid;
UPDATE tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
INSERT INTO history VALUES (:tid, :aid, :delta, CURRENT_TIMESTAMP);
COMMIT;
SQL

load() { on pgbench -c 8 -M prepared -f tpcb.sql "$@"; }
prepare() {
    sql "SET client_min_messages = error; DROP TABLE IF EXISTS accounts, by_hand; TRUNCATE history;
        SELECT FROM restore_table('public.accounts', 'table:public.source', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"aid\"], \"shard_count\": 4}')"
    sql "CHECKPOINT"
}
hand() {
    sql "BEGIN; CREATE TABLE a (LIKE accounts_s0000 INCLUDING ALL); CREATE TABLE b (LIKE accounts_s0000 INCLUDING ALL);
        ALTER TABLE accounts DETACH PARTITION accounts_s0000;
        INSERT INTO a SELECT * FROM accounts_s0000 WHERE satisfies_hash_partition('accounts'::regclass, 8, 0, aid);
        INSERT INTO b SELECT * FROM accounts_s0000 WHERE satisfies_hash_partition('accounts'::regclass, 8, 4, aid);
        ALTER TABLE accounts ATTACH PARTITION a FOR VALUES WITH (MODULUS 8, REMAINDER 0);
        ALTER TABLE accounts ATTACH PARTITION b FOR VALUES WITH (MODULUS 8, REMAINDER 4); DROP TABLE accounts_s0000; COMMIT"
}
unpaced() { job 1; }
job() {
    local job
    job=$(sql "SET foreshard.copy_share = ${1:-0.5}; SELECT foreshard.split_shard('accounts_s0000')")
    [ "$(sql "SELECT foreshard.wait_job($job)")" = "done" ]
    sql "SELECT format('# longest lock %s ms, %s attempts', round(longest_lock_ms), attempts) FROM foreshard.jobs WHERE job_id = $job" >&2
}
rounds "$runs" ${WHAT:-job none hand}
