\set u random_zipfian(1, 5000, 1.05) - 1
SELECT * FROM tweets WHERE uid = :u LIMIT 10;
