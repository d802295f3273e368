\set c random_zipfian(1, 20000, 1.1)
BEGIN;
SELECT * FROM accounts WHERE custid = :c;
SELECT bal FROM savings WHERE custid = :c;
SELECT bal FROM checking WHERE custid = :c;
UPDATE checking SET bal = bal - 5 WHERE custid = :c;
COMMIT;
