-- Whether the index of all vectors of a collection is there and valid: the one definition of it.
--
-- Arguments: the id of the collection; the generation of its records.
-- Result: true or false. The indexes of single values do not count, and neither does one that an interrupted build left.
-- Rights: the caller's. Called by the view collection_stats, by collection_space and by queries.
CREATE OR REPLACE FUNCTION lookalike.is_indexed(collection_id integer, generation integer) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indexrelid = to_regclass('lookalike.' || lookalike.records_table(collection_id, generation) || '_hnsw')
          AND i.indisvalid);
END;

COMMENT ON FUNCTION lookalike.is_indexed(integer, integer) IS
    'Internal: whether the HNSW index of a collection''s records is there and valid. Caller''s rights.';
