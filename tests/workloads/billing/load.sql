-- Invoices and payments that are read through views, one of them on top of another.
CREATE TABLE invoices (id bigserial PRIMARY KEY, customer_id integer NOT NULL, total numeric NOT NULL, deleted boolean NOT NULL DEFAULT false, issued date NOT NULL DEFAULT current_date);
CREATE TABLE payments (id bigserial PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES invoices, customer_id integer NOT NULL, amount numeric NOT NULL);
CREATE VIEW live_invoices AS SELECT id, customer_id AS customer, total, issued FROM invoices WHERE NOT deleted;
CREATE VIEW open_items AS SELECT i.customer, i.id, i.total - coalesce(sum(p.amount), 0) AS due FROM live_invoices i LEFT JOIN payments p ON p.invoice_id = i.id AND p.customer_id = i.customer GROUP BY 1, 2, i.total;
INSERT INTO invoices (customer_id, total) SELECT 1 + abs(hashint4(i)) % 8000, 100 FROM generate_series(1, 20000) i;
INSERT INTO payments (invoice_id, customer_id, amount) SELECT id, customer_id, 50 FROM invoices;
CREATE INDEX ON invoices (customer_id); CREATE INDEX ON payments (customer_id);
ANALYZE;
