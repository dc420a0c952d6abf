-- Named queries on the state of a collection's HNSW index.

-- name: progress
-- How far a build of an index on a collection is; no row where none runs.
SELECT p.command, p.phase, p.blocks_done, p.blocks_total, p.tuples_done, p.tuples_total
FROM pg_catalog.pg_stat_progress_create_index AS p
WHERE p.relid = pg_catalog.to_regclass(:records_table::text);

-- name: note_build
-- Notes with a collection how many rows it had when its index was built, and how many it had ever deleted.
UPDATE lookalike.collections AS c
SET settings = c.settings || jsonb_build_object('index_built', jsonb_build_object(
    'rows', (SELECT greatest(t.reltuples, 0)::bigint FROM pg_catalog.pg_class AS t
             WHERE t.oid = pg_catalog.to_regclass(:records_table::text)),
    'deleted', coalesce(pg_catalog.pg_stat_get_tuples_deleted(pg_catalog.to_regclass(:records_table::text)), 0),
    'at', now()))
WHERE c.id = :id;

-- name: worn
-- The share of an index's rows that were deleted since it was built, 0 and up; NULL where its build was not noted. A
-- counter that is below what was noted was reset since (a crash resets it) and counts from 0.
SELECT (now.deleted - CASE WHEN now.deleted >= noted.deleted THEN noted.deleted ELSE 0 END)::double precision
       / greatest(noted.rows, 1) AS share
FROM (
    SELECT (c.settings -> 'index_built' ->> 'rows')::bigint AS rows,
           (c.settings -> 'index_built' ->> 'deleted')::bigint AS deleted
    FROM lookalike.collections AS c WHERE c.id = :id
) AS noted
CROSS JOIN LATERAL (
    SELECT pg_catalog.pg_stat_get_tuples_deleted(pg_catalog.to_regclass(:records_table::text)) AS deleted
) AS now
WHERE noted.rows IS NOT NULL;

-- name: frequent_values
-- The values of a top-level attribute that many records have, most frequent first; of an array each element counts.
SELECT element::text AS value, count(*) AS records
FROM /*records*/ lookalike.records /*end*/ AS r
CROSS JOIN LATERAL jsonb_path_query(r.attributes -> :field::text, '$[*]') AS element
WHERE jsonb_typeof(element) IN ('string', 'number', 'boolean') AND length(element::text) <= :longest
GROUP BY element
HAVING count(*) >= :least
ORDER BY count(*) DESC, element
LIMIT :most;

-- name: partial
-- The indexes of single values on a table of records, by field, most records first; `ready` says whether one is valid.
SELECT p.index_name, p.field, p.value, p.condition, coalesce(i.indisvalid, false) AS ready,
       coalesce(greatest(t.reltuples, 0)::bigint, 0) AS rows
FROM lookalike.partial_indexes AS p
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = pg_catalog.to_regclass('lookalike.' || p.index_name)
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = t.oid
WHERE p.records_table = :records_table
ORDER BY p.field, rows DESC, p.index_name;

-- name: note_partial
-- Notes that there is, or will be, an index of a single value.
INSERT INTO lookalike.partial_indexes AS p (index_name, collection_id, records_table, field, value, condition)
VALUES (:index_name, :id, :records_table, :field, :value, :condition)
ON CONFLICT ON CONSTRAINT partial_indexes_pkey DO NOTHING;

-- name: forget_partial
-- Forgets an index of a single value.
DELETE FROM lookalike.partial_indexes AS p WHERE p.index_name = :index_name;
