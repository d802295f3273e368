-- Pictures of a sharded table. They run with the caller's rights and show what the views show.

CREATE FUNCTION foreshard.heatmap(relation pg_catalog.regclass) RETURNS pg_catalog.text
LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'heatmap_wrapper';
COMMENT ON FUNCTION foreshard.heatmap(pg_catalog.regclass) IS
    'the load of each shard in each of the last 24 hours, as text: one line for each shard, one column for each hour';
