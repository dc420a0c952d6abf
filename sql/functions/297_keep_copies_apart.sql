-- Keeps further records of a crowd out of the HNSW index: a trigger on each table of records that has crowds.
--
-- Result: the row. `crowd` is the digest of its vector where that vector is one of lookalike.crowds, else NULL, whatever
--   was given. So a record with a `crowd` has the very vector of that row, whoever wrote it.
-- A crowd is never forgotten as long as its table is there: whoever sees the record sees the row of its crowd, also in a
--   later statement (docs/adr/0021-copies-beside-the-graph.md).
-- The cast to real[] needs no name of pgvector's, which may lie in any schema.
-- Rights: the owner's: whoever may write a record may have that looked up.
CREATE OR REPLACE FUNCTION lookalike.keep_copies_apart() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.crowd := (
        SELECT c.digest FROM lookalike.crowds AS c
        WHERE c.records_table = TG_TABLE_NAME::text
          AND c.digest = hash_array_extended(NEW.embedding::real[], 0)
          AND c.embedding::real[] = NEW.embedding::real[]);
    RETURN NEW;
END;
$$;

COMMENT ON FUNCTION lookalike.keep_copies_apart() IS
    'Keeps further records of a crowd out of the HNSW index: a trigger of tables of records. Owner''s rights.';
