-- A job queue: what is filtered most is what changes most.
CREATE TABLE jobs (
    id bigserial PRIMARY KEY, account_id integer NOT NULL, state text NOT NULL DEFAULT 'ready', worker integer,
    payload text NOT NULL, attempts smallint NOT NULL DEFAULT 0, run_at timestamptz NOT NULL DEFAULT now());
INSERT INTO jobs (account_id, state, payload)
SELECT abs(hashint4(i)) % 5000, (ARRAY['ready', 'running', 'done', 'done', 'done', 'failed'])[1 + i % 6], repeat('x', 100) FROM generate_series(1, 100000) i;
CREATE INDEX jobs_state ON jobs (state, run_at);
CREATE INDEX jobs_account ON jobs (account_id);
ANALYZE;
