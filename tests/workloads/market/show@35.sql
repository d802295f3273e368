\set o random(1, 20000)
SELECT o.*, l.line_no, l.product_id, l.quantity FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.id = :o;
