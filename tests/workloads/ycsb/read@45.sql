\set k random_zipfian(1, 30000, 1.1)
SELECT * FROM usertable WHERE ycsb_key = 'user' || lpad((hashint4(:k)::bigint & 4294967295)::text, 10, '0');
