-- One row a collection: what it is, how many rows the planner believes it has, what it takes on disk, whether its
-- HNSW index is there and valid. Reads the catalogue only, so it is instant on any size; that of the workers, where Citus
-- keeps the records, which are all asked once.
CREATE OR REPLACE VIEW lookalike.collection_stats AS
WITH shards AS MATERIALIZED (
    SELECT f.name, f.rows, f.bytes, f.index_bytes FROM lookalike.shard_facts() AS f WHERE f.name = f.table_name
)
SELECT
    c.id,
    c.name,
    c.service,
    c.model,
    c.dimensions,
    coalesce(r.rows, greatest(t.reltuples, 0)::bigint) AS estimated_records,
    coalesce(r.bytes, pg_catalog.pg_table_size(t.oid)) AS table_bytes,
    coalesce(r.index_bytes, pg_catalog.pg_indexes_size(t.oid)) AS index_bytes,
    coalesce(s.bytes + s.index_bytes,
        pg_catalog.pg_total_relation_size(pg_catalog.format('lookalike.thumbnails_%s', c.id)::regclass)) AS thumbnail_bytes,
    lookalike.is_indexed(c.id, c.generation) AS hnsw_index_ready,
    c.created_at,
    coalesce(o.bytes + o.index_bytes,
        pg_catalog.pg_total_relation_size(pg_catalog.format('lookalike.originals_%s', c.id)::regclass)) AS original_bytes,
    ARRAY(SELECT a.name FROM lookalike.aliases AS a WHERE a.collection_id = c.id ORDER BY a.name) AS aliases
FROM lookalike.collections AS c
JOIN pg_catalog.pg_class AS t
    ON t.oid = pg_catalog.to_regclass('lookalike.' || lookalike.records_table(c.id, c.generation))
LEFT JOIN shards AS r ON r.name = t.relname::text
LEFT JOIN shards AS s ON s.name = pg_catalog.format('thumbnails_%s', c.id)
LEFT JOIN shards AS o ON o.name = pg_catalog.format('originals_%s', c.id);

COMMENT ON VIEW lookalike.collection_stats IS
    'One row a collection: service, model, size on disk, estimated records, state of its HNSW index.';
