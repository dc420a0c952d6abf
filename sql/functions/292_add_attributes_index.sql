-- Makes the index of the attributes that every table of a collection's records has; nothing happens where it is there.
--
-- Arguments: the name of the table, without the schema, as add_records_table returns it.
-- Locks: SHARE on the table, so that nobody writes to it meanwhile.
-- Rights: the caller's; the caller must own the table. Called by create_collection and by `lookalike collection reembed`.
CREATE OR REPLACE FUNCTION lookalike.add_attributes_index(records_table text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- gin_pending_list_limit: entries of rows that were written last wait in a list which every search by the index
    --   reads whole. At the usual 4 MB a search of 60,000 records took 1.1 ms longer; entered 128 kB at a time they cost
    --   a writer no more.
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS %I ON lookalike.%I USING gin (attributes jsonb_path_ops)
             WITH (gin_pending_list_limit = 128)',
        records_table || '_attributes_idx', records_table);
END;
$$;

COMMENT ON FUNCTION lookalike.add_attributes_index(text) IS
    'Makes the index of a table''s attributes. Caller''s rights.';
