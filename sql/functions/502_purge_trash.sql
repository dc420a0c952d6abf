-- Deletes records in the trash for good.
--
-- Arguments: the name of the collection; the ids; whether all of it is deleted, which says no id.
-- Result: how many were deleted; none where the ids are NULL. SQLSTATE P0002: no such collection; 22023: it is not said
--   whether all of it is.
-- Rights: the caller's. Fixed search_path. Called by the server and by anyone who may delete records.
CREATE OR REPLACE FUNCTION lookalike.purge_trash(collection text, ids text[], everything boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    deleted bigint;
BEGIN
    IF everything IS NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = 'say whether everything is deleted, true or false: it is NULL';
    END IF;
    space := lookalike.collection_space(collection);
    DELETE FROM lookalike.trash AS t
    WHERE t.number IN (
        SELECT s.number FROM lookalike.trash AS s
        WHERE s.collection_id = space.id AND (everything OR s.id = ANY (ids))
        ORDER BY s.number FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END;
$$;

COMMENT ON FUNCTION lookalike.purge_trash(text, text[], boolean) IS
    'Deletes records in the trash for good, all or some; returns their number. Caller''s rights.';
