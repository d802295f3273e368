\set h random(1, 2000)
SELECT h.name, s.value FROM hosts h JOIN samples s ON s.host_id = h.host_id WHERE h.host_id = :h AND s.ts > now() - interval '10 min';
