-- Backups that cannot be read, or are none: SQLSTATE, message, DETAIL and HINT; and nothing is left behind.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
SET client_min_messages = warning;
\set ECHO all
\pset format unaligned
\pset tuples_only on
\set off '{"query_log": "off"}'

-- No such file, not absolute, not readable, a directory, a device, nothing.
SELECT test.refused('shop.orders', 'missing.dump', :'off');
SELECT test.refused('shop.orders', 'shop.dump/inside', :'off');
SELECT test.refused('shop.orders', '$shop.dump', :'off');
SELECT test.refused('shop.orders', '$', :'off');
SELECT test.refused('shop.orders', '$~/shop.dump', :'off');
SELECT test.refused('shop.orders', '$file:///shop.dump', :'off');
SELECT test.refused('shop.orders', '$/dev/null', :'off');
SELECT test.refused('shop.orders', repeat('x', 300), :'off');
\! cp $FORESHARD_BACKUPS/shop.dump $FORESHARD_BACKUPS/secret.dump && chmod 000 $FORESHARD_BACKUPS/secret.dump
SELECT test.refused('shop.orders', 'secret.dump', :'off');
\! cp -r $FORESHARD_BACKUPS/shop.dir $FORESHARD_BACKUPS/secret.dir && chmod 000 $FORESHARD_BACKUPS/secret.dir/toc.dat
SELECT test.refused('shop.orders', 'secret.dir', :'off');
\! mkdir $FORESHARD_BACKUPS/hollow.dir
SELECT test.refused('shop.orders', 'hollow.dir', :'off');
\! : > $FORESHARD_BACKUPS/empty.dump
SELECT test.refused('shop.orders', 'empty.dump', :'off');
SELECT test.refused('shop.orders', 'empty.dump', '{"query_log": "off", "format": "custom"}');
SELECT test.refused('shop.orders', 'shop.dir/toc.dat', :'off');

-- No backup at all.
\! head -c 100000 /dev/zero > $FORESHARD_BACKUPS/zeros.dump
SELECT test.refused('shop.orders', 'zeros.dump', :'off');
\! printf 'id,name\n1,a\n2,b\n' > $FORESHARD_BACKUPS/rows.csv
SELECT test.refused('shop.orders', 'rows.csv', :'off');
\! printf '\211PNG\r\n\032\n and so on' > $FORESHARD_BACKUPS/picture.png
SELECT test.refused('shop.orders', 'picture.png', :'off');
\! printf 'SELECT 1;\n' > $FORESHARD_BACKUPS/select.sql
SELECT test.refused('shop.orders', 'select.sql', :'off');
\! printf 'This is a letter, not a dump.\n' > $FORESHARD_BACKUPS/letter.sql
SELECT test.refused('shop.orders', 'letter.sql', :'off');
SELECT test.refused('shop.orders', 'letter.sql', '{"query_log": "off", "format": "plain"}');
SELECT test.refused('shop.orders', 'letter.sql', '{"query_log": "off", "format": "custom"}');
SELECT test.refused('shop.orders', 'shop.sql', '{"query_log": "off", "format": "tar"}');

-- An archive compressed as a whole.
\! gzip -c $FORESHARD_BACKUPS/shop.dump > $FORESHARD_BACKUPS/shop.dump.gz
SELECT test.refused('shop.orders', 'shop.dump.gz', :'off');

