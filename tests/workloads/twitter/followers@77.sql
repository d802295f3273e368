\set u random_zipfian(1, 5000, 1.05) - 1
\set a random(0, 4999)
\set b random(0, 4999)
\set c random(0, 4999)
SELECT f2 FROM followers WHERE f1 = :u LIMIT 20;
SELECT uid, name FROM user_profiles WHERE uid IN (:a, :b, :c);
