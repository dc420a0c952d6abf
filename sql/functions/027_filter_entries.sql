-- Filter objects and objects of operators → nodes: what app/filters/parse.py makes of them.
--
-- `filter_entries` reads a filter object into the list of its conditions, all of which hold; operators in front of fields
-- are first sorted under their fields. `filter_node` joins them. `filter_operators` reads the operators about one field.
-- Arguments: the object; the path, a list of steps; the place for messages; the depth, at most 32.
-- Result: a node (see 021), a list of nodes of filter_entries. SQLSTATE 22023 for what the API refuses, too.
-- Rights: the caller's. Fixed search_path. Called by filter_compiled, and by one another.
CREATE OR REPLACE FUNCTION lookalike.filter_entries(source jsonb, place text, depth integer) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry record;
    behind record;
    at text;
    nodes jsonb := '[]';
    fields text[] := '{}';
    operators jsonb := '{}';
    inner_filter jsonb;
BEGIN
    IF jsonb_typeof(source) <> 'object' THEN
        PERFORM lookalike.filter_refuse('a filter is an object, found ' || jsonb_typeof(source), place);
    ELSIF depth > 32 THEN
        PERFORM lookalike.filter_refuse('nested more than 32 levels deep', place);
    END IF;
    FOR entry IN
        SELECT e.key, e.value, o.name, o.level
        FROM jsonb_each(source) WITH ORDINALITY AS e (key, value, position)
        LEFT JOIN lookalike.filter_operator_table() AS o ON o.name = e.key
        ORDER BY e.position
    LOOP
        at := place || '.' || left(entry.key, 60);
        IF entry.key NOT LIKE '$%' THEN
            IF lookalike.filter_operators_in(entry.value, at) THEN
                nodes := nodes || jsonb_build_array(lookalike.filter_operators(
                    lookalike.filter_path_of(entry.key, at), entry.value, at, depth + 1));
            ELSE
                nodes := nodes || jsonb_build_array(jsonb_build_object(
                    'eq', lookalike.filter_data(entry.value, at, depth + 1),
                    'p', lookalike.filter_path_of(entry.key, at)));
            END IF;
        ELSIF entry.name IS NULL THEN
            PERFORM lookalike.filter_refuse('unknown operator', at);
        ELSIF entry.level = 'filter' THEN
            nodes := nodes || jsonb_build_array(lookalike.filter_list(entry.key, entry.value, at, depth + 1));
        ELSE
            IF jsonb_typeof(entry.value) <> 'object' OR entry.value = '{}' THEN
                PERFORM lookalike.filter_refuse(
                    format('an operator in front of fields needs an object of them, as in {"%s": {"price": …}}',
                           entry.key), at);
            END IF;
            inner_filter := '{}';
            FOR behind IN SELECT * FROM jsonb_each(entry.value) LOOP
                IF behind.key NOT LIKE '$%' THEN
                    IF NOT operators ? behind.key THEN
                        fields := array_append(fields, behind.key);
                        operators := operators || jsonb_build_object(behind.key, '{}'::jsonb);
                    END IF;
                    operators := jsonb_set(operators, ARRAY[behind.key, entry.key], behind.value);
                ELSIF entry.key = '$not' THEN
                    inner_filter := inner_filter || jsonb_build_object(behind.key, behind.value);
                ELSE
                    PERFORM lookalike.filter_refuse('expected the name of a field', at || '.' || left(behind.key, 60));
                END IF;
            END LOOP;
            IF inner_filter <> '{}' THEN  -- each condition behind $not is negated for itself
                nodes := nodes || (
                    SELECT jsonb_agg(lookalike.filter_negate(node.value) ORDER BY node.position)
                    FROM jsonb_array_elements(lookalike.filter_entries(inner_filter, at, depth + 1))
                        WITH ORDINALITY AS node (value, position));
            END IF;
        END IF;
    END LOOP;
    FOREACH at IN ARRAY fields LOOP
        nodes := nodes || jsonb_build_array(lookalike.filter_operators(
            lookalike.filter_path_of(at, place), operators -> at, place || '.' || left(at, 60), depth + 1));
    END LOOP;
    RETURN nodes;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_entries(jsonb, text, integer) IS
    'Internal: the conditions of a filter object. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_node(source jsonb, place text, depth integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lookalike.filter_join_nodes(lookalike.filter_entries(source, place, depth), 'and');

COMMENT ON FUNCTION lookalike.filter_node(jsonb, text, integer) IS
    'Internal: the node of a filter object. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_operators(path jsonb, source jsonb, place text, depth integer) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry record;
    at text;
    nodes jsonb := '[]';
BEGIN
    IF depth > 32 THEN
        PERFORM lookalike.filter_refuse('nested more than 32 levels deep', place);
    END IF;
    FOR entry IN
        SELECT e.key, e.value, o.name, o.level
        FROM jsonb_each(source) WITH ORDINALITY AS e (key, value, position)
        LEFT JOIN lookalike.filter_operator_table() AS o ON o.name = e.key
        ORDER BY e.position
    LOOP
        at := place || '.' || left(entry.key, 60);
        IF entry.name IS NULL THEN
            PERFORM lookalike.filter_refuse(
                CASE WHEN entry.key LIKE '$%' THEN 'unknown operator'
                     ELSE 'a field cannot stand beside operators' END, at);
        ELSIF entry.level = 'filter' THEN
            PERFORM lookalike.filter_refuse('joins filters and cannot stand under a field', at);
        END IF;
        nodes := nodes || jsonb_build_array(
            lookalike.filter_operator(entry.key, path, entry.value, source, at, depth));
    END LOOP;
    RETURN lookalike.filter_join_nodes(nodes, 'and');
END;
$$;

COMMENT ON FUNCTION lookalike.filter_operators(jsonb, jsonb, text, integer) IS
    'Internal: the node of the operators about one field. Caller''s rights.';
