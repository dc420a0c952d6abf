-- Named queries on HNSW indexes of single values of an attribute.

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

-- name: list
-- The indexes of single values on a table of records, by field, most records first; `ready` says whether one is valid.
SELECT p.index_name, p.field, p.value, p.condition, coalesce(i.indisvalid, false) AS ready,
       coalesce(f.rows, greatest(t.reltuples, 0)::bigint, 0) AS rows
FROM lookalike.partial_indexes AS p
LEFT JOIN lookalike.shard_facts(ARRAY[:records_table::text]) AS f ON f.name = p.index_name
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = pg_catalog.to_regclass('lookalike.' || p.index_name)
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = t.oid
WHERE p.records_table = :records_table
ORDER BY p.field, rows DESC, p.index_name;

-- name: note
-- Notes that there is, or will be, an index of a single value.
INSERT INTO lookalike.partial_indexes AS p (index_name, collection_id, records_table, field, value, condition)
VALUES (:index_name, :id, :records_table, :field, :value, :condition)
ON CONFLICT ON CONSTRAINT partial_indexes_pkey DO NOTHING;

-- name: forget
-- Forgets an index of a single value.
DELETE FROM lookalike.partial_indexes AS p WHERE p.index_name = :index_name;
