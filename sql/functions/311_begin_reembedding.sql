-- Begins to make a collection's vectors anew: makes the table of its next generation, beside the one in use, and has
-- what is written to that one noted from now on.
--
-- Arguments: the id of the collection; the model that makes the new vectors, with its revision, dimension and scale.
-- Result: the next generation. SQLSTATE 23505 where such a change is under way, P0002 where there is no such collection.
-- Locks: SHARE ROW EXCLUSIVE on the table of the records, for a moment: writers wait, searches do not. Give the
--   transaction a lock_timeout and try again.
-- Rights: the caller's; the caller must own the tables. Called by `lookalike collection reembed`.
CREATE OR REPLACE FUNCTION lookalike.begin_reembedding(
    collection_id integer,
    model text,
    model_revision text,
    dimensions integer,
    distance_scale double precision
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    current_generation integer;
    records_partition text;
    made text;
    table_owner name;
BEGIN
    SELECT c.generation INTO STRICT current_generation FROM lookalike.collections AS c WHERE c.id = $1 FOR NO KEY UPDATE;
    INSERT INTO lookalike.reembeddings
        (collection_id, model, model_revision, dimensions, distance_scale, generation)
    VALUES ($1, $2, $3, $4, $5, current_generation + 1);

    records_partition := lookalike.records_table($1, current_generation);
    made := lookalike.add_records_table($1, current_generation + 1, $4);
    SELECT t.tableowner INTO STRICT table_owner FROM pg_catalog.pg_tables AS t
    WHERE t.schemaname = 'lookalike' AND t.tablename = records_partition;
    IF table_owner <> current_user THEN
        EXECUTE format('ALTER TABLE lookalike.%I OWNER TO %I', made, table_owner);
    END IF;

    EXECUTE format(
        'CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON lookalike.%I
             FOR EACH ROW EXECUTE FUNCTION lookalike.log_change()',
        records_partition);
    EXECUTE format(
        'CREATE TRIGGER log_truncation BEFORE TRUNCATE ON lookalike.%I
             FOR EACH STATEMENT EXECUTE FUNCTION lookalike.log_change()',
        records_partition);
    RETURN current_generation + 1;
END;
$$;

COMMENT ON FUNCTION lookalike.begin_reembedding(integer, text, text, integer, double precision) IS
    'Begins to make a collection''s vectors anew; returns the next generation. Caller''s rights.';
