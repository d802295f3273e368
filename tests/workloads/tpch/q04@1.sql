\set month random(0, 57)
SELECT o_orderpriority, count(*) FROM orders
WHERE o_orderdate >= date '1993-01-01' + :month * interval '1 month' AND o_orderdate < date '1993-01-01' + (:month + 3) * interval '1 month'
AND EXISTS (SELECT FROM lineitem WHERE l_orderkey = o_orderkey AND l_receiptdate > l_commitdate)
GROUP BY o_orderpriority ORDER BY o_orderpriority;
