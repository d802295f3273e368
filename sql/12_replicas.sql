-- Copies of shards on other nodes: what is kept of them, what people look at, and what they do.

CREATE TABLE foreshard._replicas (
    shard          pg_catalog.regclass NOT NULL,
    node           pg_catalog.text NOT NULL,
    link           pg_catalog.text NOT NULL,
    state          pg_catalog.text NOT NULL CHECK (state IN ('following', 'stale')),
    synchronous    pg_catalog.bool NOT NULL,
    waited_for     pg_catalog.bool NOT NULL,
    made_at        pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    seen_at        pg_catalog.timestamptz,
    seen_lag_bytes pg_catalog.int8,
    PRIMARY KEY (shard, node)
);
COMMENT ON TABLE foreshard._replicas IS 'copies of shards on other nodes, by the subscription that keeps them, and how far they were behind when last seen';
SELECT pg_catalog.pg_extension_config_dump('foreshard._replicas',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = shard)');

CREATE FUNCTION foreshard._replica_states(remember pg_catalog.bool)
RETURNS TABLE (shard pg_catalog.regclass, primary_node pg_catalog.text, node pg_catalog.text, state pg_catalog.text, synchronous pg_catalog.bool,
               lag_bytes pg_catalog.int8, lag_seconds pg_catalog.float8, seen_at pg_catalog.timestamptz, seen_lag_bytes pg_catalog.int8,
               link pg_catalog.text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'replica_states_wrapper';
COMMENT ON FUNCTION foreshard._replica_states(pg_catalog.bool) IS
    'asks the nodes how far each copy of a shard is behind it; the view foreshard.replicas shows that';

CREATE VIEW foreshard.replicas AS
SELECT shard, primary_node, node, state, synchronous, lag_bytes, lag_seconds, seen_at, seen_lag_bytes, link
FROM foreshard._replica_states(false);
COMMENT ON VIEW foreshard.replicas IS 'copies of shards on other nodes, and how far each is behind, as the nodes say now';

CREATE FUNCTION foreshard.check_replicas()
RETURNS TABLE (shard pg_catalog.regclass, primary_node pg_catalog.text, node pg_catalog.text, state pg_catalog.text, synchronous pg_catalog.bool,
               lag_bytes pg_catalog.int8, lag_seconds pg_catalog.float8, seen_at pg_catalog.timestamptz, seen_lag_bytes pg_catalog.int8,
               link pg_catalog.text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS 'SELECT * FROM foreshard._replica_states(true)';
COMMENT ON FUNCTION foreshard.check_replicas() IS
    'asks the nodes how far copies are behind, and remembers it: what may be lost when a shard''s node does not answer any more';

CREATE FUNCTION foreshard.fail_over(node pg_catalog.text, config pg_catalog.jsonb DEFAULT '{}')
RETURNS TABLE (shard pg_catalog.regclass, from_node pg_catalog.text, to_node pg_catalog.text, possible_loss pg_catalog.text, ok pg_catalog.bool,
               because pg_catalog.text)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'fail_over_node_wrapper';
COMMENT ON FUNCTION foreshard.fail_over(pg_catalog.text, pg_catalog.jsonb) IS
    'lets the copies of a node''s shards take their place, at once for all; says what could be lost first';

CREATE FUNCTION foreshard.rejoin(node pg_catalog.text)
RETURNS TABLE (shard pg_catalog.regclass, primary_node pg_catalog.text, ok pg_catalog.bool, because pg_catalog.text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'rejoin_node_wrapper';
COMMENT ON FUNCTION foreshard.rejoin(pg_catalog.text) IS
    'makes copies anew of the shards that a node has lost to its copies, or whose copies there follow nothing any more';