-- Cut off: in the table of contents, in the data, in a statement, between two rows.
\! head -c 20 $FORESHARD_BACKUPS/shop.dump > $FORESHARD_BACKUPS/cut.dump
SELECT test.refused('shop.orders', 'cut.dump', :'off');
\! head -c 3000 $FORESHARD_BACKUPS/shop.dump > $FORESHARD_BACKUPS/cut.dump
SELECT test.refused('shop.orders', 'cut.dump', :'off');
\! pg_dump -Fc -Z0 -t original.orders -f $FORESHARD_BACKUPS/large.dump && head -c 200000 $FORESHARD_BACKUPS/large.dump > $FORESHARD_BACKUPS/cut.dump
SELECT test.refused('shop.orders', 'cut.dump', '{"query_log": "off", "source": "original.orders"}');
SELECT test.refused('shop.orders', 'cut.dump', '{"query_log": "off", "source": "original.orders", "profile": "off"}', only_load => true);
\! awk '/^COPY shop.orders /{n = NR} {print} n && NR == n + 300 {exit}' $FORESHARD_BACKUPS/shop.sql > $FORESHARD_BACKUPS/cut.sql
SELECT test.refused('shop.orders', 'cut.sql', :'off');
\! sed '/^CREATE TABLE shop.orders /{n;q}' $FORESHARD_BACKUPS/shop.sql > $FORESHARD_BACKUPS/cut.sql
SELECT test.refused('shop.orders', 'cut.sql', :'off');
\! head -c 200000 $FORESHARD_BACKUPS/shop.tar > $FORESHARD_BACKUPS/cut.tar
SELECT test.refused('shop.orders', 'cut.tar', :'off');
\! head -c 700 $FORESHARD_BACKUPS/shop.tar > $FORESHARD_BACKUPS/cut.tar
SELECT test.refused('shop.orders', 'cut.tar', :'off');
-- Damaged in the middle of compressed data, and a directory without the file of the table.
\! cp $FORESHARD_BACKUPS/shop.dump $FORESHARD_BACKUPS/bad.dump && printf 'XXXXXXXXXXXXXXXXXXXX' | dd of=$FORESHARD_BACKUPS/bad.dump bs=1 seek=$(($(stat -c %s $FORESHARD_BACKUPS/bad.dump) / 2)) conv=notrunc status=none
SELECT left(test.refused('shop.items', 'bad.dump', :'off'), 5);
\! cp -r $FORESHARD_BACKUPS/shop.dir $FORESHARD_BACKUPS/bad.dir && rm $FORESHARD_BACKUPS/bad.dir/*.dat.gz
SELECT test.refused('shop.orders', 'bad.dir', :'off');
-- An archive of a pg_dump that is newer than anything.
\! cp $FORESHARD_BACKUPS/shop.dump $FORESHARD_BACKUPS/newer.dump && printf '\143' | dd of=$FORESHARD_BACKUPS/newer.dump bs=1 seek=6 conv=notrunc status=none
SELECT test.refused('shop.orders', 'newer.dump', :'off');

-- Dumps without what a restore needs: rows as INSERTs, no definition.
\! pg_dump --inserts -t original.countries -f $FORESHARD_BACKUPS/inserts.sql && pg_dump -Fc --column-inserts -t original.countries -f $FORESHARD_BACKUPS/inserts.dump
SELECT test.refused('shop.countries', 'inserts.sql', '{"query_log": "off", "source": "original.countries"}');
SELECT test.refused('shop.countries', 'inserts.dump', '{"query_log": "off", "source": "original.countries"}');
\! pg_dump --data-only -t original.countries -f $FORESHARD_BACKUPS/data.sql
SELECT test.refused('shop.countries', 'data.sql', '{"query_log": "off", "source": "original.countries"}');
\! pg_dump --schema-only -t original.countries -f $FORESHARD_BACKUPS/schema.sql
SELECT test.refused('shop.countries', 'schema.sql', '{"query_log": "off", "source": "original.countries"}', only_load => true);

-- The program that reads archives.
SET foreshard.pg_restore = '/nowhere/pg_restore';
SELECT test.refused('shop.orders', 'shop.dump', :'off');
SET foreshard.pg_restore = '/bin/false';
SELECT test.refused('shop.orders', 'shop.dump', :'off');
SET foreshard.pg_restore = '/bin/true';
SELECT test.refused('shop.orders', 'shop.dump', :'off');
SET foreshard.pg_restore = '/tmp';
SELECT test.refused('shop.orders', 'shop.dump', :'off');
-- A plain dump needs none.
SELECT rows FROM restore_table('shop.orders', test.backup('shop.sql'), '{"query_log": "off"}');
DROP TABLE shop.orders;
RESET foreshard.pg_restore;

-- Not caught by anything: the server says it as it says its own errors, and the transaction is over.
BEGIN;
SELECT restore_table('shop.orders', '/nowhere/shop.dump');
SELECT 1;
ROLLBACK;
SELECT rows FROM restore_table('shop.orders', test.backup('shop.dump'), :'off');
\set ECHO none
\! chmod 600 $FORESHARD_BACKUPS/secret.dump $FORESHARD_BACKUPS/secret.dir/toc.dat
DROP EXTENSION foreshard;
DROP SCHEMA test, original, shop CASCADE;
