-- A market place: orders that two parties look for, and their lines.
CREATE TABLE customers (id integer PRIMARY KEY, email text NOT NULL UNIQUE, name text);
CREATE TABLE sellers (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE products (id integer PRIMARY KEY, seller_id integer NOT NULL REFERENCES sellers, title text, stock integer NOT NULL DEFAULT 100);
CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers, seller_id integer NOT NULL REFERENCES sellers, placed timestamptz NOT NULL DEFAULT now(), status text NOT NULL DEFAULT 'new');
CREATE TABLE order_lines (order_id bigint NOT NULL REFERENCES orders, line_no smallint NOT NULL, product_id integer NOT NULL REFERENCES products, quantity integer NOT NULL, PRIMARY KEY (order_id, line_no));
INSERT INTO customers SELECT i, 'c' || i || '@example.org', 'customer ' || i FROM generate_series(1, 10000) i;
INSERT INTO sellers SELECT i, 'seller ' || i FROM generate_series(1, 2000) i;
INSERT INTO products SELECT i, 1 + i % 2000, 'product ' || i, 1000000 FROM generate_series(1, 20000) i;
INSERT INTO orders (customer_id, seller_id, placed) SELECT 1 + abs(hashint4(i)) % 10000, 1 + abs(hashint4(i + 3)) % 2000, timestamptz '2025-01-01' + i * interval '30 s' FROM generate_series(1, 20000) i;
INSERT INTO order_lines SELECT o, l, 1 + abs(hashint4(o * 7 + l)) % 20000, 2 FROM generate_series(1, 20000) o, generate_series(1, 3) l;
CREATE INDEX ON orders (customer_id); CREATE INDEX ON orders (seller_id);
ANALYZE;
