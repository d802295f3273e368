SELECT sum(l_extendedprice) / 7.0 AS yearly FROM lineitem JOIN part ON p_partkey = l_partkey
WHERE p_brand = 'Brand#23' AND p_container LIKE 'MED %' AND l_quantity < (SELECT 0.2 * avg(same.l_quantity) FROM lineitem same WHERE same.l_partkey = p_partkey);
