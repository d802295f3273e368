\set c random(1, 8000)
SELECT * FROM open_items WHERE customer = :c;
