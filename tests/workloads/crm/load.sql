-- Contacts and deals of many tenants, written by an object mapper that saves whole rows.
CREATE TABLE contacts (id bigserial PRIMARY KEY, tenant_id integer NOT NULL, name text, email text, phone text, version integer NOT NULL DEFAULT 0);
CREATE TABLE deals (id bigserial PRIMARY KEY, tenant_id integer NOT NULL, contact_id bigint NOT NULL REFERENCES contacts, title text, amount numeric, stage text, version integer NOT NULL DEFAULT 0);
INSERT INTO contacts (tenant_id, name, email) SELECT 1 + i % 1000, 'n' || i, 'e' || i FROM generate_series(1, 20000) i;
INSERT INTO deals (tenant_id, contact_id, title, amount, stage) SELECT 1 + i % 1000, i, 't' || i, 5, 'new' FROM generate_series(1, 20000) i;
CREATE INDEX ON contacts (tenant_id); CREATE INDEX ON deals (tenant_id);
ANALYZE;
