-- The operands that are more than one value → their nodes: $in, $all, $elemMatch, $type, $mod, $regex.
--
-- Arguments: the path the operator is about; its operand; the place for messages; the depth. Result: a node (see 021).
-- SQLSTATE 22023 for an operand that the API refuses, too.
-- Rights: the caller's. Fixed search_path. Called by filter_operator.
CREATE OR REPLACE FUNCTION lookalike.filter_choices(path jsonb, operand jsonb, place text, depth integer) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item jsonb;
    position integer := 0;
    scalars jsonb := '[]';
    others jsonb := '[]';
    at text;
BEGIN
    FOR item IN SELECT * FROM jsonb_array_elements(operand) LOOP
        at := format('%s[%s]', place, position);
        position := position + 1;
        IF lookalike.filter_operators_in(item, at) THEN
            PERFORM lookalike.filter_refuse('a list of values cannot hold operators', at);
        END IF;
        PERFORM lookalike.filter_data(item, at, depth + 1);
        IF jsonb_typeof(item) IN ('null', 'array', 'object') THEN
            others := others || jsonb_build_array(jsonb_build_object('eq', item, 'p', path));
        ELSE
            scalars := scalars || jsonb_build_array(item);
        END IF;
    END LOOP;
    IF scalars <> '[]' THEN
        others := jsonb_build_array(jsonb_build_object('in', scalars, 'p', path)) || others;
    END IF;
    RETURN lookalike.filter_join_nodes(others, 'or');
END;
$$;

COMMENT ON FUNCTION lookalike.filter_choices(jsonb, jsonb, text, integer) IS
    'Internal: the node of $in in a filter. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_all(path jsonb, operand jsonb, place text, depth integer) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item jsonb;
    position integer := 0;
    matches constant boolean := coalesce(jsonb_typeof(operand -> 0) = 'object' AND operand -> 0 ? '$elemMatch', false);
    nodes jsonb := '[]';
    at text;
BEGIN
    IF operand = '[]' THEN
        RETURN 'false';
    END IF;
    FOR item IN SELECT * FROM jsonb_array_elements(operand) LOOP
        at := format('%s[%s]', place, position);
        position := position + 1;
        IF matches THEN
            IF jsonb_typeof(item) <> 'object' OR NOT item ? '$elemMatch' OR item - '$elemMatch' <> '{}' THEN
                PERFORM lookalike.filter_refuse(
                    'either all items are {$elemMatch: …}, and nothing else, or none is', at);
            END IF;
            nodes := nodes || jsonb_build_array(
                lookalike.filter_elem_match(path, item -> '$elemMatch', at || '.$elemMatch', depth + 1));
        ELSIF lookalike.filter_operators_in(item, at) THEN
            PERFORM lookalike.filter_refuse(
                'a list of values cannot hold operators, but for $elemMatch in every item', at);
        ELSE
            nodes := nodes || jsonb_build_array(
                jsonb_build_object('eq', lookalike.filter_data(item, at, depth + 1), 'p', path));
        END IF;
    END LOOP;
    RETURN lookalike.filter_join_nodes(nodes, 'and');
END;
$$;

COMMENT ON FUNCTION lookalike.filter_all(jsonb, jsonb, text, integer) IS
    'Internal: the node of $all in a filter. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_elem_match(path jsonb, operand jsonb, place text, depth integer)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    about_values boolean;
    about_documents boolean;
    body jsonb;
BEGIN
    IF jsonb_typeof(operand) <> 'object' THEN
        PERFORM lookalike.filter_refuse('needs an object, found ' || jsonb_typeof(operand), place);
    END IF;
    -- An operator whose operand must not be an object but is one can only be meant operator-first.
    SELECT coalesce(bool_or(value_form), false), coalesce(bool_or(NOT value_form), true)
    INTO about_values, about_documents
    FROM (
        SELECT coalesce(o.level = 'field' AND (o.takes_object OR jsonb_typeof(entry.value) <> 'object'), false)
               AS value_form
        FROM jsonb_each(operand) AS entry LEFT JOIN lookalike.filter_operator_table() AS o ON o.name = entry.key
    ) AS entries;
    IF about_values AND about_documents THEN
        PERFORM lookalike.filter_refuse('operators about the element cannot stand beside conditions on fields', place);
    END IF;
    body := CASE WHEN about_values THEN lookalike.filter_operators('[]', operand, place, depth + 1)
                 ELSE lookalike.filter_node(operand, place, depth + 1) END;
    RETURN CASE WHEN body = 'false' THEN body
                ELSE jsonb_build_object('elem', body, 'documents', about_documents, 'p', path) END;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_elem_match(jsonb, jsonb, text, integer) IS
    'Internal: the node of $elemMatch in a filter. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_type(path jsonb, operand jsonb, place text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    names constant jsonb := CASE jsonb_typeof(operand) WHEN 'array' THEN operand ELSE jsonb_build_array(operand) END;
    name jsonb;
    json_type text;
    types text[] := '{}';
BEGIN
    IF names = '[]' THEN
        PERFORM lookalike.filter_refuse('needs at least one type', place);
    END IF;
    FOR name IN SELECT * FROM jsonb_array_elements(names) LOOP
        json_type := lookalike.filter_type_named(name);
        IF json_type IS NULL THEN
            PERFORM lookalike.filter_refuse('unknown name or code of a type: ' || left(name::text, 60), place);
        ELSIF json_type <> '' THEN
            types := types || json_type;
        END IF;
    END LOOP;
    types := ARRAY(SELECT DISTINCT t COLLATE "C" FROM unnest(types) AS t ORDER BY 1);
    RETURN CASE WHEN types = '{}' THEN 'false' ELSE jsonb_build_object('type', types, 'p', path) END;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_type(jsonb, jsonb, text) IS
    'Internal: the node of $type in a filter. Caller''s rights.';
