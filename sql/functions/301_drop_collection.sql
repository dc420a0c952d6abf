-- Drops a collection with all that belongs to it, at once: its tables are dropped, no row is deleted.
--
-- Argument: the id of the collection.
-- Result: whether it existed. SQLSTATE 2BP01 where a view of somebody's own is built on it, 23503 where an
--   alias leads to it.
-- Locks: ACCESS EXCLUSIVE on its partitions and, for a moment, on the parents, records first as writers do; give the transaction a lock_timeout
--   and try again, so that a long query through a parent does not hold up everyone behind this one.
-- Rights: the caller's, who must own the tables. Called by the command line and by tests.
CREATE OR REPLACE FUNCTION lookalike.drop_collection(collection_id integer) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    generation integer;
    view_name constant text := lookalike.collection_view($1);
BEGIN
    DELETE FROM lookalike.collections AS c WHERE c.id = $1 RETURNING c.generation INTO generation;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    LOCK TABLE ONLY lookalike.records IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('LOCK TABLE lookalike.%I IN ACCESS EXCLUSIVE MODE', lookalike.records_table($1, generation));
    IF view_name IS NOT NULL THEN
        EXECUTE format('DROP VIEW lookalike.%I', view_name);
    END IF;
    EXECUTE format('DROP TABLE lookalike.%I', format('thumbnails_%s', $1));
    EXECUTE format('DROP TABLE lookalike.%I', format('originals_%s', $1));
    EXECUTE format('DROP TABLE lookalike.%I', lookalike.records_table($1, generation));
    -- That of a change of the model which is under way.
    EXECUTE format('DROP TABLE IF EXISTS lookalike.%I', lookalike.records_table($1, generation + 1));
    RETURN true;
END;
$$;

COMMENT ON FUNCTION lookalike.drop_collection(integer) IS
    'Drops a collection with all its records; returns whether it existed. Caller''s rights.';
