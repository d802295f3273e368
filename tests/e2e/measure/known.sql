-- Statements of which it is known what they touch; `-- n:` is the number of leaves of k and r. k is cut by hash of id into 4, r
-- by range of at into 3, with its data in the past.
-- 1: by key
SELECT * FROM k WHERE id = 1;
-- 1: by key, and there is no such row
SELECT * FROM k WHERE id = -1;
-- 2: two values of two shards
SELECT * FROM k WHERE id IN (1, 4);
-- 4: everything
SELECT count(*) FROM k;
-- 4: every index, and no row
SELECT * FROM k WHERE v = -1;
-- 1: the first shard has enough
SELECT id FROM k LIMIT 3;
-- 1: a row is put into its shard
INSERT INTO k VALUES (-2, 0);
-- 1: changed where it is
UPDATE k SET v = v + 1 WHERE id = 1;
-- 4: all are looked through for it
DELETE FROM k WHERE v = -1;
-- 1: pruned when it starts; planning looks for the largest value in each index
SELECT * FROM r WHERE at > now() - interval '5 min';
-- 2: a period over one bound
SELECT * FROM r WHERE at BETWEEN '2024-12-31' AND '2025-01-02';
-- 1: a generic plan
EXECUTE by_key (1);
-- 2: one row, and for it one of another shard
SELECT * FROM k a JOIN k b ON b.id = a.v WHERE a.id = 5;
