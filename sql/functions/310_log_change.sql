-- Notes which records of a collection are written while its vectors are being made anew: a trigger on the table of its
-- records, made by begin_reembedding and gone with the table.
--
-- Result: rows of lookalike.reembedding_changes; `new_picture` is false where only attributes changed. Two pictures may
--   have one vector, so their digests count as well. Notes are only ever added, so that none depends on what the
--   writing transaction sees.
-- Rights: the owner's: whoever may write a record may have that noted.
CREATE OR REPLACE FUNCTION lookalike.log_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format(
            'INSERT INTO lookalike.reembedding_changes (collection_id, id, new_picture)
             SELECT r.collection_id, r.id, true FROM %I.%I AS r',
            TG_TABLE_SCHEMA, TG_TABLE_NAME);
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.id = NEW.id THEN
        INSERT INTO lookalike.reembedding_changes (collection_id, id, new_picture)
        VALUES (NEW.collection_id, NEW.id,
                (NEW.embedding, NEW.digest) IS DISTINCT FROM (OLD.embedding, OLD.digest));
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO lookalike.reembedding_changes (collection_id, id, new_picture)
        VALUES (OLD.collection_id, OLD.id, true);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO lookalike.reembedding_changes (collection_id, id, new_picture)
        VALUES (NEW.collection_id, NEW.id, true);
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lookalike.log_change() IS
    'Notes which records are written while a collection''s vectors are being made anew. Owner''s rights.';
