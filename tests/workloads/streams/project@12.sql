\set s random(0, 40000)
\set p random(1, 6)
BEGIN;
SELECT seq FROM positions WHERE projector = 'p' || :p FOR UPDATE;
SELECT seq, aggregate_id, kind, payload FROM events WHERE seq > :s ORDER BY seq LIMIT 100;
UPDATE positions SET seq = :s WHERE projector = 'p' || :p;
COMMIT;
