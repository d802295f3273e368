-- Tables that are tied by business numbers, each with a row number of its own beside.
CREATE TABLE orders (row_id bigserial PRIMARY KEY, order_no bigint NOT NULL UNIQUE, customer_no integer NOT NULL, note text);
CREATE TABLE items (row_id bigserial PRIMARY KEY, order_no bigint NOT NULL, sku text, qty integer);
CREATE TABLE shelves (row_id bigserial PRIMARY KEY, label text, items integer);
INSERT INTO orders (order_no, customer_no, note) SELECT i * 7, 1 + abs(hashint4(i)) % 8000, 'note ' || i FROM generate_series(1, 20000) i;
INSERT INTO items (order_no, sku, qty) SELECT (1 + i % 20000) * 7, 'sku' || i % 500, 1 FROM generate_series(1, 40000) i;
INSERT INTO shelves (label, items) SELECT 'shelf ' || i, 0 FROM generate_series(1, 20000) i;
CREATE INDEX ON orders (customer_no); CREATE INDEX ON items (order_no);
ANALYZE;
