\set a random(100000, 99999999)
INSERT INTO events (aggregate_id, version, kind, payload) VALUES (md5('a' || :a)::uuid, :client_id, 'changed', '{"c": 3}') ON CONFLICT DO NOTHING;
