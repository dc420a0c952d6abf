-- Gives up making a collection's vectors anew: the new ones are dropped, those in use stay as they are.
--
-- Argument: the id of the collection.
-- Result: whether such a change was under way.
-- Locks: ACCESS EXCLUSIVE on the table of the records, for a moment; give the transaction a lock_timeout and try again.
-- Rights: the caller's; the caller must own the tables. Called by `lookalike collection reembed --abandon`.
CREATE OR REPLACE FUNCTION lookalike.abandon_reembedding(collection_id integer) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    old_table text;
    new_table text;
BEGIN
    SELECT lookalike.records_table(c.id, c.generation), lookalike.records_table(c.id, e.generation)
    INTO old_table, new_table
    FROM lookalike.collections AS c JOIN lookalike.reembeddings AS e ON e.collection_id = c.id
    WHERE c.id = $1 FOR NO KEY UPDATE OF c;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TRIGGER log_change ON lookalike.%I', old_table);
    EXECUTE format('DROP TRIGGER log_truncation ON lookalike.%I', old_table);
    EXECUTE format('DROP TABLE lookalike.%I', new_table);
    DELETE FROM lookalike.partial_indexes AS p WHERE p.records_table = new_table;
    DELETE FROM lookalike.crowds AS c WHERE c.records_table = new_table;
    DELETE FROM lookalike.reembeddings AS e WHERE e.collection_id = $1;
    RETURN true;
END;
$$;

COMMENT ON FUNCTION lookalike.abandon_reembedding(integer) IS
    'Gives up making a collection''s vectors anew; returns whether that was under way. Caller''s rights.';
