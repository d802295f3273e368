\set c random(1, 10000)
SELECT * FROM customers WHERE id = :c;
UPDATE customers SET name = 'x' WHERE id = :c;
