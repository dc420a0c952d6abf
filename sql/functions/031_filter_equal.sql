-- Equality in jsonpath: with one value, arrays and objects whole; with one of several.
--
-- Arguments: the expression of the value; what it is compared with. Result: a predicate that is true or false.
-- Rights: the caller's. Fixed search_path. Called by the functions that write filters.
CREATE OR REPLACE FUNCTION lookalike.filter_equal(expression text, wanted jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parts text[];
BEGIN
    CASE jsonb_typeof(wanted)
        WHEN 'array' THEN
            parts := ARRAY[expression || '.type() == "array"',
                           format('%s.size() == %s', expression, jsonb_array_length(wanted))]
                || ARRAY(SELECT lookalike.filter_equal(format('%s[%s]', expression, i.position - 1), i.value)
                         FROM jsonb_array_elements(wanted) WITH ORDINALITY AS i (value, position)
                         ORDER BY i.position);
        WHEN 'object' THEN
            parts := ARRAY[expression || '.type() == "object"']
                || ARRAY(SELECT lookalike.filter_equal(expression || '.' || to_json(e.key)::text, e.value)
                         FROM jsonb_each(wanted) WITH ORDINALITY AS e (key, value, position) ORDER BY e.position);
            parts := parts || CASE WHEN wanted = '{}' THEN format('!exists(%s.*)', expression)
                ELSE format('!exists(%s.keyvalue() ? (%s))', expression, lookalike.filter_join(
                    ARRAY(SELECT '@.key != ' || to_json(e.key)::text
                          FROM jsonb_each(wanted) WITH ORDINALITY AS e (key, value, position) ORDER BY e.position),
                    '&&')) END;
        ELSE
            RETURN format(lookalike.filter_fragment('element.equals.' || jsonb_typeof(wanted)), expression, wanted::text);
    END CASE;
    RETURN '(' || lookalike.filter_join(parts, '&&') || ')';
END;
$$;

COMMENT ON FUNCTION lookalike.filter_equal(text, jsonb) IS
    'Internal: jsonpath for "equals this value". Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_one_of(expression text, choices jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN lookalike.filter_any(ARRAY(
        SELECT format('(%s.type() == "%s" && %s)', expression, kind, CASE kind
            WHEN 'boolean' THEN lookalike.filter_any(ARRAY(
                SELECT DISTINCT expression || ' == ' || c::text FROM jsonb_array_elements(choices) AS c
                WHERE jsonb_typeof(c) = kind ORDER BY 1))
            WHEN 'string' THEN lookalike.filter_tree(expression, ARRAY(
                SELECT to_json(t)::text FROM (
                    SELECT DISTINCT (c #>> '{}') COLLATE "C" AS t FROM jsonb_array_elements(choices) AS c
                    WHERE jsonb_typeof(c) = kind ORDER BY 1) AS texts))
            ELSE lookalike.filter_tree(expression, ARRAY(
                SELECT literal FROM (
                    SELECT DISTINCT ON (c.value::numeric) c.value::numeric AS number, c.value::text AS literal
                    FROM jsonb_array_elements(choices) WITH ORDINALITY AS c (value, position)
                    WHERE jsonb_typeof(c.value) = kind ORDER BY c.value::numeric, c.position) AS numbers
                ORDER BY number))
            END)
        FROM (SELECT jsonb_typeof(c.value) AS kind, min(c.position) AS first
              FROM jsonb_array_elements(choices) WITH ORDINALITY AS c (value, position) GROUP BY 1) AS kinds
        ORDER BY first));
END;
$$;

COMMENT ON FUNCTION lookalike.filter_one_of(text, jsonb) IS
    'Internal: jsonpath for "equals one of these scalars". Caller''s rights.';
