\set a random(0, 7999)
INSERT INTO snapshots VALUES (md5('a' || :a)::uuid, 9, '{}') ON CONFLICT (aggregate_id) DO UPDATE SET version = excluded.version, state = excluded.state;
