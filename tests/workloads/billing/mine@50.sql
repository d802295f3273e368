\set c random(1, 8000)
SELECT * FROM live_invoices WHERE customer = :c ORDER BY issued DESC LIMIT 20;
