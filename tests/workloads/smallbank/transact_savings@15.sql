\set c random_zipfian(1, 20000, 1.1)
BEGIN;
SELECT * FROM accounts WHERE custid = :c;
SELECT bal FROM savings WHERE custid = :c;
UPDATE savings SET bal = bal + 20.2 WHERE custid = :c;
COMMIT;
