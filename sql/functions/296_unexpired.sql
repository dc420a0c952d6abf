-- What stands in FROM for the records of a collection that have not expired.
--
-- Arguments: the id of the collection; the quoted name of its table.
-- Result: text for EXECUTE format('… FROM %s AS r', …): the table itself where no record of it ever had an _expires_at, so
--   that nothing is looked for. PostgreSQL takes the other text as a condition on the table: its indexes serve as before.
-- Rights: the caller's. Called by the functions that search.
CREATE OR REPLACE FUNCTION lookalike.unexpired(collection_id integer, records text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN c.expires
        THEN format('(SELECT t.* FROM %s AS t WHERE t.expires_at IS NULL OR t.expires_at > now())', $2)
        ELSE $2 END
    FROM lookalike.collections AS c WHERE c.id = $1;
END;

COMMENT ON FUNCTION lookalike.unexpired(integer, text) IS
    'Internal: what stands in FROM for the records of a collection that have not expired. Caller''s rights.';
