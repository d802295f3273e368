\set c random(1, 10000)
\set p random(1, 20000)
BEGIN;
UPDATE products SET stock = stock - 1 WHERE id = :p;
INSERT INTO orders (customer_id, seller_id) VALUES (:c, 5);
INSERT INTO order_lines VALUES (currval('orders_id_seq'), 1, :p, 1);
COMMIT;
