\set t random(1, 100000)
SELECT * FROM tweets WHERE id = :t;
