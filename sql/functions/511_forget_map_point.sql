-- Forgets where a record lies on the map of its collection, once it is deleted or its vector is another: a trigger on the
-- table of the records, made by begin_map and gone with the table.
--
-- Result: the rows of lookalike.map_points of these records are gone. A change of attributes alone is none.
-- Rights: the owner's: whoever may write a record may have that noted.
CREATE OR REPLACE FUNCTION lookalike.forget_map_point() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('DELETE FROM lookalike.map_points AS p USING %I.%I AS r WHERE p.collection_id = r.collection_id AND p.id = r.id',
                       TG_TABLE_SCHEMA, TG_TABLE_NAME);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM lookalike.map_points AS p WHERE p.collection_id = OLD.collection_id AND p.id = OLD.id;
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND OLD.id <> NEW.id THEN
        DELETE FROM lookalike.map_points AS p WHERE p.collection_id = NEW.collection_id AND p.id = NEW.id;
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lookalike.forget_map_point() IS
    'Forgets where a record lies on the map, once it is deleted or its vector is another: a trigger. Owner''s rights.';
