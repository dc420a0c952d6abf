-- The name of the table of a collection's records: a partition of lookalike.records.
--
-- Arguments: the id of the collection; its generation, 1 until all its vectors are made anew.
-- Result: a name without the schema. Each generation has a table of its own, so that whoever still has the facts of an
--   earlier one (and vectors of its model) finds no table, rather than vectors of another model.
-- Rights: the caller's. Called by the functions that make and drop collections, the view collection_stats and queries.
CREATE OR REPLACE FUNCTION lookalike.records_table(collection_id integer, generation integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE generation WHEN 1 THEN format('records_%s', collection_id)
                           ELSE format('records_%s_v%s', collection_id, generation) END;
END;

COMMENT ON FUNCTION lookalike.records_table(integer, integer) IS
    'The name of the table of a collection''s records. Caller''s rights.';
