-- Every record within a radius of a stored record, itself included: what `range` answers, in SQL.
--
-- Arguments: the name of the collection; the record's id; the radius on the API's scale, itself within; a filter in the
--   API's language, NULL or '{}' for none.
-- Result: all such records, nearest first, equal distances by id: id, distance, attributes. No rows where an argument but
--   the filter is NULL. SQLSTATE P0002: no such collection or record; 22023: a filter that the API refuses.
-- Index: GIN on attributes for the filter; the distances are all computed, as no index can say where a radius ends
--   without missing some: 0.4 microseconds a match of 784 dimensions.
-- Rights: the owner's, so that lookalike_reader may search tables that it may not read. Fixed search_path. Called by
--   anyone.
CREATE OR REPLACE FUNCTION lookalike.within(
    collection text, record_id text, radius double precision, filter jsonb DEFAULT NULL
) RETURNS TABLE (id text, distance double precision, attributes jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
ROWS 100 COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    asked record;
BEGIN
    IF collection IS NULL OR record_id IS NULL OR radius IS NULL THEN
        RETURN;
    END IF;
    space := lookalike.collection_space(collection);
    asked := lookalike.filter_compiled(filter);
    RETURN QUERY EXECUTE format(
        'SELECT n.id, n.distance, n.attributes FROM (
             SELECT r.id, r.attributes, $1 * (r.embedding::%1$s %2$s $2::%1$s) AS distance
             FROM %3$s AS r WHERE %4$s
         ) AS n WHERE n.distance <= $4 ORDER BY n.distance, n.id',
        space.half, space.cosine, lookalike.unexpired(space.id, space.records), asked.condition)
        USING space.scale, lookalike.vector_of(collection, record_id), asked.path, radius;
END;
$$;

COMMENT ON FUNCTION lookalike.within(text, text, double precision, jsonb) IS
    'Every record within a radius (on the API''s scale) of a stored one, among those that match a filter of the API''s '
    'language. Owner''s rights.';
