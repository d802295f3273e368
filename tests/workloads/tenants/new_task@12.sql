\set t random_zipfian(1, 300, 1.05)
\set p random(1, 10)
INSERT INTO tasks (tenant_id, project_id, title) VALUES (md5('tenant ' || :t)::uuid, md5('project ' || :p || '/' || :t)::uuid, 'new');
