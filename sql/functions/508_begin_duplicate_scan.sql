-- Begins to store the pairs of near duplicates of a collection: forgets those that were stored, and has what is written
-- noted from now on.
--
-- Arguments: the id of the collection; the radius within which pairs are stored, on the API's scale.
-- Result: the generation of the vectors that are to be compared. SQLSTATE P0002 where there is no such collection, 22023
--   where the radius is none.
-- Locks: SHARE ROW EXCLUSIVE on the table of the records, for a moment, where it has no triggers yet: writers wait, searches
--   do not. Give the transaction a lock_timeout and try again.
-- Rights: the caller's; the caller must own the tables. Called by `lookalike duplicates scan`.
CREATE OR REPLACE FUNCTION lookalike.begin_duplicate_scan(collection_id integer, radius double precision) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here integer;
    records text;
BEGIN
    IF radius IS NULL OR NOT radius BETWEEN 0 AND 1e6 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the radius is a number, 0 to 1000000';
    END IF;
    SELECT c.generation INTO STRICT here FROM lookalike.collections AS c WHERE c.id = $1 FOR NO KEY UPDATE;
    records := lookalike.records_table($1, here);
    DELETE FROM lookalike.duplicate_scans AS s WHERE s.collection_id = $1;
    INSERT INTO lookalike.duplicate_scans (collection_id, radius, generation) VALUES ($1, $2, here);
    IF NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = format('lookalike.%I', records)::regclass
                   AND t.tgname = 'note_duplicate_change') THEN
        EXECUTE format(
            'CREATE TRIGGER note_duplicate_change AFTER INSERT OR DELETE OR UPDATE OF id, embedding, digest ON lookalike.%I
                 FOR EACH ROW EXECUTE FUNCTION lookalike.note_duplicate_change()', records);
        EXECUTE format(
            'CREATE TRIGGER note_duplicate_truncation BEFORE TRUNCATE ON lookalike.%I
                 FOR EACH STATEMENT EXECUTE FUNCTION lookalike.note_duplicate_change()', records);
    END IF;
    RETURN here;
END;
$$;

COMMENT ON FUNCTION lookalike.begin_duplicate_scan(integer, double precision) IS
    'Begins to store the pairs of near duplicates of a collection; returns the generation of its vectors. Caller''s rights.';

-- Ends the storing of pairs: forgets them, and notes nothing any more. The decisions and the trash stay.
CREATE OR REPLACE FUNCTION lookalike.forget_duplicates(collection_id integer) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    records text;
    own name;
BEGIN
    SELECT lookalike.records_table(c.id, c.generation) INTO STRICT records
    FROM lookalike.collections AS c WHERE c.id = $1 FOR NO KEY UPDATE;
    -- Those that are there: where Citus keeps the records it refuses to drop even one that is not.
    FOR own IN
        SELECT t.tgname FROM pg_trigger AS t
        WHERE t.tgrelid = format('lookalike.%I', records)::regclass
            AND t.tgname IN ('note_duplicate_change', 'note_duplicate_truncation')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON lookalike.%I', own, records);
    END LOOP;
    DELETE FROM lookalike.duplicate_scans AS s WHERE s.collection_id = $1;
    RETURN FOUND;
END;
$$;

COMMENT ON FUNCTION lookalike.forget_duplicates(integer) IS
    'Forgets the stored pairs of a collection and notes changes no more; returns whether there were any. Caller''s rights.';
