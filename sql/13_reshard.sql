-- Tables that change their shape while they are written to.

-- Not dumped: what is under way is so on this server only.
CREATE TABLE foreshard._reshards (
    job_id          pg_catalog.int8 NOT NULL,
    number          pg_catalog.int4 NOT NULL,
    relation        pg_catalog.regclass NOT NULL,
    task            pg_catalog.jsonb NOT NULL,
    step            pg_catalog.text NOT NULL,
    step_started_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    pid             pg_catalog.int4,
    rows            pg_catalog.int8,
    bytes_total     pg_catalog.int8,
    attempts        pg_catalog.int4 NOT NULL DEFAULT 0,
    longest_lock_ms pg_catalog.float8 NOT NULL DEFAULT 0,
    cancelled       pg_catalog.bool NOT NULL DEFAULT false,
    pause_at        pg_catalog.text,
    kept_until      pg_catalog.timestamptz,
    PRIMARY KEY (job_id, number)
);
COMMENT ON TABLE foreshard._reshards IS 'what jobs that change the shape of a table do, and the step that each does next';

CREATE FUNCTION foreshard.split_shard(shard pg_catalog.regclass, config pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.int8
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'split_shard_wrapper';
COMMENT ON FUNCTION foreshard.split_shard(pg_catalog.regclass, pg_catalog.jsonb) IS
    'begins to cut a shard into two or more while the table is written to; gives the number of the job';

CREATE FUNCTION foreshard.move_shard(shard pg_catalog.regclass, node pg_catalog.text, config pg_catalog.jsonb DEFAULT '{}')
RETURNS pg_catalog.int8 LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'move_shard_wrapper';
COMMENT ON FUNCTION foreshard.move_shard(pg_catalog.regclass, pg_catalog.text, pg_catalog.jsonb) IS
    'begins to move a shard to another node while the table is written to; gives the number of the job';

CREATE FUNCTION foreshard.merge_shards(shards pg_catalog.regclass[], config pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.int8
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'merge_shards_wrapper';
COMMENT ON FUNCTION foreshard.merge_shards(pg_catalog.regclass[], pg_catalog.jsonb) IS
    'begins to put neighbouring shards together while the table is written to; gives the number of the job';

CREATE FUNCTION foreshard.isolate_value(relation pg_catalog.regclass, value pg_catalog.text, config pg_catalog.jsonb DEFAULT '{}')
RETURNS pg_catalog.int8 LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'isolate_value_wrapper';
COMMENT ON FUNCTION foreshard.isolate_value(pg_catalog.regclass, pg_catalog.text, pg_catalog.jsonb) IS
    'begins to give one value of the shard key a shard of its own while the table is written to; gives the number of the job';

CREATE FUNCTION foreshard.rebalance(relation pg_catalog.regclass, config pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.int8
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'rebalance_wrapper';
COMMENT ON FUNCTION foreshard.rebalance(pg_catalog.regclass, pg_catalog.jsonb) IS
    'begins to move shards of a table until its nodes are even, each move being an improvement; gives the number of the job, NULL where nothing is to be done';

CREATE FUNCTION foreshard.drain_node(name pg_catalog.text, config pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.int8
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'drain_node_wrapper';
COMMENT ON FUNCTION foreshard.drain_node(pg_catalog.text, pg_catalog.jsonb) IS
    'sets a node inactive, and begins to move its shards to the other ones; gives the number of the job, NULL where it has none';

CREATE FUNCTION foreshard.undo_job(job_id pg_catalog.int8, config pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.int8
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'undo_job_wrapper';
COMMENT ON FUNCTION foreshard.undo_job(pg_catalog.int8, pg_catalog.jsonb) IS
    'begins to make of the shards that a job has made what they were made from, with all that was written since; gives the number of the job that does it';

CREATE FUNCTION foreshard.wait_job(job_id pg_catalog.int8, timeout pg_catalog.interval DEFAULT NULL) RETURNS pg_catalog.text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wait_job_wrapper';
COMMENT ON FUNCTION foreshard.wait_job(pg_catalog.int8, pg_catalog.interval) IS
    'waits for the end of a job and gives its state; ''running'' when the time is over before';

CREATE FUNCTION foreshard.resume_job(job_id pg_catalog.int8) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'resume_job_wrapper';
COMMENT ON FUNCTION foreshard.resume_job(pg_catalog.int8) IS
    'starts the worker of a job again that was ended by a crash or a restart; a job that works is left alone';

CREATE FUNCTION foreshard._resume_jobs() RETURNS pg_catalog.int4
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'resume_jobs_wrapper';
COMMENT ON FUNCTION foreshard._resume_jobs() IS
    'starts the workers of all jobs that have none, and drops old shards that were kept long enough; gives how many were started';
