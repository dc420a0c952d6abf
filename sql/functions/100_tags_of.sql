-- The tags of a record: the strings in one of its attributes.
--
-- Arguments: the attributes; the name of the field. A list gives its strings, each once; a single string is one tag;
--   anything else, or no such field, is no tag.
-- Result: an array without duplicates, in no particular order; empty, never NULL.
-- Rights: the caller's; its names were resolved when it was made. Called by the queries on tags, on candidates only. The
--   GIN index on attributes finds the records
--   that have a tag: attributes @> '{"tags": ["red"]}'.
CREATE OR REPLACE FUNCTION lookalike.tags_of(attributes jsonb, field text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ARRAY(
        SELECT DISTINCT tag.value #>> '{}'
        FROM jsonb_array_elements(
            CASE jsonb_typeof(attributes -> field)
                WHEN 'array' THEN attributes -> field
                WHEN 'string' THEN jsonb_build_array(attributes -> field)
                ELSE '[]'
            END) AS tag (value)
        WHERE jsonb_typeof(tag.value) = 'string'
    );
END;

COMMENT ON FUNCTION lookalike.tags_of(jsonb, text) IS
    'The tags of a record: the strings in one of its attributes, each once. Caller''s rights.';
