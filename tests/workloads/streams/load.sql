-- Event sourcing: streams of events with a global order, snapshots, and how far each reader is.
CREATE TABLE events (seq bigserial PRIMARY KEY, aggregate_id uuid NOT NULL, version integer NOT NULL, kind text NOT NULL, payload jsonb NOT NULL, at timestamptz NOT NULL DEFAULT now(), UNIQUE (aggregate_id, version));
CREATE TABLE snapshots (aggregate_id uuid PRIMARY KEY, version integer NOT NULL, state jsonb NOT NULL);
CREATE TABLE positions (projector text PRIMARY KEY, seq bigint NOT NULL);
INSERT INTO events (aggregate_id, version, kind, payload, at) SELECT md5('a' || i % 8000)::uuid, i / 8000, 'changed', '{"a": 1}', timestamptz '2025-01-01' + i * interval '5 s' FROM generate_series(0, 40000) i;
INSERT INTO snapshots SELECT md5('a' || i)::uuid, 5, '{"b": 2, "text": "some more state here"}' FROM generate_series(0, 7999) i;
INSERT INTO positions SELECT 'p' || i, 0 FROM generate_series(1, 6) i;
ANALYZE;
