\set d random(1, 20000)
update contacts set email='a', name='b', phone='c', tenant_id=1 + :d % 1000, version=1 where id=:d and tenant_id=1 + :d % 1000 and version=0;
