-- Where foreshard keeps what it knows. Tables start with an underscore; people read the views.
-- Relations are kept as regclass, which pg_dump writes as names, so that a layout survives dump and restore.

CREATE SCHEMA foreshard;
COMMENT ON SCHEMA foreshard IS 'foreshard: plans, nodes, shards and the functions that work on them';

CREATE TABLE foreshard._nodes (
    name       pg_catalog.text PRIMARY KEY,
    tablespace pg_catalog.text,
    server     pg_catalog.text,
    capacity   pg_catalog.float8 NOT NULL DEFAULT 1.0 CHECK (capacity > 0),
    zone       pg_catalog.text NOT NULL DEFAULT '',
    serves     pg_catalog.text[] NOT NULL DEFAULT '{}',
    active     pg_catalog.bool NOT NULL DEFAULT true,
    replication pg_catalog.text NOT NULL DEFAULT '',
    added_at   pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT one_location CHECK (num_nonnulls(tablespace, server) = 1)
);
COMMENT ON TABLE foreshard._nodes IS 'places where shards live: a tablespace of this server or a foreign server';

-- Of another server after a dump and restore: then it says nothing of this one.
CREATE TABLE foreshard._calibrations (
    node                      pg_catalog.text PRIMARY KEY REFERENCES foreshard._nodes ON DELETE CASCADE,
    calibrated_at             pg_catalog.timestamptz NOT NULL,
    calibrated_by             pg_catalog.name NOT NULL,
    server_version            pg_catalog.text NOT NULL,
    system_identifier         pg_catalog.int8 NOT NULL,
    reads_per_second          pg_catalog.float8,
    writes_per_second         pg_catalog.float8,
    scan_mb_per_second        pg_catalog.float8,
    copy_rows_per_second      pg_catalog.float8,
    copy_mb_per_second        pg_catalog.float8,
    planning_us_per_partition pg_catalog.float8,
    clients                   pg_catalog.float8,
    details                   pg_catalog.jsonb NOT NULL
);
COMMENT ON TABLE foreshard._calibrations IS 'what foreshard.calibrate last measured of each node';

CREATE TABLE foreshard._plans (
    id         pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at    pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    made_by    pg_catalog.name NOT NULL DEFAULT current_user,
    target     pg_catalog.text NOT NULL,
    backup     pg_catalog.text NOT NULL,
    config     pg_catalog.jsonb NOT NULL,
    plan       pg_catalog.jsonb NOT NULL
);
COMMENT ON TABLE foreshard._plans IS 'every plan with all that led to it';
COMMENT ON SEQUENCE foreshard._plans_id_seq IS 'numbers of plans';

CREATE TABLE foreshard._jobs (
    id          pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        pg_catalog.text NOT NULL,
    target      pg_catalog.text NOT NULL,
    state       pg_catalog.text NOT NULL,
    plan_id     pg_catalog.int8,
    started_by  pg_catalog.name NOT NULL DEFAULT current_user,
    started_at  pg_catalog.timestamptz NOT NULL,
    finished_at pg_catalog.timestamptz,
    rows        pg_catalog.int8,
    bytes       pg_catalog.int8,
    message     pg_catalog.text
);
COMMENT ON TABLE foreshard._jobs IS 'long pieces of work, done or under way';
COMMENT ON SEQUENCE foreshard._jobs_id_seq IS 'numbers of jobs';

-- Not dumped: what is kept of a restore are files of this server.
CREATE TABLE foreshard._unfinished (
    job_id   pg_catalog.int8 PRIMARY KEY,
    target   pg_catalog.text[] NOT NULL,
    relation pg_catalog.regclass NOT NULL,
    phase    pg_catalog.text NOT NULL,
    progress pg_catalog.jsonb NOT NULL
);
COMMENT ON TABLE foreshard._unfinished IS 'what is kept of restores that failed, for a later one to go on with';

CREATE TABLE foreshard._tables (
    relation    pg_catalog.regclass PRIMARY KEY,
    plan_id     pg_catalog.int8 NOT NULL,
    job_id      pg_catalog.int8 NOT NULL,
    method      pg_catalog.text NOT NULL,
    shard_key   pg_catalog.text[] NOT NULL,
    backup      pg_catalog.text NOT NULL,
    checksum    pg_catalog.text,
    restored_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    within      pg_catalog.jsonb
);
COMMENT ON TABLE foreshard._tables IS 'restored tables and the strategy that they were restored with';

CREATE TABLE foreshard._shards (
    relation pg_catalog.regclass NOT NULL,
    shard    pg_catalog.regclass PRIMARY KEY,
    ordinal  pg_catalog.int4 NOT NULL,
    node     pg_catalog.text NOT NULL,
    bound    pg_catalog.jsonb NOT NULL,
    within   pg_catalog.jsonb,
    UNIQUE (relation, ordinal)
);
COMMENT ON TABLE foreshard._shards IS 'the shards of restored tables and the nodes that they were placed on';

SELECT pg_catalog.pg_extension_config_dump('foreshard._nodes', '');
SELECT pg_catalog.pg_extension_config_dump('foreshard._calibrations', '');
SELECT pg_catalog.pg_extension_config_dump('foreshard._plans', '');
SELECT pg_catalog.pg_extension_config_dump('foreshard._plans_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('foreshard._jobs', '');
SELECT pg_catalog.pg_extension_config_dump('foreshard._jobs_id_seq', '');
-- Without the condition, a table that was dropped would be dumped as a bare OID.
SELECT pg_catalog.pg_extension_config_dump('foreshard._tables',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)');
SELECT pg_catalog.pg_extension_config_dump('foreshard._shards',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = shard)');
