\set t random_zipfian(1, 300, 1.05)
\set i random(1, 20)
SELECT * FROM users WHERE email = 'u' || :i || '@' || :t;
SELECT * FROM countries WHERE code = 'AB';
