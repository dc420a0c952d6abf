-- Makes the table of a collection's records, not yet a partition of lookalike.records.
--
-- Arguments: the id of the collection; the generation and the dimension of its vectors.
-- Result: the name of the table, without the schema. It refuses records of another collection and vectors of another
--   dimension; it has its primary key, and everything that lets ATTACH PARTITION take it without reading it.
-- `fit_records_table` does all but make the table.
-- Rights: the caller's; the caller must own the tables. Called by create_collection, begin_reembedding and begin_copy.
CREATE OR REPLACE FUNCTION lookalike.fit_records_table(made text, collection_id integer, dimensions integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- toast_tuple_target: the vector stays in the row (docs/adr/0002-vector-storage.md).
    -- vacuum_scale_factor: sweeping dead rows out of the graph takes several times as long as building it, so the
    --   server rebuilds it first, at a fifth of deleted rows, and vacuum comes after.
    -- vacuum_insert_scale_factor: rows that are only added need no sweeping; freezing them can wait.
    -- analyze_scale_factor: the planner's estimates say where a filtered search begins, so they are kept fresh.
    EXECUTE format(
        'ALTER TABLE lookalike.%I
             SET (toast_tuple_target = 4080, autovacuum_vacuum_scale_factor = 0.3,
                  autovacuum_vacuum_insert_scale_factor = 0.5, autovacuum_analyze_scale_factor = 0.05)',
        made);
    -- The CHECK on collection_id is the partition's bound: ATTACH then needs no scan.
    EXECUTE format(
        'ALTER TABLE lookalike.%I
             ADD PRIMARY KEY (collection_id, id),
             ADD CHECK (collection_id = %s),
             ADD CHECK (vector_dims(embedding) = %s),
             ALTER COLUMN attributes SET STATISTICS 1000',
        made, collection_id, dimensions);
    -- By it the server finds what has expired; records that never do take no room in it.
    EXECUTE format('CREATE INDEX ON lookalike.%I (expires_at) WHERE expires_at IS NOT NULL', made);
END;
$$;

COMMENT ON FUNCTION lookalike.fit_records_table(text, integer, integer) IS
    'Internal: gives a table of records what every one has. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.add_records_table(
    collection_id integer, generation integer, dimensions integer
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    made text := lookalike.records_table(collection_id, generation);
BEGIN
    EXECUTE format('CREATE TABLE lookalike.%I (LIKE lookalike.records INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', made);
    PERFORM lookalike.fit_records_table(made, collection_id, dimensions);
    RETURN made;
END;
$$;

COMMENT ON FUNCTION lookalike.add_records_table(integer, integer, integer) IS
    'Makes the table of a collection''s records; returns its name. Caller''s rights.';
