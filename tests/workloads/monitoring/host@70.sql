\set h random(1, 2000)
SELECT ts, metric, value FROM samples WHERE host_id = :h AND ts > now() - interval '1 hour' ORDER BY ts DESC LIMIT 100;
