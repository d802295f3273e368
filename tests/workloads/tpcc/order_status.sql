-- Asks for the state of a customer's last order.
\set w random(1, :warehouses)
\set d random(1, 10)
BEGIN;
\set by_name random(1, 100)
\if :by_name <= 60
-- pgbench knows numbers only: the last name is spelled here, and stands between quotes below.
\set names case when :customers >= 3 then :customers / 3 else 1 end
\set n (random(0, :names / 4) | random(0, :names - 1)) % :names
SELECT s[1 + :n / 100 % 10] || s[1 + :n / 10 % 10] || s[1 + :n % 10] AS last FROM (SELECT '{BAR,OUGHT,ABLE,PRI,PRES,ESE,ANTI,CALLY,ATION,EING}'::text[]) AS syllables (s) \gset
SELECT count(*) AS bearers FROM customer WHERE c_w_id = :w AND c_d_id = :d AND c_last = ':last' \gset
\set middle (:bearers - 1) / 2
SELECT c_id AS c FROM customer WHERE c_w_id = :w AND c_d_id = :d AND c_last = ':last' ORDER BY c_first LIMIT 1 OFFSET :middle \gset
\else
\set c 1 + (random(0, :customers / 3) | random(0, :customers - 1)) % :customers
\endif
SELECT c_balance, c_first, c_middle, c_last FROM customer WHERE c_w_id = :w AND c_d_id = :d AND c_id = :c;
SELECT o_id AS o, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = :w AND o_d_id = :d AND o_c_id = :c ORDER BY o_id DESC LIMIT 1 \gset
SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line WHERE ol_w_id = :w AND ol_d_id = :d AND ol_o_id = :o;
COMMIT;
