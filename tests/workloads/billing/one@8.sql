\set i random(1, 20000)
SELECT * FROM invoices WHERE id = :i;
