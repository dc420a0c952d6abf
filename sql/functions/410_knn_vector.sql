-- The records nearest to a vector: what visualKNN answers, in SQL.
--
-- Arguments: the name of the collection; a vector of its dimension, of any length (a `vector` is cast by itself, a
--   real[] by ::halfvec); how many records, 0 to 100,000; a filter in the API's language, NULL or '{}' for none.
-- Result: up to k rows, nearest first, equal distances by id: id, distance on the API's scale, attributes. Fewer than k
--   only where fewer records match. No rows where the collection, the vector or k is NULL.
--   SQLSTATE P0002: no such collection; 22023: a wrong dimension, k or filter.
-- The filter is applied inside, so that the answer is complete: a WHERE behind this function only thins out its k rows.
--   Pages are cuts of one list: `SELECT … FROM lookalike.knn_vector(…, 60) OFFSET 30` follows the rows of the same with 30.
-- Index: as lookalike.nearest_records, which does the work.
-- Rights: the owner's, so that lookalike_reader may search tables that it may not read. Fixed search_path. PARALLEL
--   UNSAFE, as hnsw.* is set for its query.
CREATE OR REPLACE FUNCTION lookalike.knn_vector(
    collection text, vector halfvec, k integer DEFAULT 30, filter jsonb DEFAULT NULL
) RETURNS TABLE (id text, distance double precision, attributes jsonb)
LANGUAGE sql STABLE SECURITY DEFINER
ROWS 30 COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT n.id, n.distance, n.attributes FROM lookalike.nearest_records($1, $2, $3, $4, NULL) AS n
$$;

COMMENT ON FUNCTION lookalike.knn_vector(text, halfvec, integer, jsonb) IS
    'The k records of a collection nearest to a vector, among those that match a filter of the API''s language; distances '
    'on the API''s scale. Owner''s rights.';
