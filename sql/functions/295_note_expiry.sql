-- Keeps the column expires_at of a record in step with its attribute _expires_at: a trigger on every table of records.
--
-- Result: the row. `_expires_at` is a moment as RFC 3339 has it, with an offset; NULL and JSON's null mean never.
--   SQLSTATE 23514 where it is something else, 22008 where there is no such moment. An attribute that an update leaves as
--   it was changes nothing: one of this name from before records could expire is no moment, or was not meant as one.
-- The first such record of a collection is noted in lookalike.collections.expires, so that queries look for it from then
--   on. Records without the attribute do not come here. With any argument nothing is noted: on a worker of Citus there is
--   no table of collections, and those whose records lie there are noted from the start.
-- Rights: the owner's: whoever may write a record may have that noted.
CREATE OR REPLACE FUNCTION lookalike.note_expiry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given text := NEW.attributes ->> '_expires_at';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.attributes -> '_expires_at' = OLD.attributes -> '_expires_at' THEN
            NEW.expires_at := OLD.expires_at;
            RETURN NEW;
        END IF;
    END IF;
    NEW.expires_at := NULL;
    IF given IS NULL THEN
        RETURN NEW;
    END IF;
    IF jsonb_typeof(NEW.attributes -> '_expires_at') <> 'string' OR given !~* (
        '^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?'
        '(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])$')
    THEN
        RAISE check_violation USING
            MESSAGE = '_expires_at is a moment with an offset, as in "2027-01-31T18:00:00+01:00", or null';
    END IF;
    -- PostgreSQL reads neither a part of a leap second nor more than some hundred digits.
    given := regexp_replace(regexp_replace(given, ':60\.[0-9]+', ':60'), '(\.[0-9]{9})[0-9]+', '\1');
    NEW.expires_at := given::timestamptz;
    IF TG_NARGS = 0 THEN
        UPDATE lookalike.collections AS c SET expires = true WHERE c.id = NEW.collection_id AND NOT c.expires;
    END IF;
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
