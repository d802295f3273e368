\set c random(1, 8000)
SELECT order_no, note FROM orders WHERE customer_no = :c;
