-- Delivers the oldest waiting order of each of a warehouse's ten districts. A warehouse has one delivery agent: each
-- pgbench client serves warehouses of its own, so that no order is delivered twice.
\set w 1 + :client_id % :warehouses
\set own (:warehouses - :w) / :clients
\set w :w + :clients * random(0, :own)
\set carrier random(1, 10)
BEGIN;

-- district 1
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 1 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 1 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 1 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 1 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 1 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 1 AND c_id = :c;
\endif

-- district 2
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 2 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 2 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 2 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 2 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 2 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 2 AND c_id = :c;
\endif

-- district 3
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 3 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 3 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 3 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 3 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 3 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 3 AND c_id = :c;
\endif

-- district 4
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 4 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 4 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 4 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 4 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 4 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 4 AND c_id = :c;
\endif

-- district 5
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 5 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 5 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 5 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 5 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 5 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 5 AND c_id = :c;
\endif

-- district 6
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 6 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 6 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 6 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 6 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 6 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 6 AND c_id = :c;
\endif

-- district 7
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 7 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 7 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 7 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 7 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 7 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 7 AND c_id = :c;
\endif

-- district 8
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 8 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 8 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 8 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 8 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 8 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 8 AND c_id = :c;
\endif

-- district 9
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 9 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 9 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 9 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 9 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 9 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 9 AND c_id = :c;
\endif

-- district 10
SELECT coalesce(min(no_o_id), 0) AS o FROM new_order WHERE no_w_id = :w AND no_d_id = 10 \gset
\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = 10 AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = 10 AND o_id = :o RETURNING o_c_id AS c \gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = 10 AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = 10 AND ol_o_id = :o \gset
UPDATE customer SET c_balance = c_balance + :total, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = 10 AND c_id = :c;
\endif

COMMIT;
