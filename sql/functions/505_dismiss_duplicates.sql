-- Decides that records are no duplicates of each other. It holds for exactly these, with the pictures that they have: a
-- group that another record joins asks again, and so does one of whose members the picture is replaced; one that loses a
-- member does not.
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
    pictures text[];
    decision bigint;
BEGIN
    IF (SELECT count(DISTINCT m) FROM unnest(members) AS m) < 2 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'name at least two records that are no duplicates of each other';
    END IF;
    space := lookalike.collection_space(collection);
    there := lookalike.lock_members(space.records, space.id, members);
    EXECUTE format(
        'SELECT array_agg(lookalike.picture_mark(c.generation, r.digest, o.box, r.embedding::real[]) ORDER BY r.id)
         FROM %s AS r
         JOIN lookalike.collections AS c ON c.id = r.collection_id
         LEFT JOIN lookalike.%I AS o ON o.collection_id = r.collection_id AND o.id = r.id
         WHERE r.collection_id = $1 AND r.id = ANY ($2)', space.records, format('originals_%s', space.id))
        INTO pictures USING space.id, there;
    INSERT INTO lookalike.duplicate_decisions (collection_id, kind, members, pictures, reason, made_by)
    VALUES (space.id, 'dismissed', there, pictures, reason, coalesce(made_by, session_user))
    RETURNING id INTO decision;
    RETURN decision;
END;
$$;

COMMENT ON FUNCTION lookalike.dismiss_duplicates(text, text[], text, text) IS
    'Says that records are no duplicates of each other; returns the number of the decision. Caller''s rights.';

-- What a record's picture is known by: its file and the part of it, or, where no file is known, its vector, which holds as
-- long as the vectors are not made anew.
CREATE OR REPLACE FUNCTION lookalike.picture_mark(generation integer, digest bytea, box integer[], embedding real[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN digest IS NOT NULL THEN 'file ' || encode(digest, 'hex') || coalesce(' ' || array_to_string(box, ','), '')
                ELSE 'vector ' || generation || ' ' || hash_array_extended(embedding, 0) END;
END;

COMMENT ON FUNCTION lookalike.picture_mark(integer, bytea, integer[], real[]) IS
    'Internal: what a record''s picture is known by. Caller''s rights.';

-- The members of dismissals whose picture is another one now. A dismissal says nothing of a group that has one of them.
--
-- Arguments: the id of the collection; the quoted name of its table.
-- Result: rows of a decision, not undone, and one of its members. Where a member was known by its vector, and vectors were
--   made anew since, nobody knows, and the dismissal holds.
-- Rights: the caller's. Fixed search_path. Called by duplicate_groups and the server.
CREATE OR REPLACE FUNCTION lookalike.outdated_dismissals(collection_id integer, records text)
RETURNS TABLE (decision bigint, member text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT d.id, m.id
         FROM lookalike.duplicate_decisions AS d
         JOIN lookalike.collections AS c ON c.id = d.collection_id
         CROSS JOIN LATERAL unnest(d.members, d.pictures) AS m (id, picture)
         JOIN %s AS r ON r.collection_id = $1 AND r.id = m.id
         LEFT JOIN lookalike.%I AS o ON o.collection_id = $1 AND o.id = m.id
         WHERE d.collection_id = $1 AND d.kind = ''dismissed'' AND d.undone_at IS NULL
             AND NOT (starts_with(m.picture, ''vector '') AND NOT starts_with(m.picture, ''vector '' || c.generation || '' ''))
             AND m.picture <> lookalike.picture_mark(
                 c.generation, CASE WHEN starts_with(m.picture, ''file '') THEN r.digest END, o.box, r.embedding::real[])',
        records, format('originals_%s', collection_id)) USING collection_id;
END;
$$;

COMMENT ON FUNCTION lookalike.outdated_dismissals(integer, text) IS
    'Internal: the members of dismissals whose picture is another one now. Caller''s rights.';
