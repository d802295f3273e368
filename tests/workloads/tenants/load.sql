-- Software as a service: every row belongs to a tenant, and has a uuid for its primary key.
CREATE TABLE tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, plan text NOT NULL DEFAULT 'free');
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants, email text NOT NULL UNIQUE);
CREATE TABLE projects (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants, name text NOT NULL);
CREATE TABLE tasks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants,
    project_id uuid NOT NULL REFERENCES projects, assignee_id uuid REFERENCES users, title text NOT NULL,
    status text NOT NULL DEFAULT 'todo', due date, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL);
INSERT INTO countries SELECT chr(65 + i / 26) || chr(65 + i % 26), 'country ' || i FROM generate_series(0, 199) i;
INSERT INTO tenants (id, name) SELECT md5('tenant ' || i)::uuid, 'tenant ' || i FROM generate_series(1, 300) i;
INSERT INTO users (id, tenant_id, email)
SELECT md5('user ' || i || '/' || t)::uuid, md5('tenant ' || t)::uuid, 'u' || i || '@' || t FROM generate_series(1, 300) t, generate_series(1, 20) i;
INSERT INTO projects (id, tenant_id, name)
SELECT md5('project ' || i || '/' || t)::uuid, md5('tenant ' || t)::uuid, 'p' || i FROM generate_series(1, 300) t, generate_series(1, 10) i;
INSERT INTO tasks (id, tenant_id, project_id, assignee_id, title, due)
SELECT md5('task ' || i || '/' || p || '/' || t)::uuid, md5('tenant ' || t)::uuid, md5('project ' || p || '/' || t)::uuid,
       md5('user ' || p || '/' || t)::uuid, 'task ' || i, date '2025-01-01' + i
FROM generate_series(1, 300) t, generate_series(1, 10) p, generate_series(1, 20) i;
CREATE INDEX tasks_by_status ON tasks (tenant_id, status);
CREATE INDEX tasks_by_project ON tasks (project_id);
ANALYZE;
