-- What a condition asks of one value, as jsonpath: app/filters/jsonpath.py, `element` and `field`.
--
-- `filter_element`: of the value taken as it is; true or false, never unknown. `filter_field`: of the value of a field,
-- itself and, in an array, each element. Arguments: the node (see 021); the expression of the value.
-- The texts themselves are in filter_fragment, which is generated from the translator of the API.
-- Rights: the caller's. Fixed search_path. Called by filter_predicate, and by one another.
CREATE OR REPLACE FUNCTION lookalike.filter_element(node jsonb, expression text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE
        WHEN node = 'true' THEN '1 == 1'
        WHEN node = 'false' THEN '1 == 0'
        WHEN node ? 'and' THEN lookalike.filter_join(ARRAY(
            SELECT lookalike.filter_element(c.value, expression)
            FROM jsonb_array_elements(node -> 'and') WITH ORDINALITY AS c (value, position) ORDER BY c.position), '&&')
        WHEN node ? 'or' THEN lookalike.filter_any(ARRAY(
            SELECT lookalike.filter_element(c.value, expression)
            FROM jsonb_array_elements(node -> 'or') WITH ORDINALITY AS c (value, position) ORDER BY c.position))
        WHEN node ? 'not' THEN format('!(%s)', lookalike.filter_element(node -> 'not', expression))
        WHEN node ? 'eq' THEN lookalike.filter_equal(expression, node -> 'eq')
        WHEN node ? 'in' THEN lookalike.filter_one_of(expression, node -> 'in')
        WHEN node ? 'cmp' THEN format(
            lookalike.filter_fragment('element.compare.' || jsonb_typeof(node -> 'cmp')),
            expression, (node -> 'cmp')::text, node ->> 'op')
        WHEN node ? 'exists' THEN format(lookalike.filter_fragment('element.exists'), expression)
        WHEN node ? 'type' THEN lookalike.filter_types(node -> 'type', expression)
        WHEN node ? 'size' THEN format(lookalike.filter_fragment('element.size'), expression, node ->> 'size')
        WHEN node ? 'elem' AND (node -> 'documents')::boolean THEN format(
            lookalike.filter_fragment('element.elem.documents'), expression, lookalike.filter_predicate(node -> 'elem'))
        WHEN node ? 'elem' THEN format(
            lookalike.filter_fragment('element.elem.values'), expression, lookalike.filter_element(node -> 'elem', '@'))
        WHEN node ? 'regex' THEN format(
            lookalike.filter_fragment('element.regex.' || (node ->> 'icase')), expression, (node -> 'regex')::text)
        WHEN node ? 'mod' THEN format(
            lookalike.filter_fragment('element.mod'), expression, node ->> 'mod', node ->> 'remainder')
    END;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_element(jsonb, text) IS
    'Internal: what a condition of a filter asks of one expression, as jsonpath. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_field(node jsonb, expression text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind constant text := coalesce(jsonb_typeof(node -> 'eq'), '');
    elements jsonb;
BEGIN
    IF kind = 'array' THEN
        RETURN lookalike.filter_any(ARRAY[
            lookalike.filter_element(node, expression), format('exists(%s ? (%s))', expression, lookalike.filter_element(node, '@'))]);
    ELSIF kind IN ('null', 'string', 'number', 'boolean') THEN
        RETURN format(lookalike.filter_fragment('field.equals.' || kind), expression, (node -> 'eq')::text);
    ELSIF node ? 'in' AND jsonb_array_length(node -> 'in') <= 10 THEN
        RETURN lookalike.filter_any(ARRAY(
            SELECT expression || ' == ' || c.value::text
            FROM jsonb_array_elements(node -> 'in') WITH ORDINALITY AS c (value, position) ORDER BY c.position));
    ELSIF node ? 'cmp' THEN
        RETURN format(lookalike.filter_fragment('field.compare.' || jsonb_typeof(node -> 'cmp')),
                      expression, (node -> 'cmp')::text, node ->> 'op');
    ELSIF node ? 'type' THEN
        elements := (node -> 'type') - 'array';
        RETURN lookalike.filter_any(
            CASE WHEN elements = '[]' THEN ARRAY[]::text[]
                 ELSE ARRAY[format('exists(%s ? (%s))', expression, lookalike.filter_types(elements, '@'))] END
            || CASE WHEN node -> 'type' ? 'array' THEN ARRAY[expression || '.type() == "array"'] ELSE ARRAY[]::text[] END);
    ELSIF node ? 'exists' OR node ? 'size' OR node ? 'elem' THEN
        RETURN lookalike.filter_element(node, expression);
    ELSIF node ? 'regex' THEN
        RETURN format(lookalike.filter_fragment('field.regex.' || (node ->> 'icase')), expression, (node -> 'regex')::text);
    END IF;
    RETURN format('exists(%s ? (%s))', expression, lookalike.filter_element(node, '@'));
END;
$$;

COMMENT ON FUNCTION lookalike.filter_field(jsonb, text) IS
    'Internal: what a condition of a filter asks of the expression of a field, as jsonpath. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_types(types jsonb, expression text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lookalike.filter_any(ARRAY(
    SELECT format(lookalike.filter_fragment('type.' || t.name), expression)
    FROM jsonb_array_elements_text(types) WITH ORDINALITY AS t (name, position) ORDER BY t.position));

COMMENT ON FUNCTION lookalike.filter_types(jsonb, text) IS
    'Internal: jsonpath for "is of one of these types". Caller''s rights.';
