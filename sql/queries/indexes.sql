-- Named queries on the state of a collection's HNSW index.

-- name: progress
-- How far a build of an index on a collection is; no row where none runs. On the workers of Citus the counts are summed.
SELECT p.command, p.phase, p.blocks_done, p.blocks_total, p.tuples_done, p.tuples_total
FROM pg_catalog.pg_stat_progress_create_index AS p
WHERE p.relid = pg_catalog.to_regclass(:records_table::text)
UNION ALL
SELECT b.*
FROM lookalike.shard_facts(ARRAY[split_part(:records_table::text, '.', 2)]) AS f
CROSS JOIN LATERAL jsonb_to_record(f.build) AS b (
    command text, phase text, blocks_done bigint, blocks_total bigint, tuples_done bigint, tuples_total bigint)
WHERE f.build IS NOT NULL
LIMIT 1;

-- name: note_build
-- Notes with a collection how many rows it had when its index was built, and how many it had ever deleted.
UPDATE lookalike.collections AS c
SET settings = c.settings || jsonb_build_object('index_built', jsonb_build_object(
    'rows', now.rows, 'deleted', now.deleted, 'at', now()))
FROM (
    SELECT coalesce(f.rows, greatest(t.reltuples, 0)::bigint) AS rows,
           coalesce(f.deleted, pg_catalog.pg_stat_get_tuples_deleted(t.oid), 0) AS deleted
    FROM pg_catalog.pg_class AS t
    LEFT JOIN lookalike.shard_facts(ARRAY[split_part(:records_table::text, '.', 2)]) AS f ON f.name = t.relname::text
    WHERE t.oid = pg_catalog.to_regclass(:records_table::text)
) AS now
WHERE c.id = :id;

-- name: deleted_share
-- The share of an index's rows that were deleted since it was built, 0 and up; NULL where its build was not noted. A
-- counter that is below what was noted was reset since (a crash resets it, and so does the move of a shard) and counts from 0.
SELECT (now.deleted - CASE WHEN now.deleted >= noted.deleted THEN noted.deleted ELSE 0 END)::double precision
       / greatest(noted.rows, 1) AS share
FROM (
    SELECT (c.settings -> 'index_built' ->> 'rows')::bigint AS rows,
           (c.settings -> 'index_built' ->> 'deleted')::bigint AS deleted
    FROM lookalike.collections AS c WHERE c.id = :id
) AS noted
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT f.deleted FROM lookalike.shard_facts(ARRAY[split_part(:records_table::text, '.', 2)]) AS f
                     WHERE f.name = f.table_name),
                    pg_catalog.pg_stat_get_tuples_deleted(pg_catalog.to_regclass(:records_table::text))) AS deleted
) AS now
WHERE noted.rows IS NOT NULL;

-- name: bytes
-- The size of an index, bytes, on the workers where Citus keeps it; 0 where there is none of this name.
SELECT coalesce((SELECT f.bytes FROM lookalike.shard_facts(ARRAY[split_part(:records_table::text, '.', 2)]) AS f
                 WHERE f.name = split_part(:index::text, '.', 2)),
                pg_catalog.pg_relation_size(pg_catalog.to_regclass(:index::text)), 0) AS bytes;

-- name: attribute_bytes
-- The size of a collection's indexes of attributes (`…_f_…`) and of single values (`…_p_…`), bytes, as of one.
SELECT coalesce(sum(coalesce(f.bytes, pg_catalog.pg_relation_size(i.indexrelid))), 0)::bigint AS bytes
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS c ON i.indexrelid = c.oid
LEFT JOIN lookalike.shard_facts(ARRAY[split_part(:records_table::text, '.', 2)]) AS f ON f.name = c.relname::text
WHERE i.indrelid = pg_catalog.to_regclass(:records_table::text) AND c.relname ~ '_[fp]_[0-9a-f]{16}$';

-- name: unhealthy
-- The indexes of collections that something is to be done about, with what, by collection.
SELECT h.collection, h.index_name, h.kind, h.bytes, h.dead_share, h.advice
FROM lookalike.index_health AS h WHERE h.advice <> 'healthy' ORDER BY h.collection, h.index_name LIMIT :most;
