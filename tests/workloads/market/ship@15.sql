\set o random(1, 20000)
UPDATE orders SET status = 'shipped' WHERE id = :o;
