\set h random(0, 500)
SELECT device_id, avg(value), max(value) FROM readings
WHERE ts >= timestamptz '2025-01-01 00:00:00+00' + :h * interval '1 h' AND ts < timestamptz '2025-01-01 00:00:00+00' + (:h + 1) * interval '1 h'
GROUP BY device_id;
