-- Every object that the extension owns: the surface cannot change by accident.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\set ECHO all
\pset null -

-- What belongs to the extension.
SELECT pg_describe_object(classid, objid, objsubid) COLLATE "C" AS object
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'foreshard')
ORDER BY object;

-- Not relocatable, not trusted.
SELECT extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'foreshard';
SELECT superuser, trusted, requires FROM pg_available_extension_versions WHERE name = 'foreshard' AND installed;

-- The functions.
SELECT p.oid::regproc::text COLLATE "C" AS function, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
       p.provolatile AS volatility, p.proisstrict AS strict, p.proparallel AS parallel, p.prosecdef AS security_definer
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'foreshard')
ORDER BY function \gx

-- The views' columns; the tables behind them are not for people.
SELECT c.relname AS view, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'foreshard'::regnamespace AND c.relkind = 'v'
GROUP BY c.relname ORDER BY view \gx
SELECT c.relname AS "table", string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END), ', ' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'foreshard'::regnamespace AND c.relkind = 'r'
GROUP BY c.relname ORDER BY "table" \gx
SELECT conrelid::regclass AS "table", conname AS constraint, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE connamespace = 'foreshard'::regnamespace ORDER BY conrelid::regclass::text COLLATE "C", conname COLLATE "C";

-- What pg_dump of the database takes along.
SELECT t::regclass::text COLLATE "C" AS relation, condition
FROM pg_extension, unnest(extconfig, extcondition) AS c(t, condition)
WHERE extname = 'foreshard' ORDER BY relation;

-- The settings, and that no other can be made under the prefix.
SELECT name, context, short_desc, extra_desc FROM pg_settings WHERE name LIKE 'foreshard.%' ORDER BY name COLLATE "C" \gx
SET foreshard.no_such_setting = 1;

-- Objects without a comment: there are none.
SELECT pg_describe_object(classid, objid, 0) AS without_comment
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'foreshard')
  AND coalesce(obj_description(objid, classid::regclass::name), '') = ''
ORDER BY 1;

-- What PUBLIC may do: nothing.
WITH owned AS (
    SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'foreshard')
), acl AS (
    SELECT classid, objid, coalesce(proacl, acldefault('f', proowner)) AS acl FROM pg_proc JOIN owned ON classid = 'pg_proc'::regclass AND objid = pg_proc.oid
    UNION ALL
    SELECT classid, objid, coalesce(relacl, acldefault('r', relowner)) FROM pg_class JOIN owned ON classid = 'pg_class'::regclass AND objid = pg_class.oid
    UNION ALL
    SELECT classid, objid, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace JOIN owned ON classid = 'pg_namespace'::regclass AND objid = pg_namespace.oid
)
SELECT pg_describe_object(classid, objid, 0) AS object, privilege_type AS for_public
FROM acl, aclexplode(acl) WHERE grantee = 0;

-- What others than the owner may do.
SELECT c.oid::regclass AS relation, a.grantee::regrole, string_agg(a.privilege_type, ', ') AS privileges
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'foreshard'::regnamespace AND a.grantee <> c.relowner
GROUP BY 1, 2 ORDER BY c.oid::regclass::text COLLATE "C";

-- A schema of one's own for restore_table; everything else stays in schema foreshard.
DROP EXTENSION foreshard;
CREATE SCHEMA test_elsewhere;
CREATE EXTENSION foreshard SCHEMA test_elsewhere;
SELECT p.oid::regprocedure FROM pg_proc p WHERE proname = 'restore_table';
-- A schema "foreshard" that is not the extension's is left alone.
DROP EXTENSION foreshard;
CREATE SCHEMA foreshard;
CREATE EXTENSION foreshard;
DROP SCHEMA foreshard;
DROP SCHEMA test_elsewhere;
SELECT nspname FROM pg_namespace WHERE nspname = 'foreshard';
