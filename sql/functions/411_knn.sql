-- The records nearest to a stored record, itself first at distance 0 (unless the filter leaves it out).
--
-- Arguments: the name of the collection; the record's id; how many records; a filter, NULL or '{}' for none.
-- Result, index, errors: as lookalike.knn_vector; SQLSTATE P0002 also where the record is not stored, no rows where an
--   argument but the filter is NULL.
-- Rights: the owner's, as those of knn_vector. Fixed search_path; nothing to inline, as nearest_records builds its query for the partition.
CREATE OR REPLACE FUNCTION lookalike.knn(
    collection text, record_id text, k integer DEFAULT 30, filter jsonb DEFAULT NULL
) RETURNS TABLE (id text, distance double precision, attributes jsonb)
LANGUAGE sql STABLE SECURITY DEFINER
ROWS 30 COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT n.id, n.distance, n.attributes
    FROM lookalike.nearest_records($1, lookalike.vector_of($1, $2), $3, $4, $2) AS n
$$;

COMMENT ON FUNCTION lookalike.knn(text, text, integer, jsonb) IS
    'The k records of a collection nearest to one of its records, among those that match a filter of the API''s language; '
    'distances on the API''s scale. Owner''s rights.';
