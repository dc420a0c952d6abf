-- Notes which records of a collection were written since their pairs were made: a trigger on the table of its records,
-- made by begin_duplicate_scan and gone with the table.
--
-- Result: rows of lookalike.duplicate_changes. Notes are only ever added, so that none depends on what the writing
--   transaction sees. A change of attributes alone is none: the trigger is one of other columns.
-- Rights: the owner's: whoever may write a record may have that noted.
CREATE OR REPLACE FUNCTION lookalike.note_duplicate_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('INSERT INTO lookalike.duplicate_changes (collection_id, id) SELECT r.collection_id, r.id FROM %I.%I AS r',
                       TG_TABLE_SCHEMA, TG_TABLE_NAME);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO lookalike.duplicate_changes (collection_id, id) VALUES (OLD.collection_id, OLD.id);
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND OLD.id <> NEW.id THEN
        INSERT INTO lookalike.duplicate_changes (collection_id, id) VALUES (NEW.collection_id, NEW.id);
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lookalike.note_duplicate_change() IS
    'Notes which records were written since their pairs were made: a trigger. Owner''s rights.';
