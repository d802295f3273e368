-- Samples of many hosts that come all the time, are looked up by host for the recent past, and thrown away after three days.
CREATE TABLE hosts (host_id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE samples (ts timestamptz NOT NULL, host_id integer NOT NULL, metric smallint NOT NULL, value double precision NOT NULL);
INSERT INTO hosts SELECT i, 'host ' || i FROM generate_series(1, 2000) i;
INSERT INTO samples SELECT now() - i * interval '1 s', abs(hashint4(i)) % 2000 + 1, i % 20, i % 1000 / 10.0
FROM generate_series(300000, 1, -1) i;
CREATE INDEX samples_host ON samples (host_id, ts);
CREATE INDEX samples_ts ON samples (ts);
ANALYZE;
