\set c random(1, 10000)
SELECT id, placed, status FROM orders WHERE customer_id = :c ORDER BY placed DESC LIMIT 20;
