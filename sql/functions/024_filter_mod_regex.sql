-- The operands of $mod and $regex → their nodes.
--
-- Arguments: the path the operator is about; its operand; for $regex the object it stands in, with $options beside it;
--   the place for messages. Result: a node (see 021). SQLSTATE 22023 for an operand that the API refuses, too.
-- Rights: the caller's. Fixed search_path. Called by filter_operator.
CREATE OR REPLACE FUNCTION lookalike.filter_mod(path jsonb, operand jsonb, place text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    divisor numeric;
    remainder numeric;
BEGIN
    IF jsonb_array_length(operand) <> 2 THEN
        PERFORM lookalike.filter_refuse('needs a list of two numbers: [divisor, remainder]', place);
    END IF;
    FOR position IN 0..1 LOOP
        IF jsonb_typeof(operand -> position) <> 'number' THEN
            PERFORM lookalike.filter_refuse('expected a number', format('%s[%s]', place, position));
        END IF;
    END LOOP;
    divisor := trunc((operand -> 0)::numeric);
    remainder := trunc((operand -> 1)::numeric);
    IF divisor NOT BETWEEN -9223372036854775808 AND 9223372036854775807
        OR remainder NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
        PERFORM lookalike.filter_refuse('divisor and remainder must fit in 64 bits', place);
    ELSIF divisor = 0 THEN
        PERFORM lookalike.filter_refuse('the divisor cannot be 0', place || '[0]');
    END IF;
    RETURN jsonb_build_object('mod', divisor, 'remainder', remainder, 'p', path);
END;
$$;

COMMENT ON FUNCTION lookalike.filter_mod(jsonb, jsonb, text) IS
    'Internal: the node of $mod in a filter. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_regex(path jsonb, operand jsonb, siblings jsonb, place text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    options constant jsonb := coalesce(siblings -> '$options', '""');
    translated record;
BEGIN
    IF jsonb_typeof(operand) <> 'string' THEN
        PERFORM lookalike.filter_refuse('needs a string, found ' || jsonb_typeof(operand), place);
    ELSIF jsonb_typeof(options) <> 'string' OR options #>> '{}' !~ '^[imsx]*$' THEN
        PERFORM lookalike.filter_refuse('$options may hold the letters i, m, s and x', place);
    END IF;
    PERFORM lookalike.filter_data(operand, place, 0);
    translated := lookalike.regex_translated(operand #>> '{}', options #>> '{}', place);
    RETURN jsonb_build_object('regex', translated.pattern, 'icase', translated.ignore_case, 'p', path);
END;
$$;

COMMENT ON FUNCTION lookalike.filter_regex(jsonb, jsonb, jsonb, text) IS
    'Internal: the node of $regex in a filter. Caller''s rights.';
