-- Named queries that read a collection into memory.

-- name: relations
-- The table of a collection's records and its valid indexes, with their bytes; `part` is the condition of an index that
-- has not every record.
SELECT t.relname::text AS name, t.relkind = 'r' AS is_table, coalesce(m.amname = 'hnsw', false) AS is_graph,
       coalesce(pg_get_expr(i.indpred, i.indrelid), 'TRUE') AS part, pg_relation_size(t.oid) AS bytes
FROM pg_catalog.pg_class AS t
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = t.oid
LEFT JOIN pg_catalog.pg_am AS m ON m.oid = t.relam
WHERE t.oid = to_regclass(:name) OR (i.indrelid = to_regclass(:name) AND i.indisvalid)
ORDER BY is_table DESC, is_graph, name;

-- name: extension
-- The schema of the extension pg_prewarm, where it is installed.
SELECT n.nspname::text AS schema
FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_prewarm';

-- name: read
-- Reads the whole table.
SELECT count(*) AS n FROM /*records*/ lookalike.records /*end*/ AS r;

-- name: walk
-- Walks a graph to its last record, so that every page of it and of the table is read.
SELECT count(*) AS n
FROM (
    SELECT r.id FROM /*records*/ lookalike.records /*end*/ AS r
    WHERE /*part*/ TRUE /*end*/
    ORDER BY r.embedding::/*vector*/ halfvec(256) /*end*/
             <=> (SELECT q.embedding::/*vector*/ halfvec(256) /*end*/ FROM /*records*/ lookalike.records /*end*/ AS q LIMIT 1)
    LIMIT 2147483647
) AS walked;

-- name: on_workers
-- The bytes that the tables of records take on the workers of Citus.
SELECT coalesce(p.table_bytes, 0) AS bytes
FROM pg_catalog.pg_class AS t
CROSS JOIN LATERAL lookalike.placement(t.relname::text) AS p
WHERE t.oid = to_regclass(:name);
