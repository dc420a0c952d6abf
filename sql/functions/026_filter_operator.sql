-- One operator of a filter → its node: what app/filters/operands.py makes of it.
--
-- Arguments: the operator's name; the path it is about, a list of steps; its operand; the object it stands in ($regex and
--   $options find each other there); the place for messages; the depth. Result: a node (see 021). SQLSTATE 22023 for an
--   operand that the API refuses, too.
-- Rights: the caller's. Fixed search_path. Called by filter_operators.
CREATE OR REPLACE FUNCTION lookalike.filter_operator(
    name text, path jsonb, operand jsonb, siblings jsonb, place text, depth integer
) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind constant text := jsonb_typeof(operand);
    op text;
    node jsonb;
BEGIN
    IF name IN ('$in', '$nin', '$all', '$mod') AND kind <> 'array' THEN
        PERFORM lookalike.filter_refuse('needs a list, found ' || kind, place);
    ELSIF name IN ('$in', '$nin', '$all') AND jsonb_array_length(operand) > 10000 THEN
        PERFORM lookalike.filter_refuse('a list may have at most 10,000 values', place);
    END IF;
    CASE name
        WHEN '$eq' THEN
            RETURN jsonb_build_object('eq', lookalike.filter_data(operand, place, depth), 'p', path);
        WHEN '$gt', '$gte', '$lt', '$lte' THEN
            op := CASE name WHEN '$gt' THEN '>' WHEN '$gte' THEN '>=' WHEN '$lt' THEN '<' ELSE '<=' END;
            PERFORM lookalike.filter_data(operand, place, depth);
            IF kind IN ('array', 'object') THEN
                PERFORM lookalike.filter_refuse(kind || ' cannot be the bound of a range', place);
            ELSIF kind = 'null' THEN
                RETURN CASE WHEN op IN ('<=', '>=') THEN jsonb_build_object('eq', NULL, 'p', path) ELSE 'false' END;
            END IF;
            RETURN jsonb_build_object('cmp', operand, 'op', op, 'p', path);
        WHEN '$in' THEN
            RETURN lookalike.filter_choices(path, operand, place, depth);
        WHEN '$exists' THEN
            PERFORM lookalike.filter_data(operand, place, depth);
            node := jsonb_build_object('exists', true, 'p', path);
            RETURN CASE WHEN operand IN ('null', 'false') OR (kind = 'number' AND operand::numeric = 0)
                        THEN lookalike.filter_negate(node) ELSE node END;
        WHEN '$type' THEN
            RETURN lookalike.filter_type(path, operand, place);
        WHEN '$size' THEN
            IF kind <> 'number' THEN
                PERFORM lookalike.filter_refuse('expected a number, found ' || kind, place);
            ELSIF operand::numeric <> trunc(operand::numeric) OR operand::numeric NOT BETWEEN 0 AND 2147483647 THEN
                PERFORM lookalike.filter_refuse('needs a whole number from 0 to 2147483647', place);
            END IF;
            RETURN jsonb_build_object('size', operand::integer, 'p', path);
        WHEN '$mod' THEN
            RETURN lookalike.filter_mod(path, operand, place);
        WHEN '$regex' THEN
            RETURN lookalike.filter_regex(path, operand, siblings, place);
        WHEN '$options' THEN
            IF NOT siblings ? '$regex' THEN
                PERFORM lookalike.filter_refuse('needs a $regex beside it', place);
            END IF;
            RETURN 'true';
        WHEN '$all' THEN
            RETURN lookalike.filter_all(path, operand, place, depth);
        WHEN '$elemMatch' THEN
            RETURN lookalike.filter_elem_match(path, operand, place, depth);
        WHEN '$not' THEN
            IF NOT lookalike.filter_operators_in(operand, place) THEN
                PERFORM lookalike.filter_refuse('needs an object of operators, as in {$not: {$gt: 5}}', place);
            END IF;
            RETURN lookalike.filter_negate(lookalike.filter_operators(path, operand, place, depth + 1));
        WHEN '$ne' THEN
            RETURN lookalike.filter_negate(lookalike.filter_operator('$eq', path, operand, siblings, place, depth));
        WHEN '$nin' THEN
            RETURN lookalike.filter_negate(lookalike.filter_choices(path, operand, place, depth));
    END CASE;
END;
$$;

COMMENT ON FUNCTION lookalike.filter_operator(text, jsonb, jsonb, jsonb, text, integer) IS
    'Internal: the node of one operator of a filter. Caller''s rights.';
