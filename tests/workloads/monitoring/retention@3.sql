\set s random(0, 20000)
DELETE FROM samples WHERE ts < now() - interval '3 days' + :s * interval '1 s';
