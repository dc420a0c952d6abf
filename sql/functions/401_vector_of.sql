-- The vector of one stored record.
--
-- Arguments: the name of the collection; the record's id.
-- Result: the vector, a halfvec of the collection's dimension; NULL for a NULL argument. SQLSTATE P0002 where there is
--   no such collection or record: a search by a misspelt id must not look like one that found nothing.
-- Index: the partition's primary key.
-- Rights: the owner's, so that lookalike_reader may search tables that it may not read. Fixed search_path. Called by
--   the functions that search by id, and by anyone.
CREATE OR REPLACE FUNCTION lookalike.vector_of(collection text, id text) RETURNS halfvec
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record := lookalike.collection_space(collection);
    found_vector lookalike.records.embedding%TYPE;
BEGIN
    EXECUTE format('SELECT r.embedding FROM %s AS r WHERE r.collection_id = $1 AND r.id = $2',
                   lookalike.unexpired(space.id, space.records))
        INTO found_vector USING space.id, id;
    IF found_vector IS NULL THEN
        RAISE no_data_found USING MESSAGE = format('there is no record %L in the collection %L', id, collection);
    END IF;
    RETURN found_vector;
END;
$$;

COMMENT ON FUNCTION lookalike.vector_of(text, text) IS
    'The vector of a stored record. Owner''s rights.';
