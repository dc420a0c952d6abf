-- Moves records into the trash: they leave searches, counts and exports at once, and can come back whole.
--
-- Arguments: the name of the collection; the ids; for how many days they can come back; who removes them, the database's
--   user where NULL; the number of the decision that does, NULL where none does.
-- Result: the ids that were removed, in their order; one that is not stored is passed over. SQLSTATE P0002: no such
--   collection; 22023: less than no days, or more than 36,500, or an id is NULL.
-- Locks: the rows of the records, in the order of their ids, as everything does that writes several.
-- Rights: the caller's. Fixed search_path. Called by resolve_duplicates and by anyone who may delete records.
CREATE OR REPLACE FUNCTION lookalike.remove_to_trash(
    collection text, ids text[], days double precision DEFAULT 30, removed_by text DEFAULT NULL,
    decision bigint DEFAULT NULL
) RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    there text[];
    at_generation integer;
BEGIN
    IF days IS NULL OR NOT days BETWEEN 0 AND 36500 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'records can stay in the trash for 0 to 36500 days';
    END IF;
    PERFORM lookalike.check_ids(ids);
    space := lookalike.collection_space(collection);
    -- Locked by a statement of its own: the next one sees what the writers did that this one waited for.
    EXECUTE format(
        'SELECT coalesce(array_agg(q.id ORDER BY q.id), ''{}'') FROM (
             SELECT r.id FROM %s AS r
             WHERE r.collection_id = $1 AND r.id = ANY ($2) AND (r.expires_at IS NULL OR r.expires_at > now())
             ORDER BY r.id FOR UPDATE) AS q', space.records)
        INTO there USING space.id, ids;
    SELECT c.generation INTO STRICT at_generation FROM lookalike.collections AS c WHERE c.id = space.id;
    EXECUTE format(
        'INSERT INTO lookalike.trash (collection_id, id, decision_id, removed_by, purge_at, generation, attributes, embedding, digest,
                                      created_at, thumbnail, picture, box)
         SELECT r.collection_id, r.id, $6, $3, now() + make_interval(secs => 86400 * $4), $5, r.attributes, r.embedding,
                r.digest, r.created_at, t.webp, o.picture, o.box
         FROM %1$s AS r
         LEFT JOIN lookalike.%2$I AS t ON t.collection_id = r.collection_id AND t.id = r.id
         LEFT JOIN lookalike.%3$I AS o ON o.collection_id = r.collection_id AND o.id = r.id
         WHERE r.collection_id = $1 AND r.id = ANY ($2)',
        space.records, format('thumbnails_%s', space.id), format('originals_%s', space.id))
        USING space.id, there, coalesce(removed_by, session_user), days, at_generation, decision;
    EXECUTE format('DELETE FROM %s AS r WHERE r.collection_id = $1 AND r.id = ANY ($2)', space.records)
        USING space.id, there;
    RETURN there;
END;
$$;

COMMENT ON FUNCTION lookalike.remove_to_trash(text, text[], double precision, text, bigint) IS
    'Moves records into the trash, from where they can come back whole for some days; returns their ids. Caller''s rights.';

-- Refuses ids of which one is NULL, or that are NULL themselves: SQLSTATE 22023.
CREATE OR REPLACE FUNCTION lookalike.check_ids(ids text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF ids IS NULL OR array_position(ids, NULL) IS NOT NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = 'an id of a record is NULL';
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.check_ids(text[]) IS 'Internal: refuses ids of which one is NULL. Caller''s rights.';
