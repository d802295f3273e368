\set j random(1, 100000)
UPDATE jobs SET state = 'done' WHERE id = :j;
