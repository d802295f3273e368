\set month random(0, 57)
WITH revenue AS (
    SELECT l_suppkey AS supplier_no, sum(l_extendedprice * (1 - l_discount)) AS total FROM lineitem
    WHERE l_shipdate >= date '1993-01-01' + :month * interval '1 month' AND l_shipdate < date '1993-01-01' + (:month + 3) * interval '1 month'
    GROUP BY l_suppkey)
SELECT s_suppkey, s_name, s_address, s_phone, total FROM supplier JOIN revenue ON supplier_no = s_suppkey
WHERE total = (SELECT max(total) FROM revenue) ORDER BY s_suppkey;
