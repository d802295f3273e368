\set o random(1, 20000)
SELECT sku, qty FROM items WHERE order_no = :o * 7;
