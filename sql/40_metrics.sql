-- What the views show, once more as those take it who keep metrics: names as text, everything else a number, one row for each series.

CREATE VIEW foreshard.shard_metrics AS
SELECT s.relation::pg_catalog.text AS relation, s.shard::pg_catalog.text AS shard, s.node, s.rows::pg_catalog.float8 AS rows, s.bytes::pg_catalog.float8 AS bytes,
       s.reads_per_second, s.writes_per_second, s.load, s.load_share, s.temperature
FROM foreshard.shards s;
COMMENT ON VIEW foreshard.shard_metrics IS 'foreshard.shards as metrics: relation, shard and node are labels, all else are gauges';

CREATE VIEW foreshard.table_metrics AS
SELECT s.relation::pg_catalog.text AS relation, pg_catalog.count(*)::pg_catalog.float8 AS shards, pg_catalog.sum(s.rows)::pg_catalog.float8 AS rows,
       pg_catalog.sum(s.bytes)::pg_catalog.float8 AS bytes, pg_catalog.sum(s.load) AS load, pg_catalog.max(s.temperature) AS hottest_temperature,
       (SELECT pg_catalog.max(v.load_share) FROM foreshard.hot_values v WHERE v.relation OPERATOR(pg_catalog.=) s.relation) AS hottest_value_share
FROM foreshard.shards s GROUP BY s.relation;
COMMENT ON VIEW foreshard.table_metrics IS 'sharded tables as metrics: relation is a label, all else are gauges';

CREATE VIEW foreshard.health_metrics AS
SELECT h.relation::pg_catalog.text AS relation, h.verdict, 1::pg_catalog.float8 AS holds,
       extract(epoch FROM pg_catalog.now() OPERATOR(pg_catalog.-) h.since)::pg_catalog.float8 AS seconds,
       extract(epoch FROM pg_catalog.now() OPERATOR(pg_catalog.-) h.seen_at)::pg_catalog.float8 AS seen_seconds_ago
FROM foreshard.health h;
COMMENT ON VIEW foreshard.health_metrics IS 'verdicts as metrics: relation and verdict are labels; for how many seconds it holds, and how long ago the monitor has looked';

CREATE VIEW foreshard.node_metrics AS
SELECT n.node, CASE WHEN t.answers THEN 1 WHEN NOT t.answers THEN 0 END::pg_catalog.float8 AS answers, t.lag_seconds,
       (SELECT pg_catalog.count(*) FROM foreshard.shards s WHERE s.node OPERATOR(pg_catalog.=) n.node)::pg_catalog.float8 AS shards,
       (SELECT pg_catalog.sum(s.bytes) FROM foreshard.shards s WHERE s.node OPERATOR(pg_catalog.=) n.node)::pg_catalog.float8 AS bytes,
       (SELECT pg_catalog.sum(s.load) FROM foreshard.shards s WHERE s.node OPERATOR(pg_catalog.=) n.node) AS load
FROM (SELECT name AS node FROM foreshard.nodes UNION SELECT node FROM foreshard.shards) AS n
LEFT JOIN foreshard.node_states t ON t.node OPERATOR(pg_catalog.=) n.node;
COMMENT ON VIEW foreshard.node_metrics IS 'nodes as metrics: node is a label; answers is 1 or 0, and nothing for places of this server';

CREATE VIEW foreshard.job_metrics AS
SELECT j.kind, j.state, pg_catalog.count(*)::pg_catalog.float8 AS jobs, pg_catalog.max(j.longest_lock_ms) AS longest_lock_ms,
       pg_catalog.max(extract(epoch FROM coalesce(j.finished_at, pg_catalog.now()) OPERATOR(pg_catalog.-) j.started_at))::pg_catalog.float8 AS longest_seconds
FROM foreshard.jobs j WHERE j.finished_at IS NULL OR j.finished_at OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.make_interval(days => 1))
GROUP BY j.kind, j.state;
COMMENT ON VIEW foreshard.job_metrics IS 'jobs that are under way, or have ended within a day, as metrics: kind and state are labels';

CREATE VIEW foreshard.decision_metrics AS
SELECT d.relation::pg_catalog.text AS relation, d.move, d.outcome, pg_catalog.count(*)::pg_catalog.float8 AS decisions
FROM foreshard.decisions d WHERE d.decided_at OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.make_interval(days => 1))
GROUP BY d.relation, d.move, d.outcome;
COMMENT ON VIEW foreshard.decision_metrics IS 'decisions of a day as metrics: relation, move and outcome are labels';
