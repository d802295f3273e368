\set t random_zipfian(1, 300, 1.05)
SELECT * FROM tenants WHERE id = md5('tenant ' || :t)::uuid;
SELECT * FROM tasks WHERE tenant_id = md5('tenant ' || :t)::uuid AND status = 'todo' ORDER BY due LIMIT 20;
SELECT status, count(*) FROM tasks WHERE tenant_id = md5('tenant ' || :t)::uuid GROUP BY status;
