\set c random(1, 10000)
\set d random(10001, 20000)
BEGIN;
SELECT * FROM accounts WHERE custid = :c;
SELECT * FROM accounts WHERE custid = :d;
SELECT bal FROM savings WHERE custid = :c;
SELECT bal FROM checking WHERE custid = :d;
UPDATE checking SET bal = 0 WHERE custid = :c;
UPDATE savings SET bal = bal + 10 WHERE custid = :d;
COMMIT;
