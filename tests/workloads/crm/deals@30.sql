\set t random(1, 1000)
select d1_0.id, d1_0.title, c1_0.name from deals d1_0 left join contacts c1_0 on c1_0.id=d1_0.contact_id and c1_0.tenant_id=d1_0.tenant_id where d1_0.tenant_id=:t and d1_0.stage='new' order by d1_0.id offset 0 rows fetch first 20 rows only;
