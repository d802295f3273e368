-- A bank with three small tables, one row a customer in each: SmallBank's shape.
CREATE TABLE accounts (custid bigint PRIMARY KEY, name varchar(64) NOT NULL);
CREATE TABLE savings (custid bigint PRIMARY KEY REFERENCES accounts, bal numeric(12, 2) NOT NULL);
CREATE TABLE checking (custid bigint PRIMARY KEY REFERENCES accounts, bal numeric(12, 2) NOT NULL);
INSERT INTO accounts SELECT i, 'customer ' || i FROM generate_series(1, 20000) i;
INSERT INTO savings SELECT custid, 1000 + custid % 500 FROM accounts;
INSERT INTO checking SELECT custid, 500 + custid % 300 FROM accounts;
CREATE UNIQUE INDEX accounts_name ON accounts (name);
ANALYZE;
