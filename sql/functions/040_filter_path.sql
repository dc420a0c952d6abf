-- A filter in the API's language as one jsonpath, for `attributes @? …`.
--
-- Arguments: the filter, an object; `filter_path` refuses conditions on `_id`, which is no attribute. `filter_compiled`
--   takes them, and NULL: its `condition` is SQL on a row `r` with the path as $3.
-- Result: a jsonpath that selects a record's attributes exactly where the API's filter matches the record. NULL for NULL.
--   SQLSTATE 22023, with the place, for what the API refuses. The limits of 1,000 conditions and 20,000 values are the
--   API's alone. {TAKE_FROM_QUERY} is refused: there is no query record.
-- Index: IMMUTABLE, so with a constant filter the planner sees the path itself: GIN on attributes serves the equalities.
-- Rights: the caller's. Fixed search_path, which does not matter for inlining: PL/pgSQL is not inlined, but folded.
CREATE OR REPLACE FUNCTION lookalike.filter_compiled(
    filter jsonb, OUT path jsonpath, OUT asks_id boolean, OUT condition text
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    node constant jsonb := CASE WHEN filter IS NULL THEN 'true' ELSE lookalike.filter_node(filter, '$', 0) END;
BEGIN
    -- Documents in an array may have an _id of their own: what is asked of them is no condition on the record's.
    asks_id := EXISTS (
        SELECT FROM lookalike.filter_conditions(node) AS c WHERE c.path ->> 0 = '_id');
    IF node <> 'true' THEN
        path := format('$ ? (%s)', lookalike.filter_predicate(node))::jsonpath;
    END IF;
    condition := CASE
        WHEN node = 'true' THEN 'TRUE'
        WHEN asks_id THEN '(r.attributes || jsonb_build_object(''_id'', r.id)) @? $3'
        ELSE 'r.attributes @? $3'
    END;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_compiled(jsonb) IS
    'Internal: a filter of the API''s language as a jsonpath and as a condition. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_conditions(node jsonb) RETURNS TABLE (path jsonb)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH RECURSIVE below (node) AS (
        SELECT $1
        UNION ALL
        SELECT child.node
        FROM below AS b
        CROSS JOIN LATERAL (
            SELECT b.node -> 'not' AS node WHERE b.node ? 'not'
            UNION ALL SELECT pg_catalog.jsonb_array_elements(b.node -> 'and') WHERE b.node ? 'and'
            UNION ALL SELECT pg_catalog.jsonb_array_elements(b.node -> 'or') WHERE b.node ? 'or'
        ) AS child
    )
    SELECT b.node -> 'p' FROM below AS b WHERE b.node ? 'p';
END;

COMMENT ON FUNCTION lookalike.filter_conditions(jsonb) IS
    'Internal: the paths of the conditions of a filter on the record itself. Caller''s rights.';

CREATE OR REPLACE FUNCTION lookalike.filter_path(filter jsonb) RETURNS jsonpath
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    compiled record := lookalike.filter_compiled(filter);
BEGIN
    IF compiled.asks_id THEN
        PERFORM lookalike.filter_refuse('_id is no attribute: use lookalike.matches(attributes, filter, id)', '$');
    END IF;
    RETURN coalesce(compiled.path, '$');
END;
$$;

COMMENT ON FUNCTION lookalike.filter_path(jsonb) IS
    'A filter of the API''s language as a jsonpath: attributes @? lookalike.filter_path(filter). Caller''s rights.';
