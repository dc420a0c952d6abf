-- Decides about a group of duplicates: some records are kept, the others go into the trash.
--
-- Arguments: the name of the collection; the ids that are kept, one at least, and those that are removed; rules by which the
--   attributes of the removed are merged into the one that is kept (lookalike.merged_attributes), NULL for no merge; for
--   how many days the removed can come back; why, and who decides: the database's user where NULL.
-- Result: the number of the decision, by which it is undone. SQLSTATE P0002: no such collection; 22023: no id is kept, none is removed, one is NULL,
--   one is both, or attributes are merged into several; 55000: one of the records is not stored (any more), as when
--   somebody else has decided about the group meanwhile, or, where the pairs of the collection are stored, one that is
--   removed hangs together with none that is kept: it may be the last copy. Nothing is changed then.
-- Locks: the rows of all records, in the order of their ids: of two that decide about a group at once, one waits and is told.
-- Rights: the caller's. Fixed search_path. Called by the server and by anyone who may write records.
CREATE OR REPLACE FUNCTION lookalike.resolve_duplicates(
    collection text,
    keep text[],
    remove text[],
    merge jsonb DEFAULT NULL,
    days double precision DEFAULT 30,
    reason text DEFAULT NULL,
    made_by text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    members text[];
    decision bigint;
    kept jsonb;
    changed jsonb;
    born timestamptz;  -- tells the record from another one that has its id later
    by_whom constant text := coalesce(made_by, session_user);
BEGIN
    members := lookalike.members_of_resolution(keep, remove, merge);
    space := lookalike.collection_space(collection);
    members := lookalike.lock_members(space.records, space.id, members);
    PERFORM lookalike.check_last_copy(space.id, space.records, keep, remove);
    INSERT INTO lookalike.duplicate_decisions (collection_id, kind, members, removed, reason, made_by)
    VALUES (space.id, 'resolved', members,
            (SELECT array_agg(DISTINCT r COLLATE "C") FROM unnest(remove) AS r), reason, by_whom)
    RETURNING id INTO decision;
    IF merge IS NOT NULL THEN
        SELECT m.before, m.after INTO STRICT kept, changed
        FROM lookalike.merged_members(space.id, space.records, keep[1], remove, merge) AS m;
        IF changed <> kept THEN
            EXECUTE format('UPDATE %s AS r SET attributes = $3, updated_at = now() WHERE r.collection_id = $1 AND r.id = $2
                            RETURNING r.created_at', space.records) INTO STRICT born USING space.id, keep[1], changed;
            UPDATE lookalike.duplicate_decisions AS d
            SET merged = (
                SELECT jsonb_build_object('id', keep[1], 'created_at', born, 'after', jsonb_object_agg(a.key, a.value), 'before',
                    coalesce(jsonb_object_agg(a.key, kept -> a.key) FILTER (WHERE kept ? a.key), '{}'))
                FROM jsonb_each(changed) AS a WHERE kept -> a.key IS DISTINCT FROM a.value)
            WHERE d.id = decision;
        END IF;
    END IF;
    PERFORM lookalike.remove_to_trash(collection, remove, days, by_whom, decision);
    RETURN decision;
END;
$$;

COMMENT ON FUNCTION lookalike.resolve_duplicates(text, text[], text[], jsonb, double precision, text, text) IS
    'Keeps some records of a group of duplicates and moves the others into the trash; returns the number of the decision. '
    'Caller''s rights.';

-- The ids of a decision, each once, in order. SQLSTATE 22023 where it is none: no id is kept, none removed, one is both, or
-- attributes are merged into several.
CREATE OR REPLACE FUNCTION lookalike.members_of_resolution(keep text[], remove text[], merge jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(cardinality(keep), 0) = 0 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'keep at least one record of a group: the last copy cannot be removed';
    ELSIF coalesce(cardinality(remove), 0) = 0 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'no record is removed', HINT = 'lookalike.dismiss_duplicates says that all are to stay.';
    ELSIF keep && remove THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a record is either kept or removed, not both';
    ELSIF merge IS NOT NULL AND (SELECT count(DISTINCT k) FROM unnest(keep) AS k) > 1 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'attributes are merged into one record: keep one only';
    END IF;
    RETURN ARRAY(SELECT DISTINCT m COLLATE "C" FROM unnest(keep || remove) AS m ORDER BY 1);
END;
$$;

COMMENT ON FUNCTION lookalike.members_of_resolution(text[], text[], jsonb) IS
    'Internal: the ids of a decision about duplicates, each once. Caller''s rights.';

-- Locks the members of a group and returns their ids in order. SQLSTATE 22023 where one of them is NULL, 55000 where one is
-- not stored.
CREATE OR REPLACE FUNCTION lookalike.lock_members(records text, collection_id integer, members text[]) RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    there text[];
BEGIN
    EXECUTE format(
        'SELECT coalesce(array_agg(q.id ORDER BY q.id), ''{}'') FROM (
             SELECT r.id FROM %s AS r
             WHERE r.collection_id = $1 AND r.id = ANY ($2) AND (r.expires_at IS NULL OR r.expires_at > now())
             ORDER BY r.id FOR UPDATE) AS q', records)
        INTO there USING collection_id, members;
    PERFORM lookalike.check_members(members, there);
    RETURN there;
END;
$$;

COMMENT ON FUNCTION lookalike.lock_members(text, integer, text[]) IS
    'Internal: locks the members of a group of duplicates, in the order of their ids. Caller''s rights.';

-- Refuses members of a group that are not stored: SQLSTATE 22023 where one of them is NULL, 55000 where one is not there.
CREATE OR REPLACE FUNCTION lookalike.check_members(members text[], there text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone text;
BEGIN
    PERFORM lookalike.check_ids(members);
    SELECT m INTO gone FROM unnest(members) AS m WHERE m COLLATE "C" <> ALL (there) ORDER BY m COLLATE "C" LIMIT 1;
    IF FOUND THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('the record %L is not stored: it was deleted, or somebody else has decided about it', gone);
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.check_members(text[], text[]) IS
    'Internal: refuses members of a group of duplicates that are not stored. Caller''s rights.';
