CREATE TABLE k (id integer PRIMARY KEY, v integer NOT NULL) PARTITION BY HASH (id);
SELECT format('CREATE TABLE k_%1$s PARTITION OF k FOR VALUES WITH (MODULUS 4, REMAINDER %1$s)', i) FROM generate_series(0, 3) AS i \gexec
INSERT INTO k SELECT i, i + 1 FROM generate_series(1, 4000) AS i;
CREATE INDEX ON k (v);
CREATE TABLE r (at timestamptz NOT NULL, v integer NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE r_0 PARTITION OF r FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
CREATE TABLE r_1 PARTITION OF r FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE r_2 PARTITION OF r FOR VALUES FROM ('2025-02-01') TO (MAXVALUE);
INSERT INTO r SELECT timestamptz '2024-12-01' + i * interval '1 hour', i FROM generate_series(1, 2400) AS i;
CREATE INDEX ON r (at);
ANALYZE k, r;
INSERT INTO measure.leaves (name, relation, sharded, place)
SELECT left(relname, 1), oid, true, relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname;
