\set s random(1, 400)
SELECT count(*), sum(total) FROM bills WHERE shop_no = :s AND at > now() - interval '1 day';
SELECT name FROM shops WHERE shop_no = :s;
