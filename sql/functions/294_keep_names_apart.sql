-- Keeps a collection and an alias from having one name: a trigger on both tables.
--
-- Result: the row. SQLSTATE 23505 with the constraint `aliases_names_apart` where the name is taken by the other kind.
-- Locks: an advisory lock of the name until the transaction ends, so that the other kind of the same name waits.
-- Rights: the caller's. The number of the lock is that of app/db/locks.py.
CREATE OR REPLACE FUNCTION lookalike.keep_names_apart() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(42074, hashtext(NEW.name));
    IF TG_TABLE_NAME = 'aliases' THEN
        taken := EXISTS (SELECT FROM lookalike.collections AS c WHERE c.name = NEW.name);
    ELSE
        taken := EXISTS (SELECT FROM lookalike.aliases AS a WHERE a.name = NEW.name);
    END IF;
    IF taken THEN
        RAISE unique_violation USING
            MESSAGE = format('%L is the name of %s already', NEW.name,
                             CASE TG_TABLE_NAME WHEN 'aliases' THEN 'a collection' ELSE 'an alias' END),
            CONSTRAINT = 'aliases_names_apart';
    END IF;
    RETURN NEW;
END;
$$;

COMMENT ON FUNCTION lookalike.keep_names_apart() IS
    'Keeps a collection and an alias from having one name: a trigger of both tables. Caller''s rights.';

CREATE OR REPLACE TRIGGER keep_names_apart BEFORE INSERT OR UPDATE OF name ON lookalike.collections
    FOR EACH ROW EXECUTE FUNCTION lookalike.keep_names_apart();
CREATE OR REPLACE TRIGGER keep_names_apart BEFORE INSERT OR UPDATE OF name ON lookalike.aliases
    FOR EACH ROW EXECUTE FUNCTION lookalike.keep_names_apart();
