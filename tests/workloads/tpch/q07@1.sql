SELECT seller.n_name, buyer.n_name, extract(year FROM l_shipdate) AS year, sum(l_extendedprice * (1 - l_discount)) AS volume
FROM supplier JOIN lineitem ON l_suppkey = s_suppkey JOIN orders ON o_orderkey = l_orderkey JOIN customer ON c_custkey = o_custkey
JOIN nation seller ON seller.n_nationkey = s_nationkey JOIN nation buyer ON buyer.n_nationkey = c_nationkey
WHERE (seller.n_name = 'FRANCE' AND buyer.n_name = 'GERMANY' OR seller.n_name = 'GERMANY' AND buyer.n_name = 'FRANCE')
AND l_shipdate BETWEEN date '1995-01-01' AND date '1996-12-31'
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
