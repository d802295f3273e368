\set j random(1, 100000)
SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'ready' AND run_at <= now() LIMIT 50) r;
UPDATE jobs SET state = 'running', attempts = attempts + 1, worker = 3 WHERE id = :j;
