\set m random(1, 4000)
SELECT metric, avg(value) FROM samples WHERE ts >= now() - :m * interval '1 min' AND ts < now() - (:m - 10) * interval '1 min' GROUP BY metric;
