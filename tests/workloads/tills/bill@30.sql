\set s random(1, 400)
\set b random(1, 80)
SELECT l.line_no, g.name, l.qty * g.price * (1 + t.rate) FROM bills b JOIN bill_lines l ON l.shop_no = b.shop_no AND l.bill_no = b.bill_no JOIN goods g ON g.shop_no = l.shop_no AND g.good_no = l.good_no JOIN taxes t ON t.class = l.class WHERE b.shop_no = :s AND b.bill_no = :b;
