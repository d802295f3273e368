\set k random(1, 30000)
SELECT * FROM usertable WHERE ycsb_key >= 'user' || lpad((hashint4(:k)::bigint & 4294967295)::text, 10, '0') ORDER BY ycsb_key LIMIT 20;
