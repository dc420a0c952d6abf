-- The tree of a filter: conjunction, disjunction, complement. Nodes are jsonb: true, false, {"and": […]}, {"or": […]},
-- {"not": node}, or a condition with its path in "p". Constants vanish and lists are flat, as in app/filters/nodes.py.
--
-- Arguments: a list of nodes; `word` is `and` or `or`. Result: one node; of an empty list true (and) or false (or).
-- Rights: the caller's; every name is resolved when the function is made. Called by the functions that read filters.
CREATE OR REPLACE FUNCTION lookalike.filter_join_nodes(nodes jsonb, word text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    neutral constant jsonb := to_jsonb(word = 'and');
    parts jsonb := '[]';
    node jsonb;
BEGIN
    FOR node IN SELECT * FROM jsonb_array_elements(nodes) LOOP
        IF jsonb_typeof(node) = 'object' AND node ? word THEN
            parts := parts || (node -> word);
        ELSIF jsonb_typeof(node) = 'boolean' AND node <> neutral THEN
            RETURN node;
        ELSIF node <> neutral THEN
            parts := parts || jsonb_build_array(node);
        END IF;
    END LOOP;
    RETURN CASE jsonb_array_length(parts)
        WHEN 0 THEN neutral
        WHEN 1 THEN parts -> 0
        ELSE jsonb_build_object(word, parts)
    END;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_join_nodes(jsonb, text) IS
    'Internal: joins nodes of a filter by and, or. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_negate(node jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN jsonb_typeof(node) = 'boolean' THEN to_jsonb(node = 'false'::jsonb)
    WHEN node ? 'not' THEN node -> 'not'
    ELSE jsonb_build_object('not', node)
END;

COMMENT ON FUNCTION lookalike.filter_negate(jsonb) IS
    'Internal: the complement of a node of a filter. Caller''s rights.';
