\set t random_zipfian(1, 300, 1.05)
SELECT * FROM projects WHERE tenant_id = md5('tenant ' || :t)::uuid ORDER BY name;
SELECT * FROM users WHERE tenant_id = md5('tenant ' || :t)::uuid ORDER BY email LIMIT 10;
