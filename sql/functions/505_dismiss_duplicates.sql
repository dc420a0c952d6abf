-- Decides that records are no duplicates of each other. It holds for exactly these: a group that another record joins asks
-- again, and one that loses a member does not.
--
-- Arguments: the name of the collection; the ids, two at least; why, and who decides: the database's user where NULL.
-- Result: the number of the decision, by which it is undone. SQLSTATE P0002: no such collection; 22023: less than two
--   records, or a NULL; 55000: one of them is not stored (any more).
-- Locks: the rows of the records, in the order of their ids.
-- Rights: the caller's. Fixed search_path. Called by the server and by anyone who may write records.
CREATE OR REPLACE FUNCTION lookalike.dismiss_duplicates(
    collection text, members text[], reason text DEFAULT NULL, made_by text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    there text[];
    decision bigint;
BEGIN
    IF (SELECT count(DISTINCT m) FROM unnest(members) AS m) < 2 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'name at least two records that are no duplicates of each other';
    END IF;
    space := lookalike.collection_space(collection);
    there := lookalike.lock_members(space.records, space.id, members);
    INSERT INTO lookalike.duplicate_decisions (collection_id, kind, members, reason, made_by)
    VALUES (space.id, 'dismissed', there, reason, coalesce(made_by, session_user))
    RETURNING id INTO decision;
    RETURN decision;
END;
$$;

COMMENT ON FUNCTION lookalike.dismiss_duplicates(text, text[], text, text) IS
    'Says that records are no duplicates of each other; returns the number of the decision. Caller''s rights.';
