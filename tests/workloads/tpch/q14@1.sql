\set month random(0, 59)
SELECT 100.00 * sum(l_extendedprice * (1 - l_discount)) FILTER (WHERE p_type LIKE 'PROMO%') / sum(l_extendedprice * (1 - l_discount)) AS promoted
FROM lineitem JOIN part ON p_partkey = l_partkey
WHERE l_shipdate >= date '1993-01-01' + :month * interval '1 month' AND l_shipdate < date '1993-01-01' + (:month + 1) * interval '1 month';
