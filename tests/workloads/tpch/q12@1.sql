\set year random(0, 4)
SELECT l_shipmode, count(*) FILTER (WHERE o_orderpriority IN ('1-URGENT', '2-HIGH')) AS high, count(*) FILTER (WHERE o_orderpriority NOT IN ('1-URGENT', '2-HIGH')) AS low
FROM orders JOIN lineitem ON l_orderkey = o_orderkey
WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate
AND l_receiptdate >= date '1993-01-01' + :year * interval '1 year' AND l_receiptdate < date '1994-01-01' + :year * interval '1 year'
GROUP BY l_shipmode ORDER BY l_shipmode;
