-- Makes a name lead to a collection, in place of the one that it led to. Several calls in one transaction switch at once.
--
-- Arguments: the name of the alias; the name of a collection, which is no alias itself.
-- Result: the name of the collection that it led to until now; NULL where the alias is new. SQLSTATE 22004: an argument
--   is NULL; P0002: no such collection; 55000: the collection is of another service than the one until now; 23505: a
--   collection has the name; 23514: it is no name of an alias.
-- Servers follow within LOOKALIKE_AUTH_CACHE_SECONDS; a request that has begun ends on the collection that it began with.
-- Rights: the caller's, who must own the tables. Called by the command line.
CREATE OR REPLACE FUNCTION lookalike.set_alias(alias text, collection text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    target record;
    before record;
BEGIN
    IF alias IS NULL OR collection IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'an alias has a name and a collection: none is NULL';
    END IF;
    -- The lock of the trigger of both tables, before those of rows: whoever sets the same alias waits here.
    PERFORM pg_advisory_xact_lock(42074, hashtext(alias));
    SELECT c.id, c.service INTO target FROM lookalike.collections AS c WHERE c.name = collection FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE no_data_found USING
            MESSAGE = format('there is no collection %L', collection),
            HINT = 'SELECT name FROM lookalike.collection_stats lists them; an alias cannot lead to an alias.';
    END IF;
    SELECT c.name, c.service INTO before
    FROM lookalike.aliases AS a JOIN lookalike.collections AS c ON c.id = a.collection_id
    WHERE a.name = alias FOR UPDATE OF a;
    IF FOUND AND before.service <> target.service THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('%L leads to a collection of the service %s, and %L is of %s', alias, before.service,
                             collection, target.service),
            HINT = 'Drop the alias first: callers use the paths of its service.';
    END IF;
    INSERT INTO lookalike.aliases AS a (name, collection_id) VALUES (alias, target.id)
    ON CONFLICT (name) DO UPDATE SET collection_id = excluded.collection_id, set_at = now();
    RETURN before.name;
END;
$$;

COMMENT ON FUNCTION lookalike.set_alias(text, text) IS
    'Makes a name lead to a collection; returns the name of the one that it led to. Caller''s rights.';

-- Removes an alias; its collection stays.
--
-- Argument: the name of the alias.
-- Result: whether there was one.
-- Rights: the caller's, who must own the tables. Called by the command line.
CREATE OR REPLACE FUNCTION lookalike.drop_alias(alias text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM lookalike.aliases AS a WHERE a.name = alias;
    RETURN FOUND;
END;
$$;

COMMENT ON FUNCTION lookalike.drop_alias(text) IS 'Removes an alias; returns whether there was one. Caller''s rights.';
