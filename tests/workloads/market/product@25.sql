\set p random(1, 20000)
SELECT * FROM products WHERE id = :p;
