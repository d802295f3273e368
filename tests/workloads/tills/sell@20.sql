\set s random(1, 400)
\set b random(1000, 2000000000)
BEGIN;
INSERT INTO bills (shop_no, bill_no, total) VALUES (:s, :b, 3) ON CONFLICT DO NOTHING;
INSERT INTO bill_lines VALUES (:s, :b, 1, 5, 1, 2) ON CONFLICT DO NOTHING;
COMMIT;
