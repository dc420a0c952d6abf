-- The list of filters behind $and, $or, $nor → a node.
--
-- Arguments: the operator; the list; the place for messages; the depth. Result: a node (see 021). SQLSTATE 22023 for what
-- the API refuses, too.
-- Rights: the caller's. Fixed search_path. Called by filter_entries.
CREATE OR REPLACE FUNCTION lookalike.filter_list(name text, operand jsonb, place text, depth integer) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
    nodes jsonb := '[]';
BEGIN
    IF jsonb_typeof(operand) <> 'array' OR operand = '[]' THEN
        PERFORM lookalike.filter_refuse('needs a non-empty list of filters', place);
    END IF;
    FOR item IN SELECT * FROM jsonb_array_elements(operand) WITH ORDINALITY AS i (value, position) LOOP
        nodes := nodes || jsonb_build_array(
            lookalike.filter_node(item.value, format('%s[%s]', place, item.position - 1), depth));
    END LOOP;
    RETURN CASE name
        WHEN '$and' THEN lookalike.filter_join_nodes(nodes, 'and')
        WHEN '$or' THEN lookalike.filter_join_nodes(nodes, 'or')
        ELSE lookalike.filter_negate(lookalike.filter_join_nodes(nodes, 'or'))
    END;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_list(text, jsonb, text, integer) IS
    'Internal: the node of $and, $or, $nor. Caller''s rights.';
