-- What the plans predict of each table against what was measured, and the transactions.

-- A text as the query log and the scripts have it, with everything that the log replaces by a parameter as `?`.
CREATE FUNCTION measure.shape(query text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(query,
        'extract\(\w+ ', 'extract(? ', 'g'), '''[^'']*''', '?', 'g'), '(^|[^:]):[a-z_]\w*', '\1?', 'g'), '\$\d+', '?', 'g'), '\m\d+(\.\d+)?\M', '?', 'g'), '\s+', ' ', 'g')
$$;

-- The log's identity of each statement of the scripts.
CREATE VIEW measure.logged AS
SELECT s.script, s.statement, l.queryid AS id, l.query
FROM measure.statements s JOIN log.statements l ON measure.shape(l.query) = measure.shape(s.query);

CREATE VIEW measure.predictions AS
SELECT c.relname::text AS name, c.oid AS relation, t.method, t.shard_key, p.plan #> ARRAY['candidates', p.plan ->> 'chosen', 'evidence'] AS evidence
FROM foreshard._tables t JOIN foreshard._plans p ON p.id = t.plan_id JOIN pg_class c ON c.oid = t.relation
WHERE t.method IN ('hash', 'range', 'list');

-- Of each logged statement that finds rows of a table by condition: its weight, and how many shards its runs touched.
CREATE VIEW measure.runs AS
SELECT p.name, (predicted ->> 'id')::bigint AS id, (predicted ->> 'share')::float8 AS weight, predicted ->> 'class' AS class,
       l.query ~* ('^\s*(UPDATE|DELETE FROM)\s+' || p.name || '\M') AS writes, l.script, l.statement,
       cardinality(ARRAY(SELECT leaf FROM measure.leaves WHERE leaves.name = p.name AND leaf = ANY (seen.leaves))) AS touched,
       (SELECT count(*) FROM measure.leaves WHERE leaves.name = p.name) AS shards
FROM measure.predictions p CROSS JOIN jsonb_array_elements(p.evidence -> 'statements') AS predicted
LEFT JOIN measure.logged l ON l.id = (predicted ->> 'id')::bigint
LEFT JOIN measure.seen ON (seen.script, seen.statement) = (l.script, l.statement);

-- A run that never comes to the table, because a join has nothing to look up, is none of its shares.
CREATE VIEW measure.classes AS
SELECT name, writes, id, class, min(weight) AS weight, count(touched) AS runs, avg(touched) AS touched,
       coalesce(avg((touched = 1)::integer) FILTER (WHERE touched > 0), 1) AS single,
       coalesce(avg((touched > 1 AND touched < shards)::integer) FILTER (WHERE touched > 0), 0) AS multi,
       coalesce(avg((touched > 1 AND touched = shards)::integer) FILTER (WHERE touched > 0), 0) AS scatter
FROM measure.runs GROUP BY name, writes, id, class;

-- In percent, with the standard errors of what was measured; of a kind of which there are no statements nothing.
CREATE VIEW measure.tables AS
SELECT p.name, p.method, p.shard_key, (SELECT count(*) FROM measure.leaves WHERE leaves.name = p.name) AS shards, kind.kind, m.runs,
       ARRAY(SELECT 100 * (p.evidence -> kind.kind ->> class)::numeric FROM unnest('{single,multi,scatter}'::text[]) AS class) AS predicted, m.measured, m.errors
FROM measure.predictions p CROSS JOIN (VALUES ('reads', false), ('writes', true)) AS kind (kind, writes)
JOIN (SELECT name, writes, sum(runs) AS runs,
             ARRAY[100 * sum(weight * single) / sum(weight), 100 * sum(weight * multi) / sum(weight), 100 * sum(weight * scatter) / sum(weight)]::numeric[] AS measured,
             ARRAY[100 * sqrt(sum(weight ^ 2 * single * (1 - single) / runs)) / sum(weight), 100 * sqrt(sum(weight ^ 2 * multi * (1 - multi) / runs)) / sum(weight),
                   100 * sqrt(sum(weight ^ 2 * scatter * (1 - scatter) / runs)) / sum(weight)]::numeric[] AS errors
      FROM measure.classes GROUP BY name, writes) AS m ON m.name = p.name AND m.writes = kind.writes;

-- Plans made when all other tables were restored.
CREATE TABLE measure.whole (plan_id bigint);

-- Single-shard transactions of the whole design, in percent: by the plan whose own table has most of them, since it has read the
-- rows of that one.
CREATE VIEW measure.predicted_transactions AS
SELECT 100 * (told #>> '{design_transactions,all,single}')::float8 AS single
FROM foreshard._plans p JOIN measure.whole w ON w.plan_id = p.id,
     LATERAL (SELECT p.plan #> ARRAY['candidates', p.plan ->> 'chosen', 'evidence']) AS e (told)
ORDER BY (told #>> '{transactions,read_calls}')::float8 + (told #>> '{transactions,write_calls}')::float8 DESC NULLS LAST, p.id LIMIT 1;

-- A transaction is as often in the load as its script was when the log was made.
CREATE VIEW measure.transactions AS
SELECT script, count(*) AS runs, min(weight) * count(*) / min(turns) AS weight, avg((places <= 1)::integer) AS single
FROM (SELECT transaction, s.script, count(DISTINCT place) AS places
      FROM measure.seen s LEFT JOIN LATERAL (SELECT place FROM measure.leaves WHERE leaf = ANY (s.leaves)) AS p ON true GROUP BY 1, 2) AS each
JOIN (SELECT script, weight FROM measure.scripts) AS w USING (script)
JOIN (SELECT script, max(runs) AS turns FROM (SELECT script, statement, count(*) AS runs FROM measure.seen GROUP BY 1, 2) AS r GROUP BY 1) AS t USING (script)
GROUP BY script;

-- In percent, with the standard error of what was measured.
CREATE VIEW measure.all_transactions AS
SELECT (SELECT single FROM measure.predicted_transactions) AS predicted, 100 * sum(weight * single) / sum(weight) AS measured,
       100 * sqrt(sum(weight ^ 2 * single * (1 - single) / runs)) / sum(weight) AS error
FROM measure.transactions;
