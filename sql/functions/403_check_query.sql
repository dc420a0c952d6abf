-- Refuses a query that cannot be asked of a collection, in words.
--
-- Arguments: the collection's dimension; the vector as text, NULL where none is asked; k, NULL where none is asked.
-- Result: nothing. SQLSTATE 22023 where the dimension is another one, the vector has no direction, or k is out of range.
-- Rights: the caller's. Fixed search_path. Called by the functions of this folder that search; not meant for other use.
CREATE OR REPLACE FUNCTION lookalike.check_query(dimensions integer, vector text, k integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given constant integer := 1 + length(vector) - length(replace(vector, ',', ''));
BEGIN
    IF given <> dimensions THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('the vector has %s dimensions, those of this collection have %s', given, dimensions);
    ELSIF vector !~ '[1-9]' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a vector of zeros has no direction and no distance to anything';
    ELSIF k NOT BETWEEN 0 AND 100000 THEN
        RAISE invalid_parameter_value USING MESSAGE = format('k is 0 to 100,000, not %s', k);
    END IF;
END;
$$;

COMMENT ON FUNCTION lookalike.check_query(integer, text, integer) IS
    'Internal: refuses a wrong dimension, a vector of zeros, a k out of range. Caller''s rights.';
