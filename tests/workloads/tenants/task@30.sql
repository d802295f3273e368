\set t random_zipfian(1, 300, 1.05)
\set p random(1, 10)
\set i random(1, 20)
SELECT t.*, p.name, u.email FROM tasks t
JOIN projects p ON p.id = t.project_id AND p.tenant_id = t.tenant_id
LEFT JOIN users u ON u.id = t.assignee_id AND u.tenant_id = t.tenant_id
WHERE t.tenant_id = md5('tenant ' || :t)::uuid AND t.id = md5('task ' || :i || '/' || :p || '/' || :t)::uuid;
UPDATE tasks SET status = 'done', updated_at = now()
WHERE tenant_id = md5('tenant ' || :t)::uuid AND id = md5('task ' || :i || '/' || :p || '/' || :t)::uuid;
