\set o random(1, 20000)
UPDATE orders SET note = 'x' WHERE row_id = :o;
UPDATE items SET qty = 2 WHERE row_id = :o;
