-- What resolve_duplicates would do to the attributes of the record that is kept, the first where several are: it refuses
-- what that refuses, changes nothing, and locks nothing.
--
-- Result: one row, the attributes before and after.
-- Rights: the caller's. Fixed search_path. Called by the server and by anyone who may read records.
CREATE OR REPLACE FUNCTION lookalike.preview_resolution(collection text, keep text[], remove text[], merge jsonb DEFAULT NULL)
RETURNS TABLE (before jsonb, after jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    members text[];
    there text[];
BEGIN
    members := lookalike.members_of_resolution(keep, remove, merge);
    space := lookalike.collection_space(collection);
    EXECUTE format('SELECT coalesce(array_agg(r.id), ''{}'') FROM %s AS r WHERE r.collection_id = $1 AND r.id = ANY ($2)',
                   lookalike.unexpired(space.id, space.records)) INTO there USING space.id, members;
    PERFORM lookalike.check_members(members, there);
    PERFORM lookalike.check_last_copy(space.id, space.records, keep, remove);
    RETURN QUERY SELECT m.before, m.after FROM lookalike.merged_members(space.id, space.records, keep[1], remove, merge) AS m;
END;
$$;

COMMENT ON FUNCTION lookalike.preview_resolution(text, text[], text[], jsonb) IS
    'The attributes of the record that a decision about duplicates would keep, before and after it. Caller''s rights.';

-- The attributes of a record before and after those of others are merged into it, unchanged where merge is NULL.
CREATE OR REPLACE FUNCTION lookalike.merged_members(
    collection_id integer, records text, keep text, remove text[], merge jsonb
) RETURNS TABLE (before jsonb, after jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT k.attributes, CASE WHEN $4 IS NULL THEN k.attributes ELSE lookalike.merged_attributes(k.attributes, (
             SELECT jsonb_agg(jsonb_build_object(''id'', r.id, ''attributes'', r.attributes) ORDER BY r.id)
             FROM %1$s AS r WHERE r.collection_id = $1 AND r.id = ANY ($3)), $4) END
         FROM %1$s AS k WHERE k.collection_id = $1 AND k.id = $2', records)
        USING collection_id, keep, remove, merge;
END;
$$;

COMMENT ON FUNCTION lookalike.merged_members(integer, text, text, text[], jsonb) IS
    'Internal: the attributes of a record before and after those of others are merged into it. Caller''s rights.';
