-- Stores a record with a vector of the caller's own making.
--
-- Arguments: the name of the collection; an id of 1 to 1,024 bytes; the attributes, an object; a vector of the collection's
--   dimension, of the model that the collection has: it is brought to length 1, as the server's are. (A halfvec or a real[]
--   is cast by ::vector.)
-- Result: the id. The record is in the API's answers once the transaction is committed. SQLSTATE P0002: no such collection;
--   22004: an argument is NULL; 22023: another dimension, or a vector of zeros; 23505: the id is taken; 23514: the
--   attributes are no object, or a key is kept (_id, _base64, _box, _embedding, _reason, $…); 54000: the collection is full.
-- Locks: with a capacity, the row of the collection, until the transaction ends: inserts take turns, as the server's do.
-- Rights: the caller's. Fixed search_path. Called by anyone who may insert.
CREATE OR REPLACE FUNCTION lookalike.insert_record(collection text, id text, attributes jsonb, vector vector) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    space record;
    most bigint;
    stored bigint;
    wrong text;
BEGIN
    IF collection IS NULL OR id IS NULL OR attributes IS NULL OR vector IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'a record has a collection, an id, attributes and a vector: none is NULL';
    END IF;
    space := lookalike.collection_space(collection);
    PERFORM lookalike.check_query(space.dimensions, vector::text);
    IF jsonb_typeof(attributes) <> 'object' THEN
        RAISE check_violation USING MESSAGE = 'the attributes are an object, as in {"brand": "Fila"}';
    END IF;
    SELECT key INTO wrong FROM jsonb_object_keys(attributes) AS key
    WHERE key LIKE '$%' OR key IN ('_id', '_base64', '_box', '_embedding', '_reason') LIMIT 1;
    IF FOUND THEN
        RAISE check_violation USING MESSAGE = format('the attribute %L is kept for the API and cannot be stored', wrong);
    END IF;
    SELECT c.capacity INTO most FROM lookalike.collections AS c WHERE c.id = space.id AND c.capacity IS NOT NULL
    FOR NO KEY UPDATE;
    EXECUTE format('DELETE FROM %s AS r WHERE r.collection_id = $1 AND r.id = $2 AND r.expires_at <= now()', space.records)
        USING space.id, id;
    EXECUTE format(
        'INSERT INTO %s AS r (collection_id, id, attributes, embedding)
         VALUES ($1, $2, $3, %s.l2_normalize($4)::%s) ON CONFLICT (collection_id, id) DO NOTHING',
        space.records, space.pgvector, space.half)
        USING space.id, id, attributes, vector;
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored = 0 THEN
        RAISE unique_violation USING
            MESSAGE = format('there is a record %L in the collection %L already', id, collection),
            HINT = 'UPDATE its attributes, or DELETE it first.';
    ELSIF most IS NOT NULL THEN
        EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s AS s LIMIT $1 + 1) AS r',
                       lookalike.unexpired(space.id, space.records)) INTO stored USING most;
        IF stored > most THEN
            RAISE program_limit_exceeded USING MESSAGE = format('the collection holds at most %s records', most);
        END IF;
    END IF;
    RETURN id;
END;
$$;

COMMENT ON FUNCTION lookalike.insert_record(text, text, jsonb, vector) IS
    'Stores a record with a vector of one''s own, brought to length 1; refuses what the API would refuse. '
    'Caller''s rights.';
