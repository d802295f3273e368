\set s random(1, 2000)
SELECT id, placed, status FROM orders WHERE seller_id = :s AND status = 'new' ORDER BY placed LIMIT 50;
