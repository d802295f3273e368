-- Measurements that come in time order, are read by period, and are thrown away when old.
CREATE TABLE devices (device_id integer PRIMARY KEY, name text NOT NULL, site text NOT NULL);
CREATE TABLE readings (ts timestamptz NOT NULL, device_id integer NOT NULL, value double precision NOT NULL, quality smallint);
INSERT INTO devices SELECT i, 'device ' || i, 'site ' || i % 10 FROM generate_series(1, 500) i;
INSERT INTO readings SELECT timestamptz '2025-01-01 00:00:00+00' + i * interval '10 s', abs(hashint4(i)) % 500 + 1, i % 1000 / 10.0, 1
FROM generate_series(1, 200000) i;
CREATE INDEX readings_ts ON readings (ts);
ANALYZE;
