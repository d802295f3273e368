\set t random(1, 1000)
\set d random(1, 20000)
update deals set amount=7, contact_id=:d, stage='won', tenant_id=1 + :d % 1000, title='x', version=1 where id=:d and tenant_id=1 + :d % 1000 and version=0;
