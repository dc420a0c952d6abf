-- What the catalogue and the statistics of one node know of some tables and of their indexes.
--
-- Argument: an object: the name of a table of the schema lookalike, and the name that its figures go under. The name of an index
--   loses at its end what that of the table is longer by: the number of the shard, where Citus gave it one.
-- Result: an array of objects, one a table and one an index. `rows` as the planner believes them; `live`, `dead` and `deleted` as
--   the statistics count rows, `scans`, `hit` and `read` (blocks from memory, and from disk or the system's cache) of an index;
--   `bytes` without those of its indexes, which are `index_bytes`; `buffers`, the shared_buffers of the node; of a table `graph`: whether its index of all vectors is valid, and `build`: how far a build
--   of an index is. A table that is not on this node is left out.
-- Rights: the caller's. Citus has it on every node, as all functions. Called by shard_facts on each of them.
CREATE OR REPLACE FUNCTION lookalike.table_facts(tables jsonb) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH own AS (
        SELECT to_regclass(format('lookalike.%I', t.key)) AS id, t.value AS name, length(t.key) - length(t.value) AS longer
        FROM jsonb_each_text(tables) AS t
    ), relations AS (
        SELECT o.id::oid AS id, o.name, o.name AS table_name, NULL::boolean AS valid,
               EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                       WHERE i.indrelid = o.id AND i.indisvalid
                         AND left(x.relname, length(x.relname) - o.longer) = o.name || '_hnsw') AS graph
        FROM own AS o WHERE o.id IS NOT NULL
        UNION ALL
        SELECT i.indexrelid AS id, left(x.relname, length(x.relname) - o.longer) AS name, o.name AS table_name,
               i.indisvalid AS valid, NULL::boolean AS graph
        FROM own AS o
        JOIN pg_index AS i ON i.indrelid = o.id
        JOIN pg_class AS x ON x.oid = i.indexrelid
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', r.name, 'table_name', r.table_name, 'valid', r.valid, 'graph', r.graph,
        'buffers', pg_size_bytes(current_setting('shared_buffers')),
        'rows', greatest(t.reltuples, 0)::bigint,
        'live', pg_stat_get_live_tuples(r.id), 'dead', pg_stat_get_dead_tuples(r.id),
        'deleted', pg_stat_get_tuples_deleted(r.id),
        'index_bytes', CASE WHEN r.valid IS NULL THEN pg_indexes_size(r.id) END,
        'bytes', CASE WHEN r.valid IS NULL THEN pg_table_size(r.id) ELSE pg_relation_size(r.id) END,
        'scans', pg_stat_get_numscans(r.id), 'hit', pg_stat_get_blocks_hit(r.id),
        'read', pg_stat_get_blocks_fetched(r.id) - pg_stat_get_blocks_hit(r.id),
        'vacuumed', greatest(pg_stat_get_last_vacuum_time(r.id), pg_stat_get_last_autovacuum_time(r.id)),
        'analyzed', greatest(pg_stat_get_last_analyze_time(r.id), pg_stat_get_last_autoanalyze_time(r.id)),
        'build', (SELECT to_jsonb(p) FROM pg_stat_progress_create_index AS p WHERE p.relid = r.id LIMIT 1))), '[]')
    FROM relations AS r JOIN pg_class AS t ON t.oid = r.id;
END;

COMMENT ON FUNCTION lookalike.table_facts(jsonb) IS
    'Internal: what the catalogue and the statistics of one node know of some tables. Caller''s rights.';
