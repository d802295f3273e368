\set u random_zipfian(1, 5000, 1.05) - 1
\set a random(0, 4999)
\set b random(0, 4999)
SELECT f2 FROM follows WHERE f1 = :u LIMIT 20;
SELECT * FROM tweets WHERE uid IN (:a, :b);
