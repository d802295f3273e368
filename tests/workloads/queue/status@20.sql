\set j random(1, 100000)
SELECT state, attempts FROM jobs WHERE id = :j;
SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'failed' LIMIT 20) f;
