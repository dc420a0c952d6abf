-- The records most like some stored records, and unlike others: what visualKNNMulti answers with `negative_records` and the
-- strategy `average`, in SQL.
--
-- Arguments: the name of the collection; ids of records that the answer should be like; ids of records that it should be
--   unlike, none by default; how many records; a filter in the API's language, NULL or '{}' for none.
-- Result: the records nearest to one direction: the mean of the unit vectors of the first, less half of that of the others;
--   distances are those to it. No rows where an argument but the filter and the negative ids is NULL, or no id is given.
--   SQLSTATE P0002: no such collection or record; 22023: the examples cancel each other out, or as lookalike.knn_vector.
-- Index: as lookalike.knn_vector, of which it is one call.
-- Rights: the owner's, so that lookalike_reader may search tables that it may not read. Fixed search_path.
CREATE OR REPLACE FUNCTION lookalike.knn_examples(
    collection text, ids text[], negative_ids text[] DEFAULT '{}', k integer DEFAULT 30, filter jsonb DEFAULT NULL
) RETURNS TABLE (id text, distance double precision, attributes jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
ROWS 30 COST 10000
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    direction lookalike.records.embedding%TYPE;
    length double precision;
BEGIN
    IF collection IS NULL OR ids IS NULL OR k IS NULL THEN
        RETURN;
    END IF;
    SELECT l2_normalize(d.direction)::halfvec, vector_norm(d.direction) INTO direction, length
    FROM (
        SELECT CASE WHEN away.mean IS NULL THEN near.mean ELSE near.mean + near.mean - away.mean END AS direction
        FROM (
            SELECT avg(l2_normalize(lookalike.vector_of(collection, e.id)::vector)) AS mean FROM unnest(ids) AS e (id)
        ) AS near, (
            SELECT avg(l2_normalize(lookalike.vector_of(collection, e.id)::vector)) AS mean FROM unnest(negative_ids) AS e (id)
        ) AS away
    ) AS d;
    IF direction IS NULL THEN
        RETURN;
    END IF;
    IF length < 1e-3 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the examples cancel each other out; leave one out';
    END IF;
    RETURN QUERY
        SELECT n.id, n.distance, n.attributes
        FROM lookalike.nearest_records(collection, direction, k, filter, NULL) AS n;
END;
$$;

COMMENT ON FUNCTION lookalike.knn_examples(text, text[], text[], integer, jsonb) IS
    'The k records of a collection most like some of its records and unlike others, among those that match a filter of the '
    'API''s language. Owner''s rights.';
