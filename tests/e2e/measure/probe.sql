-- Which shards a statement touches, from the counters that the server keeps of the transaction under way: scans of a leaf and of
-- its indexes, and the rows written to it. What is only locked, opened or pruned does not move them. Planning does, where it
-- looks for a column's extremes in an index: so each statement is planned once before (EXPLAIN), and what that moves is taken off.
CREATE SCHEMA measure;

-- Shards of restored tables, and other tables as one leaf each. Two leaves are one place when their tables are cut alike, by keys
-- that mean the same: a plan names the tables restored before that its table is together with. Of two levels the one that spreads
-- the rows says the place, a hash before a list before a range. Of a table that is not cut only writing counts, since it can be
-- copied.
CREATE TABLE measure.leaves (
    leaf integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, relation regclass NOT NULL, sharded boolean NOT NULL, place text NOT NULL);
CREATE TABLE measure.counters (leaf integer NOT NULL REFERENCES measure.leaves, counter oid NOT NULL, scans boolean NOT NULL);
CREATE VIEW measure.together AS
WITH RECURSIVE pair AS (
    SELECT p.target AS one, b ->> 'schema' || '.' || (b ->> 'name') AS other
    FROM foreshard._tables t JOIN foreshard._plans p ON p.id = t.plan_id, jsonb_array_elements(p.plan #> '{joint,tables}') AS c,
         LATERAL (SELECT c -> 'table') AS n (b) WHERE (c ->> 'placed')::boolean AND (c ->> 'together')::boolean),
tied AS (
    SELECT p.target AS name, p.target AS first FROM foreshard._tables t JOIN foreshard._plans p ON p.id = t.plan_id
    UNION SELECT tied.name, CASE tied.first WHEN one THEN other ELSE one END FROM tied JOIN pair ON tied.first IN (one, other))
SELECT name, min(first) AS first FROM tied GROUP BY name;
CREATE TABLE measure.statements (script text NOT NULL, statement integer NOT NULL, alone boolean NOT NULL, query text NOT NULL);
CREATE TABLE measure.scripts (script text NOT NULL, weight float8 NOT NULL);
CREATE TABLE measure.seen (transaction bigint NOT NULL, script text NOT NULL, statement integer NOT NULL, leaves integer[] NOT NULL);

CREATE PROCEDURE measure.find_counters() LANGUAGE sql AS $$
    INSERT INTO measure.counters
    SELECT leaf, relation, sharded FROM measure.leaves
    UNION ALL SELECT leaf, indexrelid, true FROM measure.leaves JOIN pg_index ON indrelid = relation WHERE sharded;
$$;

-- Numbered as they are met, as the shards of a table with that level alone would be.
CREATE VIEW measure.pieces AS
SELECT relation, shard, ordinal, dense_rank() OVER (PARTITION BY relation ORDER BY first) - 1 AS piece
FROM (SELECT s.relation, s.shard, s.ordinal,
             min(s.ordinal) OVER (PARTITION BY s.relation, CASE WHEN second.spreads THEN s.within ELSE s.bound END) AS first
      FROM foreshard._shards s JOIN foreshard._tables t USING (relation),
           LATERAL (SELECT array_position('{hash,list,range}', t.within ->> 'method') < array_position('{hash,list,range}', t.method)) AS second (spreads)) AS s;

CREATE PROCEDURE measure.find_leaves() LANGUAGE sql AS $$
    INSERT INTO measure.leaves (name, relation, sharded, place)
    SELECT c.relname, coalesce(s.shard, c.oid), s.shard IS NOT NULL,
           CASE WHEN s.shard IS NULL THEN c.relname ELSE s.piece || ' of ' || w.first END
    FROM pg_class c LEFT JOIN measure.together w ON w.name = 'public.' || c.relname LEFT JOIN measure.pieces s ON s.relation = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY c.relname, s.ordinal;
    CALL measure.find_counters();
$$;

CREATE FUNCTION measure.counts() RETURNS bigint[] LANGUAGE sql AS $$
    SELECT array_agg(moved ORDER BY leaf)
    FROM (SELECT leaf, sum(CASE WHEN scans THEN pg_stat_get_xact_numscans(counter) ELSE 0 END + pg_stat_get_xact_tuples_inserted(counter)
                           + pg_stat_get_xact_tuples_updated(counter) + pg_stat_get_xact_tuples_deleted(counter)) AS moved
          FROM measure.counters GROUP BY leaf) AS leaf
$$;

-- Before a statement is planned for the probe, and again before it runs.
CREATE FUNCTION measure.mark() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('measure.planning', coalesce(current_setting('measure.running', true), ''), true);
    PERFORM set_config('measure.running', measure.counts()::text, true);
END $$;

CREATE FUNCTION measure.note(script text, statement integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO measure.seen
    SELECT pg_current_xact_id()::text::bigint, script, statement, ARRAY(
        SELECT leaf FROM unnest(current_setting('measure.planning')::bigint[], current_setting('measure.running')::bigint[], measure.counts())
                         WITH ORDINALITY AS moved (planning, running, done, leaf)
        WHERE done - running > running - planning)
$$;
