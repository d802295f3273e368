\set c random(1, 10000)
\set d random(10001, 20000)
BEGIN;
SELECT * FROM accounts WHERE custid = :c;
SELECT * FROM accounts WHERE custid = :d;
SELECT bal FROM checking WHERE custid = :c;
UPDATE checking SET bal = bal - 5 WHERE custid = :c;
UPDATE checking SET bal = bal + 5 WHERE custid = :d;
COMMIT;
