-- A dealer in parts, asked by analysts. Tables and columns carry the names that the TPC-H specification gives them, as do the
-- shapes of the questions; definitions, data and texts are this project's own. A hundredth of scale factor 1: 60,000 lines.
-- Every value is a hash of its row's key, so two loads are equal.
CREATE TABLE region (r_regionkey integer NOT NULL, r_name char(25) NOT NULL, r_comment varchar(152));
CREATE TABLE nation (n_nationkey integer NOT NULL, n_name char(25) NOT NULL, n_regionkey integer NOT NULL, n_comment varchar(152));
CREATE TABLE supplier (
    s_suppkey integer NOT NULL, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL, s_nationkey integer NOT NULL,
    s_phone char(15) NOT NULL, s_acctbal numeric(15, 2) NOT NULL, s_comment varchar(101) NOT NULL);
CREATE TABLE part (
    p_partkey integer NOT NULL, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL,
    p_size integer NOT NULL, p_container char(10) NOT NULL, p_retailprice numeric(15, 2) NOT NULL, p_comment varchar(23) NOT NULL);
CREATE TABLE partsupp (
    ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL, ps_availqty integer NOT NULL, ps_supplycost numeric(15, 2) NOT NULL,
    ps_comment varchar(199) NOT NULL);
CREATE TABLE customer (
    c_custkey integer NOT NULL, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, c_nationkey integer NOT NULL,
    c_phone char(15) NOT NULL, c_acctbal numeric(15, 2) NOT NULL, c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL);
CREATE TABLE orders (
    o_orderkey bigint NOT NULL, o_custkey integer NOT NULL, o_orderstatus char(1) NOT NULL, o_totalprice numeric(15, 2) NOT NULL,
    o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL, o_shippriority integer NOT NULL,
    o_comment varchar(79) NOT NULL);
CREATE TABLE lineitem (
    l_orderkey bigint NOT NULL, l_partkey integer NOT NULL, l_suppkey integer NOT NULL, l_linenumber integer NOT NULL,
    l_quantity numeric(15, 2) NOT NULL, l_extendedprice numeric(15, 2) NOT NULL, l_discount numeric(15, 2) NOT NULL, l_tax numeric(15, 2) NOT NULL,
    l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL,
    l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL);

BEGIN;
-- A number from low to high that depends on the key and on nothing else.
CREATE FUNCTION pg_temp.pick(key bigint, seed bigint, low integer, high integer) RETURNS integer LANGUAGE sql IMMUTABLE AS
$$ SELECT low + ((hashint8extended(key, seed) & 2147483647) % (high - low + 1))::integer $$;
CREATE FUNCTION pg_temp.word(key bigint, seed bigint, words text[]) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT words[pg_temp.pick(key, seed, 1, cardinality(words))] $$;
CREATE FUNCTION pg_temp.prose(key bigint, seed bigint, length integer) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT left(string_agg(pg_temp.word(key, seed + i, '{carefully,final,deposits,sleep,quickly,ironic,packages,among,bold,ideas,above,even,accounts}'), ' '), length)
   FROM generate_series(1, 1 + length / 7) AS i $$;
