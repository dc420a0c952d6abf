-- The predicate of a node about the object `@`, as jsonpath: app/filters/jsonpath.py, `predicate`.
--
-- `filter_predicate` joins and negates; a condition with a path is walked by `filter_walk` (from an object) and
-- `filter_indexed` (from a value that may be an array, on to a position in it), unless the whole path may be asked at once.
-- Arguments: the node (see 021); the expression of the object or array; the steps that are left, a list.
-- Rights: the caller's. Fixed search_path. Called by filter_compiled, and by one another.
CREATE OR REPLACE FUNCTION lookalike.filter_predicate(node jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF node ? 'and' OR node ? 'or' THEN
        RETURN CASE WHEN node ? 'and'
            THEN lookalike.filter_join(ARRAY(
                SELECT lookalike.filter_predicate(c.value)
                FROM jsonb_array_elements(node -> 'and') WITH ORDINALITY AS c (value, position)
                ORDER BY c.position), '&&')
            ELSE lookalike.filter_any(ARRAY(
                SELECT lookalike.filter_predicate(c.value)
                FROM jsonb_array_elements(node -> 'or') WITH ORDINALITY AS c (value, position)
                ORDER BY c.position)) END;
    ELSIF node ? 'not' THEN
        RETURN format(lookalike.filter_fragment('predicate.not'), lookalike.filter_predicate(node -> 'not'));
    ELSIF jsonb_typeof(node) = 'boolean' OR node -> 'p' = '[]' THEN
        RETURN lookalike.filter_element(node, '@');
    ELSIF coalesce(jsonb_typeof(node -> 'eq') NOT IN ('null', 'array'), NOT node ?| ARRAY['size', 'elem'])
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements_text(node -> 'p') WITH ORDINALITY AS s (step, position)
            WHERE s.position > 1 AND lookalike.filter_is_index(s.step))
    THEN
        RETURN lookalike.filter_field(node, '@' || (
            SELECT string_agg('.' || s.step::text, '' ORDER BY s.position)
            FROM jsonb_array_elements(node -> 'p') WITH ORDINALITY AS s (step, position)));
    END IF;
    RETURN lookalike.filter_walk(node, '@', node -> 'p');
END;
$$;

COMMENT ON FUNCTION lookalike.filter_predicate(jsonb) IS
    'Internal: the predicate of a node of a filter, as jsonpath. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_walk(node jsonb, at text, steps jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    value constant text := at || '.' || (steps -> 0)::text;
    rest constant jsonb := steps - 0;
    ways text[];
BEGIN
    IF rest = '[]' THEN
        RETURN lookalike.filter_field(node, value);
    END IF;
    ways := ARRAY[format('exists(%s ? (@.type() == "object" && %s))', value, lookalike.filter_walk(node, '@', rest))];
    IF lookalike.filter_is_index(rest ->> 0) THEN
        ways := ways || lookalike.filter_indexed(node, value, rest);
    END IF;
    IF jsonb_typeof(node -> 'eq') = 'null' THEN
        ways := ways || format('!exists(%s)', value)
            || format('(%1$s.type() != "object" && %1$s.type() != "array")', value);
    END IF;
    RETURN lookalike.filter_any(ways);
END;
$$;

COMMENT ON FUNCTION lookalike.filter_walk(jsonb, text, jsonb) IS
    'Internal: a condition of a filter along its path, as jsonpath. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_indexed(node jsonb, at text, steps jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item constant text := format('%s[%s]', at, steps ->> 0);
    rest constant jsonb := steps - 0;
    ways text[];
BEGIN
    IF rest = '[]' THEN
        RETURN format('(%s.type() == "array" && %s)', at, lookalike.filter_element(node, item));
    END IF;
    ways := ARRAY[format('exists(%s ? (@.type() == "object" && %s))', item, lookalike.filter_walk(node, '@', rest))];
    IF lookalike.filter_is_index(rest ->> 0) THEN
        ways := ways || lookalike.filter_indexed(node, item, rest);
    END IF;
    RETURN format('(%s.type() == "array" && %s)', at, lookalike.filter_any(ways));
END;
$$;

COMMENT ON FUNCTION lookalike.filter_indexed(jsonb, text, jsonb) IS
    'Internal: a condition of a filter on a position in an array, as jsonpath. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_is_index(step text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN step ~ '^(0|[1-9][0-9]{0,9})$' THEN step::bigint <= 2147483647 ELSE false END;

COMMENT ON FUNCTION lookalike.filter_is_index(text) IS
    'Internal: whether a step of a path can be a position in an array. Caller''s rights.';
