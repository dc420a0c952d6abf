-- The distance of two stored records, on the API's scale.
--
-- Arguments: the name of the collection; the ids of two records.
-- Result: 0 (the same picture) to twice the scale of the collection's model; up to 5 is a near duplicate. Exactly 0 for a
--   record and itself. NULL for a NULL argument. SQLSTATE P0002 where there is no such collection or record.
-- Index: the partition's primary key.
-- Rights: the owner's, so that lookalike_reader may search tables that it may not read. Fixed search_path. Called by
--   anyone.
CREATE OR REPLACE FUNCTION lookalike.distance(collection text, a text, b text) RETURNS double precision
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record := lookalike.collection_space(collection);
    found_distance double precision;
BEGIN
    EXECUTE format('SELECT $1 * ($2::%1$s %2$s $3::%1$s)', space.half, space.cosine)
        INTO found_distance
        USING space.scale, lookalike.vector_of(collection, a), lookalike.vector_of(collection, b);
    RETURN found_distance;
END;
$$;

COMMENT ON FUNCTION lookalike.distance(text, text, text) IS
    'The distance of two stored records on the API''s scale: 0 is the same picture, up to 5 a near duplicate. '
    'Owner''s rights.';
