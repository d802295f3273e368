\set d random(1, 500)
\set h random(0, 20)
SELECT ts, value FROM readings WHERE device_id = :d AND ts BETWEEN timestamptz '2025-01-01 00:00:00+00' + :h * interval '1 day'
AND timestamptz '2025-01-02 00:00:00+00' + :h * interval '1 day' ORDER BY ts;