-- Country code first: ten more than the nation's number.
CREATE FUNCTION pg_temp.phone(nation integer, key bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT concat_ws('-', nation + 10, pg_temp.pick(key, 91, 100, 999), pg_temp.pick(key, 92, 100, 999), pg_temp.pick(key, 93, 1000, 9999)) $$;
CREATE FUNCTION pg_temp.retail(part integer) RETURNS numeric LANGUAGE sql IMMUTABLE AS
$$ SELECT (90000 + part / 10 % 20001 + 100 * (part % 1000)) / 100.0 $$;
-- The four suppliers of a part are spread over all of them.
CREATE FUNCTION pg_temp.supplier(part integer, which integer) RETURNS integer LANGUAGE sql IMMUTABLE AS
$$ SELECT 1 + (part + which * 26) % 100 $$;

INSERT INTO region SELECT i - 1, name, pg_temp.prose(i, 1, 60) FROM unnest('{AFRICA,AMERICA,ASIA,EUROPE,MIDDLE EAST}'::text[]) WITH ORDINALITY AS r (name, i);
INSERT INTO nation SELECT i - 1, name, ('{0,1,1,1,4,0,3,3,2,2,4,4,2,4,0,0,0,1,2,3,4,2,3,3,1}'::integer[])[i], pg_temp.prose(i, 2, 60)
FROM unnest('{ALGERIA,ARGENTINA,BRAZIL,CANADA,EGYPT,ETHIOPIA,FRANCE,GERMANY,INDIA,INDONESIA,IRAN,IRAQ,JAPAN,JORDAN,KENYA,MOROCCO,MOZAMBIQUE,PERU,CHINA,ROMANIA,SAUDI ARABIA,VIETNAM,RUSSIA,UNITED KINGDOM,UNITED STATES}'::text[])
     WITH ORDINALITY AS n (name, i);
INSERT INTO supplier SELECT i, 'Supplier#' || lpad(i::text, 9, '0'), md5('s' || i), n, pg_temp.phone(n, i), pg_temp.pick(i, 11, -99999, 999999) / 100.0,
       pg_temp.prose(i, 12, 50) || CASE WHEN i % 20 = 0 THEN ' Customer some Complaints' ELSE '' END
FROM generate_series(1, 100) AS i, LATERAL (SELECT pg_temp.pick(i, 10, 0, 24)) AS k (n);
INSERT INTO part
SELECT i, (SELECT string_agg(pg_temp.word(i, 20 + k, '{almond,azure,blue,brown,coral,cream,dim,forest,ghost,green,ivory,khaki,lemon,linen,maroon,navy,olive,peru,pink,red,sky,tan,violet,white}'), ' ') FROM generate_series(1, 5) AS k),
       'Manufacturer#' || m, 'Brand#' || m || pg_temp.pick(i, 31, 1, 5),
       concat_ws(' ', pg_temp.word(i, 32, '{STANDARD,SMALL,MEDIUM,LARGE,ECONOMY,PROMO}'), pg_temp.word(i, 33, '{ANODIZED,BURNISHED,PLATED,POLISHED,BRUSHED}'), pg_temp.word(i, 34, '{TIN,NICKEL,BRASS,STEEL,COPPER}')),
       pg_temp.pick(i, 35, 1, 50), pg_temp.word(i, 36, '{SM,LG,MED,JUMBO,WRAP}') || ' ' || pg_temp.word(i, 37, '{CASE,BOX,BAG,JAR,PKG,PACK,CAN,DRUM}'),
       pg_temp.retail(i), pg_temp.prose(i, 38, 15)
FROM generate_series(1, 2000) AS i, LATERAL (SELECT pg_temp.pick(i, 30, 1, 5)) AS k (m);
INSERT INTO partsupp
SELECT p, pg_temp.supplier(p, w), pg_temp.pick(p * 4 + w, 40, 1, 9999), pg_temp.pick(p * 4 + w, 41, 100, 100000) / 100.0, pg_temp.prose(p * 4 + w, 42, 120)
FROM generate_series(1, 2000) AS p, generate_series(0, 3) AS w;
INSERT INTO customer SELECT i, 'Customer#' || lpad(i::text, 9, '0'), md5('c' || i), n, pg_temp.phone(n, i + 1000000), pg_temp.pick(i, 51, -99999, 999999) / 100.0,
       pg_temp.word(i, 52, '{AUTOMOBILE,BUILDING,FURNITURE,MACHINERY,HOUSEHOLD}'), pg_temp.prose(i, 53, 70)
FROM generate_series(1, 1500) AS i, LATERAL (SELECT pg_temp.pick(i, 50, 0, 24)) AS k (n);

-- One order has one to seven lines. Every third customer never orders; of each 32 order numbers, eight are used.
CREATE TEMPORARY TABLE line ON COMMIT DROP AS
SELECT o / 8 * 32 + o % 8 AS orderkey, 1 + c - (c % 3 = 2)::integer AS custkey, date '1992-01-01' + pg_temp.pick(o, 61, 0, 2405) AS ordered,
       l, o * 8 + l AS key, pg_temp.pick(o * 8 + l, 70, 1, 2000) AS partkey
FROM generate_series(1, 15000) AS o, LATERAL (SELECT pg_temp.pick(o, 60, 0, 1499)) AS k (c), generate_series(1, pg_temp.pick(o, 62, 1, 7)) AS l;
INSERT INTO lineitem
SELECT orderkey, partkey, pg_temp.supplier(partkey, pg_temp.pick(key, 71, 0, 3)), l, quantity, quantity * pg_temp.retail(partkey),
       pg_temp.pick(key, 73, 0, 10) / 100.0, pg_temp.pick(key, 74, 0, 8) / 100.0,
       CASE WHEN received > date '1995-06-17' THEN 'N' ELSE pg_temp.word(key, 75, '{R,A}') END, CASE WHEN shipped > date '1995-06-17' THEN 'O' ELSE 'F' END,
       shipped, ordered + pg_temp.pick(key, 76, 30, 90), received,
       pg_temp.word(key, 78, '{DELIVER IN PERSON,COLLECT COD,NONE,TAKE BACK RETURN}'), pg_temp.word(key, 79, '{REG AIR,AIR,RAIL,SHIP,TRUCK,MAIL,FOB}'), pg_temp.prose(key, 80, 25)
FROM line, LATERAL (SELECT pg_temp.pick(key, 72, 1, 50), ordered + pg_temp.pick(key, 77, 1, 121)) AS a (quantity, shipped),
     LATERAL (SELECT shipped + pg_temp.pick(key, 81, 1, 30)) AS b (received);
INSERT INTO orders
SELECT orderkey, custkey, CASE count(*) FILTER (WHERE l_linestatus = 'F') WHEN count(*) THEN 'F' WHEN 0 THEN 'O' ELSE 'P' END,
       round(sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)), 2), ordered, pg_temp.word(orderkey, 63, '{1-URGENT,2-HIGH,3-MEDIUM,4-NOT SPECIFIED,5-LOW}'),
       'Clerk#' || lpad(pg_temp.pick(orderkey, 64, 1, 10)::text, 9, '0'), 0,
       pg_temp.prose(orderkey, 65, 45) || CASE WHEN orderkey % 50 = 1 THEN ' special requests' ELSE '' END
