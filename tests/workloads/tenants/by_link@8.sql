\set t random_zipfian(1, 300, 1.05)
\set p random(1, 10)
\set i random(1, 20)
SELECT * FROM tasks WHERE id = md5('task ' || :i || '/' || :p || '/' || :t)::uuid;
