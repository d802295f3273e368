\set t random(1, 1000)
select c1_0.id, c1_0.email, c1_0.name, c1_0.phone, c1_0.tenant_id, c1_0.version from contacts c1_0 where c1_0.tenant_id=:t order by c1_0.name fetch first 20 rows only;
