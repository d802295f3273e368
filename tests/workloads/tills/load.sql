-- Bills of many shops, with composite natural keys.
CREATE TABLE shops (shop_no integer PRIMARY KEY, name text, city text);
CREATE TABLE goods (shop_no integer NOT NULL REFERENCES shops, good_no integer NOT NULL, name text, price numeric, PRIMARY KEY (shop_no, good_no));
CREATE TABLE bills (shop_no integer NOT NULL REFERENCES shops, bill_no integer NOT NULL, at timestamptz NOT NULL DEFAULT now(), total numeric, PRIMARY KEY (shop_no, bill_no));
CREATE TABLE taxes (class smallint PRIMARY KEY, rate numeric NOT NULL);
CREATE TABLE bill_lines (shop_no integer NOT NULL, bill_no integer NOT NULL, line_no smallint NOT NULL, good_no integer NOT NULL, class smallint NOT NULL REFERENCES taxes, qty integer, PRIMARY KEY (shop_no, bill_no, line_no), FOREIGN KEY (shop_no, bill_no) REFERENCES bills, FOREIGN KEY (shop_no, good_no) REFERENCES goods);
INSERT INTO shops SELECT i, 'shop ' || i, 'city ' || i % 20 FROM generate_series(1, 400) i;
INSERT INTO goods SELECT s, g, 'good ' || g, 3 FROM generate_series(1, 400) s, generate_series(1, 50) g;
INSERT INTO taxes VALUES (1, 0.07), (2, 0.19), (3, 0);
INSERT INTO bills (shop_no, bill_no, total) SELECT s, b, 5 FROM generate_series(1, 400) s, generate_series(1, 80) b;
INSERT INTO bill_lines SELECT s, b, l, 1 + (b * l) % 50, 1 + l % 3, 1 FROM generate_series(1, 400) s, generate_series(1, 80) b, generate_series(1, 3) l;
ANALYZE;
