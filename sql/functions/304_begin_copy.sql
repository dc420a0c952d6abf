-- Begins a copy of a collection under another name: its row and its tables, which nobody else sees before the transaction
-- ends. The caller fills them, and calls attach_collection.
--
-- Arguments: the id of the collection; the name of the copy; the id of the job, which is noted in the settings as
--   `copied_by`: so a job that was interrupted knows its own copy.
-- Result: the id of the copy. SQLSTATE P0002 where there is no such collection, 23505 where the name is taken.
--   Settings and capacity are those of the collection; fields that it has indexes for are not noted, as the copy has none.
-- Locks: ACCESS SHARE on the tables of the collection, and none on their parents.
-- Rights: the caller's, who must own the tables. Called by `lookalike collection copy`.
CREATE OR REPLACE FUNCTION lookalike.begin_copy(collection_id integer, name text, job_id bigint) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    new_id integer;
    dimensions integer;
    source text;
    made text;
BEGIN
    INSERT INTO lookalike.collections AS made
        (name, service, model, model_revision, dimensions, distance_scale, capacity, settings, expires)
    SELECT $2, c.service, c.model, c.model_revision, c.dimensions, c.distance_scale, c.capacity,
           c.settings - 'indexed_fields' || jsonb_build_object('copied_by', $3), c.expires
    FROM lookalike.collections AS c WHERE c.id = $1
    RETURNING made.id, made.dimensions INTO STRICT new_id, dimensions;
    SELECT lookalike.records_table(c.id, c.generation) INTO STRICT source FROM lookalike.collections AS c WHERE c.id = $1;
    made := lookalike.records_table(new_id, 1);
    PERFORM lookalike.create_like(made, source, 'records');
    PERFORM lookalike.fit_records_table(made, new_id, dimensions);
    PERFORM lookalike.add_side_table('thumbnails', new_id, format('thumbnails_%s', $1));
    PERFORM lookalike.add_side_table('originals', new_id, format('originals_%s', $1));
    RETURN new_id;
END;
$$;

COMMENT ON FUNCTION lookalike.begin_copy(integer, text, bigint) IS
    'Internal: begins a copy of a collection; returns its id. Caller''s rights.';
