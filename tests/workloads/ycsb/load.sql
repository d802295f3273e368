-- One table of opaque records: YCSB's shape.
CREATE TABLE usertable (ycsb_key varchar(20) PRIMARY KEY, field0 text, field1 text, field2 text, field3 text);
INSERT INTO usertable
SELECT 'user' || lpad((hashint4(i)::bigint & 4294967295)::text, 10, '0'), md5('0' || i), md5('1' || i), md5('2' || i), md5('3' || i)
FROM generate_series(1, 30000) i ON CONFLICT DO NOTHING;
ANALYZE;
