\set s random(1, 400)
\set g random(1, 50)
SELECT * FROM goods WHERE shop_no = :s AND good_no = :g;
