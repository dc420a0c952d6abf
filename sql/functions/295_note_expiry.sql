-- Keeps the column expires_at of a record in step with its attribute _expires_at: a trigger on every table of records.
--
-- Result: the row. `_expires_at` is a moment as RFC 3339 has it, with an offset; NULL and JSON's null mean never.
--   SQLSTATE 23514 where it is something else, 22008 where there is no such moment.
-- The first such record of a collection is noted in lookalike.collections.expires, so that queries look for it from then
--   on. Records without the attribute do not come here.
-- Rights: the owner's: whoever may write a record may have that noted.
CREATE OR REPLACE FUNCTION lookalike.note_expiry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given text := NEW.attributes ->> '_expires_at';
BEGIN
    NEW.expires_at := NULL;
    IF given IS NULL THEN
        RETURN NEW;
    END IF;
    IF jsonb_typeof(NEW.attributes -> '_expires_at') <> 'string' OR given !~* (
        '^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-](0\d|1[0-5]):[0-5]\d)$')
    THEN
        RAISE check_violation USING
            MESSAGE = '_expires_at is a moment with an offset, as in "2027-01-31T18:00:00+01:00", or null';
    END IF;
    NEW.expires_at := given::timestamptz;
    UPDATE lookalike.collections AS c SET expires = true WHERE c.id = NEW.collection_id AND NOT c.expires;
    RETURN NEW;
END;
$$;

COMMENT ON FUNCTION lookalike.note_expiry() IS
    'Keeps expires_at in step with the attribute _expires_at: a trigger of the tables of records. Owner''s rights.';

CREATE OR REPLACE TRIGGER note_expiry_of_new BEFORE INSERT ON lookalike.records
    FOR EACH ROW WHEN (NEW.attributes ? '_expires_at') EXECUTE FUNCTION lookalike.note_expiry();
CREATE OR REPLACE TRIGGER note_expiry_of_changed BEFORE UPDATE OF attributes ON lookalike.records
    FOR EACH ROW WHEN (NEW.attributes ? '_expires_at' OR OLD.expires_at IS NOT NULL)
    EXECUTE FUNCTION lookalike.note_expiry();
