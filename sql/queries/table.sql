-- The definition of the table $1 as statements in pg_dump's order; names are qualified because search_path is pinned.
-- How much of it is $2: 1 for what another table needs to be like it, 2 for all that pg_dump would say. Of the tables $3 there are
-- columns, unique keys and references.
WITH t AS (
    SELECT c.*, format('%I.%I', n.nspname, c.relname) AS name, CASE WHEN c.oid = $1 THEN $2 ELSE 0 END AS depth
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = $1 OR c.oid = ANY ($3)
), a AS (
    SELECT a.*, t.name, t.depth, d.oid AS default_oid, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default_value
    FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
), seq AS (
    -- Sequences that belong to columns get copies of their own.
    SELECT s.oid, s.relname, s.relowner, s.relacl, s.relpersistence, format('%I.%I', n.nspname, s.relname) AS name,
           a.name AS table_name, a.attname, a.attnum, a.attidentity, q.seqtypid,
           format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s', q.seqstart, q.seqincrement, q.seqmin, q.seqmax,
                  q.seqcache, CASE WHEN q.seqcycle THEN ' CYCLE' ELSE '' END) AS options
    FROM a JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid
        AND d.refobjsubid = a.attnum AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
    WHERE a.depth = 2
), numbered AS (
    SELECT attnum FROM seq WHERE attidentity <> ''
    UNION
    SELECT a.attnum FROM a JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = a.default_oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM seq)
    WHERE a.depth = 2
), k AS (
    -- What is checked of every row is in CREATE TABLE; all else is added to it.
    SELECT k.*, t.name, t.depth, pg_catalog.pg_get_constraintdef(k.oid) AS definition,
           CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS suffix,
           t.depth = 2 AND k.contype = 'c' AND k.convalidated AS inside
    FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid
    WHERE k.contype IN ('c', 'p', 'u', 'x', 'f') AND k.conparentid = 0 AND (t.depth > 0 OR k.contype IN ('p', 'u', 'f'))
), i AS (
    SELECT i.*, t.name AS table_name, t.depth, x.relname, format('%I.%I', n.nspname, x.relname) AS name,
           (SELECT string_agg(format('%I=%L', o.option_name, o.option_value), ', ') FROM pg_catalog.pg_options_to_table(x.reloptions) o) AS options
    FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
    WHERE i.indisvalid OR t.relkind = 'p'
), x AS (
    SELECT x.*, t.name AS table_name, t.depth, format('%I.%I', n.nspname, x.stxname) AS name
    FROM t JOIN pg_catalog.pg_statistic_ext x ON x.stxrelid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = x.stxnamespace
    WHERE t.depth > 0
), objects(class, oid, part, depth, name) AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, t.oid, 0, t.depth, 'TABLE ' || t.name FROM t
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, a.attrelid, a.attnum, a.depth, format('COLUMN %s.%I', a.name, a.attname) FROM a
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid, 0, i.depth - 1, 'INDEX ' || i.name FROM i
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, seq.oid, 0, 1, 'SEQUENCE ' || seq.name FROM seq
    UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, 0, k.depth - 1, format('CONSTRAINT %I ON %s', k.conname, k.name) FROM k
    UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, x.oid, 0, x.depth - 1, 'STATISTICS ' || x.name FROM x
    UNION ALL SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, g.oid, 0, t.depth - 1, format('TRIGGER %I ON %s', g.tgname, t.name)
    FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
    UNION ALL SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, 0, t.depth - 1, format('RULE %I ON %s', r.rulename, t.name)
    FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
    UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, 0, t.depth - 1, format('POLICY %I ON %s', p.polname, t.name)
    FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
), granted AS (
    -- An owner's own rights are said where they are not all of them.
    SELECT o.place, o.object, o.owner, x.grantor, x.grantee, x.is_grantable, min(x.nth) AS nth,
           string_agg(x.privilege_type || o.columns, ', ' ORDER BY x.nth) AS privileges
    FROM (SELECT 0 AS place, 'TABLE ' || name AS object, '' AS columns, relowner AS owner, relacl AS acl, pg_catalog.acldefault('r', relowner) AS usual
          FROM t WHERE depth = 2
          UNION ALL
          SELECT a.attnum, 'TABLE ' || a.name, format(' (%I)', a.attname), t.relowner, a.attacl, NULL FROM a JOIN t ON t.oid = a.attrelid WHERE a.depth = 2
          UNION ALL
          SELECT 10000 + attnum, 'SEQUENCE ' || name, '', relowner, relacl, pg_catalog.acldefault('s', relowner) FROM seq) o
    CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) WITH ORDINALITY x(grantor, grantee, privilege_type, is_grantable, nth)
    WHERE x.grantee <> o.owner OR o.usual IS NULL
       OR (SELECT array_agg(m.privilege_type ORDER BY m.privilege_type) FROM pg_catalog.aclexplode(o.acl) m WHERE m.grantee = o.owner)
          IS DISTINCT FROM (SELECT array_agg(m.privilege_type ORDER BY m.privilege_type) FROM pg_catalog.aclexplode(o.usual) m WHERE m.grantee = o.owner)
    GROUP BY o.place, o.object, o.owner, x.grantor, x.grantee, x.is_grantable
), statements(stage, place, step, statement) AS (
    SELECT 1, t.oid::pg_catalog.int8, 0, format('CREATE %sTABLE %s (%s)', CASE WHEN t.depth = 2 AND t.relpersistence = 'u' THEN 'UNLOGGED ' ELSE '' END, t.name,
        concat_ws(', ',
            (SELECT string_agg(
                format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
                || CASE WHEN a.attcollation <> y.typcollation AND a.attcollation <> 0
                        THEN (SELECT format(' COLLATE %I.%I', cn.nspname, co.collname)
                              FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
                              WHERE co.oid = a.attcollation) ELSE '' END
                || CASE WHEN a.attgenerated <> '' THEN format(' GENERATED ALWAYS AS (%s) %s', a.default_value, CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END)
                        WHEN a.depth = 2 AND a.attnum IN (SELECT n.attnum FROM numbered n) THEN ''
                        WHEN a.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
                        WHEN a.attidentity = 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY'
                        WHEN a.default_value IS NOT NULL THEN ' DEFAULT ' || a.default_value ELSE '' END
                || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY a.attnum)
             FROM a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid WHERE a.attrelid = t.oid),
            (SELECT string_agg(format('CONSTRAINT %I %s', k.conname, k.definition), ', ' ORDER BY k.oid) FROM k WHERE k.conrelid = t.oid AND k.inside)))
        || CASE WHEN t.depth < 2 THEN '' ELSE concat(
            (SELECT format(' INHERITS (%s)', string_agg(h.inhparent::pg_catalog.regclass::pg_catalog.text, ', ' ORDER BY h.inhseqno))
             FROM pg_catalog.pg_inherits h WHERE h.inhrelid = t.oid HAVING count(*) > 0),
            ' PARTITION BY ' || pg_catalog.pg_get_partkeydef(t.oid),
            (SELECT format(' USING %I', m.amname) FROM pg_catalog.pg_am m WHERE m.oid = t.relam),
            (SELECT format(' WITH (%s)', string_agg(format('%s%I=%L', o.prefix, o.option_name, o.option_value), ', '))
             FROM (SELECT '' AS prefix, p.* FROM pg_catalog.pg_options_to_table(t.reloptions) p
                   UNION ALL SELECT 'toast.', p.* FROM pg_catalog.pg_class toast, pg_catalog.pg_options_to_table(toast.reloptions) p
                   WHERE toast.oid = t.reltoastrelid) o
             HAVING count(*) > 0),
            (SELECT format(' TABLESPACE %I', s.spcname) FROM pg_catalog.pg_tablespace s WHERE s.oid = t.reltablespace)) END
    FROM t
    UNION ALL
    SELECT 2, attnum, 0, format('CREATE %sSEQUENCE %s AS %s %s', CASE WHEN relpersistence = 'u' THEN 'UNLOGGED ' ELSE '' END, name,
           pg_catalog.format_type(seqtypid, NULL), options)
    FROM seq WHERE attidentity = ''
    UNION ALL
    SELECT 3, attnum, 0, format('ALTER SEQUENCE %s OWNED BY %s.%I', name, table_name, attname) FROM seq WHERE attidentity = ''
    UNION ALL
    SELECT 4, attnum, 0, format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)', table_name, attname,
           CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, name, options)
    FROM seq WHERE attidentity <> ''
    UNION ALL
    SELECT 4, a.attnum, c.step, format('ALTER TABLE ONLY %s ALTER COLUMN %I %s', a.name, a.attname, c.command)
    FROM a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid CROSS JOIN LATERAL (VALUES
        (1, CASE WHEN a.attidentity = '' AND a.attnum IN (SELECT n.attnum FROM numbered n) THEN 'SET DEFAULT ' || a.default_value END),
        (2, CASE WHEN a.attstorage <> y.typstorage THEN 'SET STORAGE ' || CASE a.attstorage
                WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
        (3, CASE a.attcompression WHEN 'p' THEN 'SET COMPRESSION pglz' WHEN 'l' THEN 'SET COMPRESSION lz4' END),
        (4, CASE WHEN a.attstattarget >= 0 THEN 'SET STATISTICS ' || a.attstattarget END),
        -- Some builds of the server stamp every column with this option, which they do not take back.
        (5, (SELECT format('SET (%s)', string_agg(format('%I=%L', o.option_name, o.option_value), ', '))
             FROM pg_catalog.pg_options_to_table(a.attoptions) o WHERE o.option_name <> 'pg_attver' HAVING count(*) > 0))) c(step, command)
    WHERE a.depth = 2 AND c.command IS NOT NULL
    UNION ALL
    SELECT 4, 10000, 0, format('ALTER TABLE %s OF %s', name, pg_catalog.format_type(reloftype, NULL)) FROM t WHERE depth = 2 AND reloftype <> 0
    UNION ALL
    SELECT CASE k.contype WHEN 'c' THEN 5 WHEN 'f' THEN 8 ELSE 6 END, k.oid::pg_catalog.int8, 0,
           format('ALTER TABLE ONLY %s ADD CONSTRAINT %I %s', k.name, k.conname, CASE
               WHEN k.depth = 2 AND k.contype IN ('p', 'u') AND i.options IS NOT NULL
               THEN format('%s WITH (%s)%s', left(k.definition, length(k.definition) - length(k.suffix)), i.options, k.suffix)
               ELSE k.definition END)
    FROM k LEFT JOIN i ON i.indexrelid = k.conindid AND i.indrelid = k.conrelid WHERE NOT k.inside
    UNION ALL
    SELECT 7, i.indexrelid::pg_catalog.int8, 0, pg_catalog.pg_get_indexdef(i.indexrelid)
    FROM i
    WHERE (i.depth > 0 OR i.indisunique) AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 7, i.indexrelid::pg_catalog.int8, c.attnum, format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', i.name, c.attnum, c.attstattarget)
    FROM i JOIN pg_catalog.pg_attribute c ON c.attrelid = i.indexrelid WHERE i.depth = 2 AND c.attstattarget >= 0
    UNION ALL
    SELECT 7, i.indexrelid::pg_catalog.int8, 10000, format('ALTER TABLE %s CLUSTER ON %I', i.table_name, i.relname) FROM i WHERE i.depth = 2 AND i.indisclustered
    UNION ALL
    SELECT 7, 9223372036854775807, 0, format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', t.name, CASE t.relreplident
           WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' ELSE (SELECT format('USING INDEX %I', i.relname) FROM i WHERE i.indrelid = t.oid AND i.indisreplident) END)
    FROM t WHERE t.depth = 2 AND (t.relreplident IN ('n', 'f') OR EXISTS (SELECT FROM i WHERE i.indrelid = t.oid AND i.indisreplident AND t.relreplident = 'i'))
    UNION ALL
    SELECT 9, x.oid::pg_catalog.int8, c.step, c.command
    FROM x CROSS JOIN LATERAL (VALUES
        (0, pg_catalog.pg_get_statisticsobjdef(x.oid)),
        (1, CASE WHEN x.depth = 2 AND x.stxstattarget >= 0 THEN format('ALTER STATISTICS %s SET STATISTICS %s', x.name, x.stxstattarget) END),
        (2, CASE WHEN x.depth = 2 THEN format('ALTER STATISTICS %s OWNER TO %I', x.name, pg_catalog.pg_get_userbyid(x.stxowner)) END)) c(step, command)
    WHERE c.command IS NOT NULL
    UNION ALL
    SELECT 10, g.oid::pg_catalog.int8, c.step, c.command
    FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND t.depth > 0 CROSS JOIN LATERAL (VALUES
        (0, pg_catalog.pg_get_triggerdef(g.oid)),
        (1, CASE WHEN t.depth = 2 AND g.tgenabled <> 'O' THEN format('ALTER TABLE %s %s TRIGGER %I', t.name, CASE g.tgenabled
                WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END, g.tgname) END)) c(step, command)
    WHERE c.command IS NOT NULL
    UNION ALL
    SELECT 11, r.oid::pg_catalog.int8, c.step, c.command
    FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid AND t.depth = 2 CROSS JOIN LATERAL (VALUES
        (0, pg_catalog.pg_get_ruledef(r.oid)),
        (1, CASE WHEN r.ev_enabled <> 'O' THEN format('ALTER TABLE %s %s RULE %I', t.name, CASE r.ev_enabled
                WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END, r.rulename) END)) c(step, command)
    WHERE c.command IS NOT NULL
    UNION ALL
    SELECT 12, p.oid::pg_catalog.int8, 0, format('CREATE POLICY %I ON %s%s FOR %s TO %s', p.polname, t.name,
           CASE WHEN p.polpermissive THEN '' ELSE ' AS RESTRICTIVE' END,
           CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           (SELECT string_agg(CASE u WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(u)) END, ', ') FROM unnest(p.polroles) u))
           || coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '')
           || coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
    FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid AND t.depth = 2
    UNION ALL
    SELECT 13, 0, 0, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name) FROM t WHERE depth = 2 AND relrowsecurity
    UNION ALL
    SELECT 13, 0, 1, format('ALTER TABLE ONLY %s FORCE ROW LEVEL SECURITY', name) FROM t WHERE depth = 2 AND relforcerowsecurity
    UNION ALL
    SELECT 14, o.oid::pg_catalog.int8, o.part, format('COMMENT ON %s IS %L', o.name, e.description)
    FROM objects o JOIN pg_catalog.pg_description e ON e.classoid = o.class AND e.objoid = o.oid AND e.objsubid = o.part
    WHERE o.depth > 0
    UNION ALL
    SELECT 15, o.oid::pg_catalog.int8, o.part, format('SECURITY LABEL FOR %I ON %s IS %L', e.provider, o.name, e.label)
    FROM objects o JOIN pg_catalog.pg_seclabel e ON e.classoid = o.class AND e.objoid = o.oid AND e.objsubid = o.part
    WHERE o.depth > 0 AND EXISTS (SELECT FROM t WHERE t.depth = 2)
    UNION ALL
    SELECT 17, 0, 0, format('ALTER TABLE %s OWNER TO %I', name, pg_catalog.pg_get_userbyid(relowner)) FROM t WHERE depth = 2
    UNION ALL
    SELECT DISTINCT 18, g.place::pg_catalog.int8, 0, format('REVOKE ALL ON %s FROM %I', g.object, pg_catalog.pg_get_userbyid(g.owner))
    FROM granted g WHERE g.grantee = g.owner AND (g.place = 0 OR g.place > 10000)
    UNION ALL
    -- First what the owner grants, then what others pass on.
    SELECT 18 + CASE WHEN g.grantor = g.owner THEN 0 ELSE 1 END, g.place, 10 * g.nth::pg_catalog.int4 + c.step, c.command
    FROM granted g CROSS JOIN LATERAL (VALUES
        (1, CASE WHEN g.grantor <> g.owner THEN format('SET SESSION AUTHORIZATION %L', pg_catalog.pg_get_userbyid(g.grantor)) END),
        (2, format('GRANT %s ON %s TO %s%s', g.privileges, g.object,
                CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
                CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)),
        (3, CASE WHEN g.grantor <> g.owner THEN 'RESET SESSION AUTHORIZATION' END)) c(step, command)
    WHERE c.command IS NOT NULL
)
SELECT statement FROM statements ORDER BY stage, place, step
