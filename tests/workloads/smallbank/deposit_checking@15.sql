\set c random_zipfian(1, 20000, 1.1)
BEGIN;
SELECT * FROM accounts WHERE name = 'customer ' || :c;
UPDATE checking SET bal = bal + 1.3 WHERE custid = :c;
COMMIT;
