SELECT year, sum(volume) FILTER (WHERE nation = 'BRAZIL') / sum(volume) AS share
FROM (SELECT extract(year FROM o_orderdate) AS year, l_extendedprice * (1 - l_discount) AS volume, home.n_name AS nation
      FROM part JOIN lineitem ON l_partkey = p_partkey JOIN supplier ON s_suppkey = l_suppkey JOIN orders ON o_orderkey = l_orderkey
      JOIN customer ON c_custkey = o_custkey JOIN nation away ON away.n_nationkey = c_nationkey JOIN region ON r_regionkey = away.n_regionkey
      JOIN nation home ON home.n_nationkey = s_nationkey
      WHERE r_name = 'AMERICA' AND o_orderdate BETWEEN date '1995-01-01' AND date '1996-12-31' AND p_type = 'ECONOMY ANODIZED STEEL') AS sold
GROUP BY year ORDER BY year;
