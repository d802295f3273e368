\set s random(1, 400)
\set g random(1, 50)
UPDATE goods SET price = 4 WHERE shop_no = :s AND good_no = :g;
