-- Fills the tables. Every value is a hash of its row's key, so two loads are equal, byte for byte.
-- psql variables: warehouses (100), customers and orders in each district (30, 105), items (1000): 1.05 million
-- order lines. A district has fewer customers than TPC-C's 3000, and more orders than customers; all else is to scale.
\if :{?warehouses} \else \set warehouses 100 \endif
\if :{?customers}  \else \set customers 30 \endif
\if :{?orders}     \else \set orders 105 \endif
\if :{?items}      \else \set items 1000 \endif

BEGIN;

-- A number from low to high that depends on the key and on nothing else.
CREATE FUNCTION pg_temp.pick(key bigint, seed bigint, low integer, high integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS
$$ SELECT low + ((hashint8extended(key, seed) & 2147483647) % (high - low + 1))::integer $$;

-- Letters and digits that look like nothing in particular.
CREATE FUNCTION pg_temp.filler(key bigint, seed bigint, length integer) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT left(repeat(translate(md5(key::text || '/' || seed::text),
                          '0123456789', 'ghijklmnop'), 1 + length / 32), length) $$;

-- A last name is three of ten syllables, one for each digit of its number.
CREATE FUNCTION pg_temp.last_name(number integer) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT syllable[1 + number / 100 % 10] || syllable[1 + number / 10 % 10] || syllable[1 + number % 10]
   FROM (SELECT ARRAY['BAR', 'OUGHT', 'ABLE', 'PRI', 'PRES', 'ESE', 'ANTI', 'CALLY', 'ATION', 'EING'] AS syllable) AS s $$;

-- Not uniform, in the manner of TPC-C's NURand: some names are borne by many. The first bearers come in order, so that a
-- district has every name.
CREATE FUNCTION pg_temp.name_of(c_id integer, key bigint, names integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN c_id <= names THEN c_id - 1
               ELSE (pg_temp.pick(key, 1, 0, names / 4) | pg_temp.pick(key, 2, 0, names - 1)) % names END $$;

INSERT INTO warehouse
SELECT w, 'W' || w, pg_temp.filler(w, 1, 14), pg_temp.filler(w, 2, 12), pg_temp.filler(w, 3, 10),
       upper(pg_temp.filler(w, 4, 2)), lpad(pg_temp.pick(w, 5, 0, 9999)::text, 4, '0') || '11111',
       pg_temp.pick(w, 6, 0, 2000) / 10000.0, 10 * :customers * 10
FROM generate_series(1, :warehouses) AS w;

INSERT INTO district
SELECT w, d, 'D' || w || '-' || d, pg_temp.filler(key, 11, 14), pg_temp.filler(key, 12, 12), pg_temp.filler(key, 13, 10),
       upper(pg_temp.filler(key, 14, 2)), lpad(pg_temp.pick(key, 15, 0, 9999)::text, 4, '0') || '11111',
       pg_temp.pick(key, 16, 0, 2000) / 10000.0, 10 * :customers, :orders + 1
FROM generate_series(1, :warehouses) AS w, generate_series(1, 10) AS d, LATERAL (SELECT w * 100 + d) AS k(key);

-- One customer in ten has bad credit.
INSERT INTO customer
SELECT w, d, c, initcap(pg_temp.filler(key, 21, 10)), 'OE',
       pg_temp.last_name(pg_temp.name_of(c, key, greatest(:customers / 3, 1))),
       pg_temp.filler(key, 22, 14), pg_temp.filler(key, 23, 12), pg_temp.filler(key, 24, 10),
       upper(pg_temp.filler(key, 25, 2)), lpad(pg_temp.pick(key, 26, 0, 9999)::text, 4, '0') || '11111',
       lpad(pg_temp.pick(key, 27, 0, 999999999)::text, 16, '0'),
       timestamptz '2024-01-01 00:00+00' + pg_temp.pick(key, 28, 0, 31000000) * interval '1 s',
       CASE WHEN pg_temp.pick(key, 29, 1, 10) = 1 THEN 'BC' ELSE 'GC' END, 50000,
       pg_temp.pick(key, 30, 0, 5000) / 10000.0, -10, 10, 1, 0, pg_temp.filler(key, 31, pg_temp.pick(key, 32, 100, 200))
FROM generate_series(1, :warehouses) AS w, generate_series(1, 10) AS d, generate_series(1, :customers) AS c,
     LATERAL (SELECT (w * 100 + d) * bigint '1000000' + c) AS k(key);

INSERT INTO history
SELECT c_id, c_d_id, c_w_id, c_d_id, c_w_id, c_since, 10, 'opening balance'
FROM customer;

-- Each customer has orders; the last three in ten of them wait for delivery.
INSERT INTO orders
SELECT w, d, o, 1 + (o * 7 + d + w) % :customers,
       timestamptz '2025-01-01 00:00+00' + (o * interval '1 day' / :orders * 90) + pg_temp.pick(key, 41, 0, 86399) * interval '1 s',
       CASE WHEN o <= :orders * 7 / 10 THEN pg_temp.pick(key, 42, 1, 10) END, pg_temp.pick(key, 43, 5, 15), true
FROM generate_series(1, :warehouses) AS w, generate_series(1, 10) AS d, generate_series(1, :orders) AS o,
     LATERAL (SELECT (w * 100 + d) * bigint '1000000' + o) AS k(key);

INSERT INTO new_order
SELECT o_w_id, o_d_id, o_id FROM orders WHERE o_carrier_id IS NULL;

INSERT INTO item
SELECT i, pg_temp.pick(i, 51, 1, 10000), initcap(pg_temp.filler(i, 52, pg_temp.pick(i, 53, 14, 24))),
       pg_temp.pick(i, 54, 100, 9999) / 100.0, pg_temp.filler(i, 55, pg_temp.pick(i, 56, 26, 50))
FROM generate_series(1, :items) AS i;

INSERT INTO stock
SELECT w, i, pg_temp.pick(key, 61, 10, 100), info || '01', info || '02', info || '03', info || '04', info || '05',
       info || '06', info || '07', info || '08', info || '09', info || '10', 0, 0, 0,
       pg_temp.filler(key, 63, pg_temp.pick(key, 64, 26, 50))
FROM generate_series(1, :warehouses) AS w, generate_series(1, :items) AS i,
     LATERAL (SELECT w * bigint '1000000' + i) AS k(key), LATERAL (SELECT pg_temp.filler(key, 62, 22)) AS f(info);

-- Five to fifteen lines an order, some items far more often than others (again as NURand).
INSERT INTO order_line
SELECT o_w_id, o_d_id, o_id, line,
       1 + (pg_temp.pick(key, 71, 0, :items / 12) | pg_temp.pick(key, 72, 0, :items - 1)) % :items,
       CASE WHEN pg_temp.pick(key, 73, 1, 100) = 1 THEN 1 + (o_w_id + line) % :warehouses ELSE o_w_id END,
       CASE WHEN o_carrier_id IS NOT NULL THEN o_entry_d + interval '2 days' END,
       5, CASE WHEN o_carrier_id IS NULL THEN pg_temp.pick(key, 74, 1, 999999) / 100.0 ELSE 0 END,
       pg_temp.filler(key, 75, 24)
FROM orders, generate_series(1, o_ol_cnt) AS line,
     LATERAL (SELECT ((o_w_id * 100 + o_d_id) * bigint '1000000' + o_id) * 100 + line) AS k(key);

UPDATE orders SET o_all_local = false
FROM (SELECT DISTINCT ol_w_id, ol_d_id, ol_o_id FROM order_line WHERE ol_supply_w_id <> ol_w_id) AS remote
WHERE (o_w_id, o_d_id, o_id) = (ol_w_id, ol_d_id, ol_o_id);

COMMIT;
