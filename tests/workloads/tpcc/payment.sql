-- Takes a customer's payment and books it in the warehouse, the district and the customer's account. Three payments in
-- twenty are made at a warehouse that is not the customer's own; six customers in ten give their last name only.
\set w random(1, :warehouses)
\set d random(1, 10)
\set amount random(100, 500000)
\set away random(1, 100)
\set cw case when :away > 85 then random(1, :warehouses) else :w end
\set cd case when :away > 85 then random(1, 10) else :d end
BEGIN;
UPDATE warehouse SET w_ytd = w_ytd + :amount * 0.01 WHERE w_id = :w;
SELECT w_name, w_street_1, w_street_2, w_city, w_state, w_zip FROM warehouse WHERE w_id = :w;
UPDATE district SET d_ytd = d_ytd + :amount * 0.01 WHERE d_w_id = :w AND d_id = :d;
SELECT d_name, d_street_1, d_street_2, d_city, d_state, d_zip FROM district WHERE d_w_id = :w AND d_id = :d;
\set by_name random(1, 100)
\if :by_name <= 60
-- pgbench knows numbers only: the last name is spelled here, and stands between quotes below.
\set names case when :customers >= 3 then :customers / 3 else 1 end
\set n (random(0, :names / 4) | random(0, :names - 1)) % :names
SELECT s[1 + :n / 100 % 10] || s[1 + :n / 10 % 10] || s[1 + :n % 10] AS last FROM (SELECT '{BAR,OUGHT,ABLE,PRI,PRES,ESE,ANTI,CALLY,ATION,EING}'::text[]) AS syllables (s) \gset
SELECT count(*) AS bearers FROM customer WHERE c_w_id = :cw AND c_d_id = :cd AND c_last = ':last' \gset
\set middle (:bearers - 1) / 2
SELECT c_id AS c FROM customer WHERE c_w_id = :cw AND c_d_id = :cd AND c_last = ':last' ORDER BY c_first LIMIT 1 OFFSET :middle \gset
\else
\set c 1 + (random(0, :customers / 3) | random(0, :customers - 1)) % :customers
\endif
SELECT (c_credit = 'BC')::integer AS bad FROM customer WHERE c_w_id = :cw AND c_d_id = :cd AND c_id = :c \gset
\if :bad
UPDATE customer SET c_balance = c_balance - :amount * 0.01, c_ytd_payment = c_ytd_payment + :amount * 0.01, c_payment_cnt = c_payment_cnt + 1, c_data = left(concat_ws(' ', :c, :cd, :cw, :d, :w, :amount, c_data), 500) WHERE c_w_id = :cw AND c_d_id = :cd AND c_id = :c;
\else
UPDATE customer SET c_balance = c_balance - :amount * 0.01, c_ytd_payment = c_ytd_payment + :amount * 0.01, c_payment_cnt = c_payment_cnt + 1 WHERE c_w_id = :cw AND c_d_id = :cd AND c_id = :c;
\endif
INSERT INTO history (h_c_id, h_c_d_id, h_c_w_id, h_d_id, h_w_id, h_date, h_amount, h_data) VALUES (:c, :cd, :cw, :d, :w, now(), :amount * 0.01, 'payment');
COMMIT;
