-- Whether the HNSW index of a table of records leaves out those that stand beside it, in crowds.
--
-- Argument: the name of the table, without the schema.
-- Result: true or false; false as well where there is no such index. Who searches through the index says `crowd IS NULL`
--   then, and looks at lookalike.crowds.
-- Rights: the caller's. Called by nearest_records, near_duplicate_pairs and queries.
CREATE OR REPLACE FUNCTION lookalike.is_crowded(records_table text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indexrelid = to_regclass('lookalike.' || records_table || '_hnsw') AND i.indpred IS NOT NULL);
END;

COMMENT ON FUNCTION lookalike.is_crowded(text) IS
    'Internal: whether the HNSW index of a table of records leaves out those in crowds. Caller''s rights.';
