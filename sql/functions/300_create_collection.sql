-- Creates a collection: its row, its partitions of `records`, `thumbnails` and `originals`, the view of its
-- records.
--
-- Result: the id of the collection. SQLSTATE 23505 where the name is taken, 23514 where an argument is out of range.
-- Locks: SHARE UPDATE EXCLUSIVE on the parents (ATTACH, not PARTITION OF), so that running searches, also those
--   that go through the parents, are not held up.
-- Rights: the caller's, who must own the tables: the owner, not `lookalike_app`. The roles get theirs on the partitions.
--   Called by the command line and by tests.
CREATE OR REPLACE FUNCTION lookalike.create_collection(
    name text,
    service text,
    model text,
    model_revision text,
    dimensions integer,
    distance_scale double precision,
    capacity bigint DEFAULT NULL,
    settings jsonb DEFAULT '{}'
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    new_id integer;
BEGIN
    INSERT INTO lookalike.collections AS c
        (name, service, model, model_revision, dimensions, distance_scale, capacity, settings)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING c.id INTO new_id;

    PERFORM lookalike.add_records_table(new_id, 1, dimensions);
    PERFORM lookalike.add_side_table('thumbnails', new_id, 'thumbnails');
    PERFORM lookalike.add_side_table('originals', new_id, 'originals');
    PERFORM lookalike.attach_collection(new_id);
    RETURN new_id;
END;
$$;

COMMENT ON FUNCTION lookalike.create_collection(text, text, text, text, integer, double precision, bigint, jsonb) IS
    'Creates a collection and its partitions; returns its id. Caller''s rights.';
