\set year random(0, 4)
\set percent random(2, 9)
SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem
WHERE l_shipdate >= date '1993-01-01' + :year * interval '1 year' AND l_shipdate < date '1994-01-01' + :year * interval '1 year'
AND l_discount BETWEEN (:percent - 1) / 100.0 AND (:percent + 1) / 100.0 AND l_quantity < 24;
