SELECT ps_partkey, sum(ps_supplycost * ps_availqty) AS value
FROM partsupp JOIN supplier ON s_suppkey = ps_suppkey JOIN nation ON n_nationkey = s_nationkey WHERE n_name = 'GERMANY'
GROUP BY ps_partkey HAVING sum(ps_supplycost * ps_availqty) > (
    SELECT sum(all_of.ps_supplycost * all_of.ps_availqty) * 0.01 FROM partsupp all_of JOIN supplier s ON s.s_suppkey = all_of.ps_suppkey
    JOIN nation n ON n.n_nationkey = s.s_nationkey WHERE n.n_name = 'GERMANY')
ORDER BY value DESC;
