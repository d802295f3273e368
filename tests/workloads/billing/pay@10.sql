\set i random(1, 20000)
INSERT INTO payments (invoice_id, customer_id, amount) SELECT id, customer_id, 1 FROM invoices WHERE id = :i;
