-- One row an index of a collection, and one for an HNSW index that is missing: is it valid, used, and worth rebuilding?
-- `dead_share` is that of the table's rows since the last vacuum: dead elements of the graph are walked through in vain.
-- Reads the catalogue and the statistics only, so it is instant on any size; of a table that Citus keeps those of the workers,
-- which are all asked once: sums, of moments the earliest. With its owner's rights.
CREATE OR REPLACE VIEW lookalike.index_health AS
WITH shards AS MATERIALIZED (
    SELECT f.* FROM lookalike.shard_facts() AS f
), tables AS (
    SELECT c.name, t.relname::text AS records_table, t.oid AS table_oid,
           coalesce(f.rows, greatest(t.reltuples, 0)::bigint) AS estimated_records,
           CASE WHEN f.rows IS NULL THEN s.n_dead_tup::double precision / nullif(s.n_live_tup + s.n_dead_tup, 0)
                ELSE f.dead::double precision / nullif(f.live + f.dead, 0) END AS dead_share,
           CASE WHEN f.rows IS NULL THEN greatest(s.last_vacuum, s.last_autovacuum) ELSE f.vacuumed END AS last_vacuum,
           CASE WHEN f.rows IS NULL THEN greatest(s.last_analyze, s.last_autoanalyze) ELSE f.analyzed END AS last_analyze
    FROM lookalike.collections AS c
    JOIN pg_catalog.pg_class AS t
        ON t.oid = pg_catalog.to_regclass('lookalike.' || lookalike.records_table(c.id, c.generation))
    LEFT JOIN pg_catalog.pg_stat_all_tables AS s ON s.relid = t.oid
    LEFT JOIN shards AS f ON f.name = t.relname::text
), indexes AS (
    SELECT t.name, x.relname::text AS index_name, a.amname::text AS kind,
           i.indisvalid AND coalesce(f.valid, true) AS valid, i.indexrelid, f.bytes, f.scans,
           t.estimated_records, t.dead_share, t.last_vacuum, t.last_analyze
    FROM tables AS t
    JOIN pg_catalog.pg_index AS i ON i.indrelid = t.table_oid
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_am AS a ON a.oid = x.relam
    LEFT JOIN shards AS f ON f.name = x.relname::text
    UNION ALL
    SELECT t.name, t.records_table || '_hnsw' AS index_name, 'hnsw'::text AS kind, NULL::boolean AS valid,
           NULL::oid AS indexrelid, NULL::bigint AS bytes, NULL::bigint AS scans,
           t.estimated_records, t.dead_share, t.last_vacuum, t.last_analyze
    FROM tables AS t
    WHERE t.estimated_records > 10000
        AND pg_catalog.to_regclass('lookalike.' || t.records_table || '_hnsw') IS NULL
)
SELECT
    i.name AS collection,
    i.index_name,
    i.kind,
    i.valid,
    coalesce(i.bytes, pg_catalog.pg_relation_size(i.indexrelid)) AS bytes,
    coalesce(i.scans, s.idx_scan) AS scans,
    i.estimated_records,
    i.dead_share,
    i.last_vacuum,
    i.last_analyze,
    CASE
        WHEN i.valid IS NULL THEN 'missing: every search compares all records; the server builds it in the background'
        WHEN NOT i.valid AND i.kind = 'hnsw' THEN 'half built, or left over by a crash: the server builds it anew'
        WHEN NOT i.valid THEN 'half built, or left over by a crash: run lookalike collection index again'
        WHEN i.kind = 'hnsw' AND i.dead_share > 0.1
            THEN pg_catalog.format('REINDEX INDEX CONCURRENTLY lookalike.%I, then VACUUM the table', i.index_name)
        WHEN i.last_analyze IS NULL AND i.estimated_records > 0 THEN 'never analysed: ANALYZE the table'
        ELSE 'healthy'
    END AS advice
FROM indexes AS i
LEFT JOIN pg_catalog.pg_stat_all_indexes AS s ON s.indexrelid = i.indexrelid;

COMMENT ON VIEW lookalike.index_health IS
    'One row an index of a collection: valid, size, use, share of dead rows, and what to do. With its owner''s rights.';
