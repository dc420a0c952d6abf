-- The named fields of a record's attributes, as one JSON object: what `fields_to_return` asks for.
--
-- Arguments: the attributes (an object); the names of top-level fields. A name that is not there is left out.
-- Result: an object, `{}` where none of the fields is there; never NULL.
-- Rights: the caller's. Its names were resolved when it was made, so no search_path changes what it does.
-- Called by the queries of sql/queries/, on the rows of an answer only.
CREATE OR REPLACE FUNCTION lookalike.pick(attributes jsonb, fields text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(field.key, field.value), '{}'::jsonb)
    FROM jsonb_each(attributes) AS field
    WHERE field.key = ANY (fields);
END;

COMMENT ON FUNCTION lookalike.pick(jsonb, text[]) IS
    'The named fields of a record''s attributes, as one JSON object. Caller''s rights.';