FROM line JOIN lineitem ON (l_orderkey, l_linenumber) = (orderkey, l) GROUP BY orderkey, custkey, ordered;
COMMIT;

ALTER TABLE region ADD PRIMARY KEY (r_regionkey);
ALTER TABLE nation ADD PRIMARY KEY (n_nationkey), ADD FOREIGN KEY (n_regionkey) REFERENCES region;
ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey), ADD FOREIGN KEY (s_nationkey) REFERENCES nation;
ALTER TABLE part ADD PRIMARY KEY (p_partkey);
ALTER TABLE partsupp ADD PRIMARY KEY (ps_partkey, ps_suppkey), ADD FOREIGN KEY (ps_partkey) REFERENCES part, ADD FOREIGN KEY (ps_suppkey) REFERENCES supplier;
ALTER TABLE customer ADD PRIMARY KEY (c_custkey), ADD FOREIGN KEY (c_nationkey) REFERENCES nation;
ALTER TABLE orders ADD PRIMARY KEY (o_orderkey), ADD FOREIGN KEY (o_custkey) REFERENCES customer;
ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber), ADD FOREIGN KEY (l_orderkey) REFERENCES orders,
    ADD FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp;
CREATE INDEX ON partsupp (ps_suppkey);
CREATE INDEX ON orders (o_custkey);
CREATE INDEX ON lineitem (l_partkey, l_suppkey);
ANALYZE region, nation, supplier, part, partsupp, customer, orders, lineitem;
