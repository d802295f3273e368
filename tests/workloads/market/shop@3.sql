\set s random(1, 2000)
SELECT * FROM sellers WHERE id = :s;
SELECT id, title FROM products WHERE seller_id = :s;
