\set s random(1, 20000)
SELECT * FROM shelves WHERE row_id = :s;
UPDATE shelves SET items = items + 1 WHERE row_id = :s;
