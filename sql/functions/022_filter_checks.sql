-- Refusals of filters, and the checks of what is data in them, as in app/filters/values.py.
--
-- `filter_refuse` raises SQLSTATE 22023 with the message and the place; it never returns. `filter_data` returns its value
-- when it is fit to be compared with: at most 32 levels deep, no number of more than 4,000 digits on either side of the
-- point, no {TAKE_FROM_QUERY} (in SQL there is no query record to take from). `filter_operators_in` says whether an
-- object holds operators (all keys begin with $) rather than data (none does); jsonb does not keep the order of keys by
-- which the API tells the two apart, so a mixture is refused. `filter_path_of` splits a dotted field name into steps.
-- Rights: the caller's. Called by the functions that read filters.
CREATE OR REPLACE FUNCTION lookalike.filter_refuse(message text, place text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE invalid_parameter_value USING
        MESSAGE = 'filter, at ' || place || ': ' || message,
        HINT = 'The language of filters is described in docs/filters.md.';
END;
$$;

COMMENT ON FUNCTION lookalike.filter_refuse(text, text) IS
    'Internal: raises the error of a filter that is refused. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_data(value jsonb, place text, depth integer) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE jsonb_typeof(value)
        WHEN 'string' THEN
            IF value #>> '{}' = '{TAKE_FROM_QUERY}' THEN
                PERFORM lookalike.filter_refuse(
                    '{TAKE_FROM_QUERY} needs a query record: in SQL, write the value itself', place);
            END IF;
        WHEN 'number' THEN
            IF abs(value::numeric) >= 1e4000 OR scale(value::numeric) > 4000 THEN
                PERFORM lookalike.filter_refuse(
                    'a number may have at most 4,000 digits on either side of the point', place);
            END IF;
        WHEN 'array', 'object' THEN
            IF depth > 32 THEN
                PERFORM lookalike.filter_refuse('nested more than 32 levels deep', place);
            END IF;
            PERFORM lookalike.filter_data(item.value, place || '.' || left(item.key, 60), depth + 1)
            FROM jsonb_each(CASE jsonb_typeof(value) WHEN 'object' THEN value ELSE '{}' END) AS item;
            PERFORM lookalike.filter_data(item.value, format('%s[%s]', place, item.position - 1), depth + 1)
            FROM jsonb_array_elements(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE '[]' END)
                WITH ORDINALITY AS item (value, position);
        ELSE NULL;
    END CASE;
    RETURN value;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_data(jsonb, text, integer) IS
    'Internal: checks a value that a filter compares with. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_operators_in(value jsonb, place text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    operators bigint;
    others bigint;
BEGIN
    IF jsonb_typeof(value) <> 'object' THEN
        RETURN false;
    END IF;
    SELECT count(*) FILTER (WHERE key LIKE '$%'), count(*) FILTER (WHERE key NOT LIKE '$%')
    INTO operators, others FROM jsonb_object_keys(value) AS key;
    IF operators > 0 AND others > 0 THEN
        PERFORM lookalike.filter_refuse('a field cannot stand beside operators', place);
    END IF;
    RETURN operators > 0;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_operators_in(jsonb, text) IS
    'Internal: whether an object of a filter holds operators rather than data. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_path_of(field text, place text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- An empty name is one empty step; string_to_array would make none of it.
    steps constant text[] := CASE WHEN field = '' THEN ARRAY[''] ELSE string_to_array(field, '.') END;
BEGIN
    IF cardinality(steps) > 32 THEN
        PERFORM lookalike.filter_refuse('a field name may have at most 32 steps', place);
    ELSIF (SELECT count(*) FROM unnest(steps) AS step WHERE step ~ '^[0-9]+$') > 6 THEN
        PERFORM lookalike.filter_refuse('a field name may have at most 6 numeric steps', place);
    END IF;
    RETURN to_jsonb(steps);
END;
$$;

COMMENT ON FUNCTION lookalike.filter_path_of(text, text) IS
    'Internal: the steps of a dotted field name in a filter. Caller''s rights.';
