-- Takes an order of five to fifteen lines. Items ascend within an order, so that two orders never wait for each other's
-- stock; one line in a hundred comes from another warehouse, and one order in a hundred is taken back at the end. The
-- lines are written out, since pgbench has no loop: the log then holds what an application would send. (pgbench 15 writes past its list when
-- a script's 128th command ends in \gset: mind it when adding one.)
\set w random(1, :warehouses)
\set d random(1, 10)
\set c 1 + (random(0, :customers / 3) | random(0, :customers - 1)) % :customers
\set lines random(5, 15)
\set i 0
BEGIN;
SELECT w_tax FROM warehouse WHERE w_id = :w \gset
UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = :w AND d_id = :d RETURNING d_next_o_id - 1 AS o, d_tax \gset
SELECT c_discount, c_last, c_credit FROM customer WHERE c_w_id = :w AND c_d_id = :d AND c_id = :c \gset
INSERT INTO orders (o_w_id, o_d_id, o_id, o_c_id, o_entry_d, o_ol_cnt) VALUES (:w, :d, :o, :c, now(), :lines);
INSERT INTO new_order (no_w_id, no_d_id, no_o_id) VALUES (:w, :d, :o);

-- line 1
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 1, :i, :s, :q, :q * :i_price, ':dist');

-- line 2
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 2, :i, :s, :q, :q * :i_price, ':dist');

-- line 3
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 3, :i, :s, :q, :q * :i_price, ':dist');

-- line 4
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 4, :i, :s, :q, :q * :i_price, ':dist');

-- line 5
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 5, :i, :s, :q, :q * :i_price, ':dist');

-- line 6
\if :lines >= 6
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 6, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 7
\if :lines >= 7
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 7, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 8
\if :lines >= 8
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 8, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 9
\if :lines >= 9
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 9, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 10
\if :lines >= 10
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 10, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 11
\if :lines >= 11
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 11, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 12
\if :lines >= 12
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 12, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 13
\if :lines >= 13
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 13, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 14
\if :lines >= 14
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 14, :i, :s, :q, :q * :i_price, ':dist');
\endif

-- line 15
\if :lines >= 15
\set i :i + random(1, :items / 15)
\set q random(1, 10)
\set s case when random(1, 100) > 1 then :w else random(1, :warehouses) end
SELECT i_price, i_name, i_data FROM item WHERE i_id = :i \gset
SELECT s_quantity, s_data, (ARRAY[s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10])[:d] AS dist FROM stock WHERE s_i_id = :i AND s_w_id = :s FOR NO KEY UPDATE \gset
\set left case when :s_quantity >= :q + 10 then :s_quantity - :q else :s_quantity - :q + 91 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + (:s <> :w)::integer WHERE s_i_id = :i AND s_w_id = :s;
INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) VALUES (:w, :d, :o, 15, :i, :s, :q, :q * :i_price, ':dist');
\endif

\set taken_back random(1, 100)
\if :taken_back = 1
ROLLBACK;
\else
COMMIT;
\endif
