#!/usr/bin/env bash
# A table restored for a uniform load, of which then the most goes to one shard: the monitor notices, and splits the shard by itself, while
# the table is written to. No client sees an error, and every row is there once, with what was written to it.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements,foreshard --conf "foreshard.monitor_interval = '1s'" --conf "foreshard.auto_reshard = on"
# As the owner of a table, who is no superuser: what the monitor does, it does as that role.
sql main "CREATE EXTENSION foreshard; CREATE ROLE keeper LOGIN; GRANT CREATE ON SCHEMA public TO keeper; GRANT USAGE ON SCHEMA foreshard TO keeper;
    GRANT ALL ON ALL TABLES IN SCHEMA foreshard TO keeper; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO keeper; GRANT EXECUTE ON FUNCTION restore_table TO keeper"
sql main "SET ROLE keeper; CREATE TABLE source (id bigint PRIMARY KEY, v int NOT NULL); INSERT INTO source SELECT n, 0 FROM generate_series(1, 20000) n;
    SET client_min_messages = error; SELECT restore_table('public.t', 'table:public.source', '{\"shard_key\": [\"id\"], \"method\": \"hash\", \"shard_count\": 4}')" >/dev/null
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.health)"
hot=$(sql main "SELECT tableoid::regclass FROM t WHERE id = 7")
sql main "CREATE TABLE hot AS SELECT row_number() OVER () AS n, id FROM t WHERE tableoid = '$hot'::regclass; CREATE UNIQUE INDEX ON hot (n);
    CREATE TABLE done (n bigint)"
cat >"$work/load.sql" <<SQL
\set n random(1, $(sql main "SELECT count(*) FROM hot"))
\set any random(1, 20000)
SELECT id AS hot FROM hot WHERE n = :n \gset
BEGIN;
UPDATE t SET v = v + 1 WHERE id = :any;
UPDATE t SET v = v + 1 WHERE id = :hot;
INSERT INTO done VALUES (:any), (:hot);
END;
SELECT v FROM t WHERE id = :hot;
SQL
(eval "$(cluster_env "$work/main")" && exec pgbench -n -c 2 -T 120 --max-tries 1 -f "$work/load.sql") >"$work/bench" 2>&1 &
bench=$!
wait_until 90 main "SELECT EXISTS (SELECT FROM foreshard.decisions WHERE outcome = 'started')" || sql main "SELECT * FROM foreshard.health; SELECT * FROM foreshard.decisions"
check "the job that it began" "split|keeper" "$(sql main "SELECT kind, started_by FROM foreshard.jobs j JOIN foreshard.decisions d USING (job_id) WHERE outcome = 'started' ORDER BY decision_id LIMIT 1")"
job=$(sql main "SELECT job_id FROM foreshard.decisions WHERE outcome = 'started' ORDER BY decision_id LIMIT 1")
check "is done" done "$(sql main "SELECT foreshard.wait_job($job, '300 seconds')")"
check "the hot shard is two" "t|0" "$(sql main "SELECT count(*) >= 5, count(*) FILTER (WHERE shard = to_regclass('$hot')) FROM foreshard.shards WHERE relation = 't'::regclass")"
check_match "with the reason" 'avoids' "$(sql main "SELECT because FROM foreshard.decisions WHERE job_id = $job")"
kill $bench 2>/dev/null || true
wait $bench 2>/dev/null || true
check "no client saw an error" "" "$(grep -iE "error|aborted|fatal" "$work/bench" || true)"
wait_until 60 main "SELECT NOT EXISTS (SELECT FROM foreshard.jobs WHERE state = 'running')"
check "every write is there once" t "$(sql main "SELECT (SELECT count(*) FROM done) = (SELECT sum(v) FROM t) AND EXISTS (SELECT FROM done)")"
check "every row is where it belongs" "20000|0|t" "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('t')")"
check "the verdict is over" 0 "$(wait_until 60 main "SELECT count(*) = 0 FROM foreshard.health WHERE verdict = 'hot shard'" && echo 0)"
