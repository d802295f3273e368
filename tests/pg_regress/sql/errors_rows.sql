-- Rows that cannot be loaded, and text in other encodings: SQLSTATE, message, DETAIL and HINT; nothing is left behind.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE SCHEMA old;
CREATE TABLE old.prices (id int PRIMARY KEY, name text NOT NULL, price numeric(6, 2) CHECK (price > 0), day date UNIQUE);
INSERT INTO old.prices SELECT n, 'Käse ' || n, n, date '2024-01-01' + n FROM generate_series(1, 50) AS n;
INSERT INTO old.prices VALUES (51, 'without a price', NULL, NULL);
CREATE FUNCTION old.veto() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the trigger ran'; END $$;
CREATE TRIGGER veto BEFORE INSERT ON old.prices FOR EACH ROW EXECUTE FUNCTION old.veto();
\! cd $FORESHARD_BACKUPS && pg_dump -t old.prices -f prices.sql && pg_dump -t old.prices -E LATIN1 -f latin1.sql && pg_dump -t old.prices -Fc -E LATIN1 -f latin1.dump
\set prices '{"query_log": "off", "source": "old.prices", "shard_key": ["id"], "shard_count": 2}'
\set unprofiled '{"query_log": "off", "source": "old.prices", "shard_key": ["id"], "shard_count": 2, "profile": "off"}'
CREATE FUNCTION test.edited(config jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT test.refused('shop.prices', 'edited.sql', config, only_load => true)
$$;
\set ECHO all
\pset format unaligned
\pset tuples_only on

-- As it was dumped: it works; triggers do not fire on the way in.
SELECT rows, shard_count FROM restore_table('shop.prices', test.backup('prices.sql'), :'prices');
SELECT test.differences('old.prices', 'shop.prices');
DROP TABLE shop.prices;
-- A value that breaks a CHECK, one that is NULL, one that is doubled, one that is no value of its type.
\! sed 's/^7\t\(.*\)\t7.00/7\t\1\t-7.00/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! sed 's/^7\tKäse 7/7\t\\N/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! sed 's/^7\t/8\t/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! sed 's/^7\t/seven\t/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! sed 's/^7\t/99999999999\t/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! sed 's/\t7.00\t/\t1234567.00\t/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! sed 's/2024-01-08/2024-13-08/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
-- A NULL in a range key.
SELECT test.refused('shop.prices', 'prices.sql', '{"query_log": "off", "source": "old.prices", "shard_key": ["day"], "method": "range", "shard_count": 3, "unique": "per_shard"}');
-- Too few and too many columns; a line that is empty; a text that is no rows.
\! sed 's/^7\tKäse 7\t/7\t/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
SELECT test.edited(:'unprofiled');
\! sed 's/^7\tKäse 7\t/7\tKäse\t7\t/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
SELECT test.edited(:'unprofiled');
\! sed 's/^7\t.*//' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
SELECT test.edited(:'unprofiled');
-- A column that the table does not have, and one that the section lacks.
\! sed 's/^COPY old.prices (id, name, price, day)/COPY old.prices (id, nome, price, day)/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! sed '/^COPY old.prices/s/, day)/)/; /^[0-9]*\t/s/\t[^\t]*$//' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
SELECT rows FROM restore_table('shop.prices', test.backup('edited.sql'), '{"query_log": "off", "source": "old.prices", "verify": "count"}');
SELECT count(*), count(day) FROM shop.prices;
DROP TABLE shop.prices;

-- Another encoding is converted, in a script and in an archive.
\! grep -c 'Käse' $FORESHARD_BACKUPS/latin1.sql
SELECT rows FROM restore_table('shop.prices', test.backup('latin1.sql'), :'prices');
SELECT test.differences('old.prices', 'shop.prices');
DROP TABLE shop.prices;
SELECT rows FROM restore_table('shop.prices', test.backup('latin1.dump'), :'prices');
SELECT test.differences('old.prices', 'shop.prices');
DROP TABLE shop.prices;
-- Bytes that are no UTF-8, and an encoding that there is not.
\! sed "s/client_encoding = 'LATIN1'/client_encoding = 'UTF8'/" $FORESHARD_BACKUPS/latin1.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
SELECT test.edited(:'unprofiled');
\! sed "s/client_encoding = 'LATIN1'/client_encoding = 'KLINGON'/" $FORESHARD_BACKUPS/latin1.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! LC_ALL=C sed 's/^7\tK..se/7\tK\\0se/' $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');
\! LC_ALL=C tr 'K' '\000' < $FORESHARD_BACKUPS/prices.sql > $FORESHARD_BACKUPS/edited.sql
SELECT test.edited(:'prices');

-- Files of rows: options that COPY does not take, columns that do not fit.
\set csv '{"query_log": "off", "format": "csv", "like": "old.prices"}'
COPY (SELECT * FROM old.prices ORDER BY id) TO STDOUT CSV HEADER \g :backups/prices.csv
SELECT test.refused('shop.prices', 'prices.csv', :'csv', only_load => true);
SELECT test.refused('shop.prices', 'prices.csv', :'csv'::jsonb || '{"copy": {"header": true, "delimiter": "ab"}}');
SELECT test.refused('shop.prices', 'prices.csv', :'csv'::jsonb || '{"copy": {"header": true, "delimiter": "\n"}}');
SELECT test.refused('shop.prices', 'prices.csv', :'csv'::jsonb || '{"copy": {"header": true, "quote": ","}}');
SELECT test.refused('shop.prices', 'prices.csv', :'csv'::jsonb || '{"copy": {"header": true, "delimiter": ";"}}');
SELECT test.refused('shop.prices', 'prices.csv', :'csv'::jsonb || '{"copy": {"header": true, "encoding": "KLINGON"}}');
SELECT test.refused('shop.prices', 'prices.csv', :'csv'::jsonb || '{"copy": {"header": true, "columns": ["id", "name"]}}');
SELECT test.refused('shop.prices', 'prices.csv', :'csv'::jsonb || '{"copy": {"header": true, "columns": ["id", "name", "price", "tag"]}}');
SELECT test.refused('shop.prices', 'prices.csv', :'csv'::jsonb || '{"copy": {"header": true, "columns": ["id", "id", "price", "day"]}}');
\! head -c 300 $FORESHARD_BACKUPS/prices.csv > $FORESHARD_BACKUPS/cut.csv && printf '"' >> $FORESHARD_BACKUPS/cut.csv
SELECT test.refused('shop.prices', 'cut.csv', :'csv'::jsonb || '{"copy": {"header": true}}');
SELECT rows FROM restore_table('shop.prices', test.backup('prices.csv'), :'csv'::jsonb || '{"copy": {"header": true}, "shard_key": ["id"], "shard_count": 2}');
SELECT test.differences('old.prices', 'shop.prices');

\set ECHO none
DROP EXTENSION foreshard;
DROP SCHEMA test, shop, old CASCADE;
