\set d random(1, 500)
INSERT INTO readings VALUES (now(), :d, 1.5, 1);
