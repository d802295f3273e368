\set a random(0, 7999)
SELECT version, state FROM snapshots WHERE aggregate_id = md5('a' || :a)::uuid;
SELECT version, kind, payload FROM events WHERE aggregate_id = md5('a' || :a)::uuid AND version > 5 ORDER BY version;
